import * as MemoryBatchStore from "@beckon/infra/memory/MemoryBatchStore"
import * as MemoryDeliveryStore from "@beckon/infra/memory/MemoryDeliveryStore"
import * as MemoryNotificationStore from "@beckon/infra/memory/MemoryNotificationStore"
import * as MemoryPreferenceStore from "@beckon/infra/memory/MemoryPreferenceStore"
import * as MemoryRoutingPolicyStore from "@beckon/infra/memory/MemoryRoutingPolicyStore"
import * as MemoryScheduleStore from "@beckon/infra/memory/MemoryScheduleStore"
import * as MemoryUserDirectory from "@beckon/infra/memory/MemoryUserDirectory"
import * as MemoryWebhookEndpointStore from "@beckon/infra/memory/MemoryWebhookEndpointStore"
import { Layer } from "effect"
import { deliveriesContract } from "./Deliveries.contract.ts"

const others = Layer.mergeAll(
  MemoryNotificationStore.layer,
  MemoryPreferenceStore.layer,
  MemoryRoutingPolicyStore.layer,
  MemoryUserDirectory.layer,
  MemoryWebhookEndpointStore.layer,
  MemoryScheduleStore.layer
)

deliveriesContract(
  "memory",
  MemoryBatchStore.layer.pipe(Layer.provideMerge(MemoryDeliveryStore.layer), Layer.provideMerge(others))
)
