import * as MemoryDeadLetters from "@beckon/infra/memory/MemoryDeadLetters"
import * as MemoryDeviceStore from "@beckon/infra/memory/MemoryDeviceStore"
import * as MemoryFriendshipStore from "@beckon/infra/memory/MemoryFriendshipStore"
import * as MemoryNotificationStore from "@beckon/infra/memory/MemoryNotificationStore"
import * as MemoryPreferenceStore from "@beckon/infra/memory/MemoryPreferenceStore"
import * as MemoryRoutingPolicyStore from "@beckon/infra/memory/MemoryRoutingPolicyStore"
import * as MemoryTemplateStore from "@beckon/infra/memory/MemoryTemplateStore"
import * as MemoryUserDirectory from "@beckon/infra/memory/MemoryUserDirectory"
import * as MemoryWebhookEndpointStore from "@beckon/infra/memory/MemoryWebhookEndpointStore"
import { Layer } from "effect"
import { storesContract } from "./Stores.contract.ts"

storesContract(
  "memory",
  Layer.mergeAll(
    MemoryNotificationStore.layer,
    MemoryDeviceStore.layer,
    MemoryPreferenceStore.layer,
    MemoryUserDirectory.layer,
    MemoryRoutingPolicyStore.layer,
    MemoryTemplateStore.layer,
    MemoryWebhookEndpointStore.layer,
    MemoryFriendshipStore.layer,
    MemoryDeadLetters.layer
  )
)
