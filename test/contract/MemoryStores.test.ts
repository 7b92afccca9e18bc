import * as MemoryApiKeyStore from "@beckon/infra/memory/MemoryApiKeyStore"
import * as MemoryAuditLog from "@beckon/infra/memory/MemoryAuditLog"
import * as MemoryDeadLetters from "@beckon/infra/memory/MemoryDeadLetters"
import * as MemoryDeviceStore from "@beckon/infra/memory/MemoryDeviceStore"
import * as MemoryFriendshipStore from "@beckon/infra/memory/MemoryFriendshipStore"
import * as MemoryIdempotencyStore from "@beckon/infra/memory/MemoryIdempotencyStore"
import * as MemoryLookupStore from "@beckon/infra/memory/MemoryLookupStore"
import * as MemoryNotificationStore from "@beckon/infra/memory/MemoryNotificationStore"
import * as MemoryPreferenceStore from "@beckon/infra/memory/MemoryPreferenceStore"
import * as MemoryRevocationStore from "@beckon/infra/memory/MemoryRevocationStore"
import * as MemoryProviderAccountStore from "@beckon/infra/memory/MemoryProviderAccountStore"
import * as MemoryRoutingPolicyStore from "@beckon/infra/memory/MemoryRoutingPolicyStore"
import * as MemoryTemplateStore from "@beckon/infra/memory/MemoryTemplateStore"
import * as MemoryTenantSecretStore from "@beckon/infra/memory/MemoryTenantSecretStore"
import * as MemoryTenantStore from "@beckon/infra/memory/MemoryTenantStore"
import * as MemoryTrackingGrants from "@beckon/infra/memory/MemoryTrackingGrants"
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
    MemoryTenantStore.layer,
    MemoryLookupStore.layer,
    MemoryTenantSecretStore.layer,
    MemoryAuditLog.layer,
    MemoryApiKeyStore.layer,
    MemoryRevocationStore.layer,
    MemoryProviderAccountStore.layer,
    MemoryRoutingPolicyStore.layer,
    MemoryTemplateStore.layer,
    MemoryWebhookEndpointStore.layer,
    MemoryFriendshipStore.layer,
    MemoryIdempotencyStore.layer,
    MemoryTrackingGrants.layer,
    MemoryDeadLetters.layer
  )
)
