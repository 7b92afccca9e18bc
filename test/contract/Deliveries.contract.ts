import type { BatchStore } from "@beckon/domain/ports/BatchStore"
import type { ScheduleStore } from "@beckon/domain/ports/ScheduleStore"
import { describe, layer } from "@effect/vitest"
import type { Layer } from "effect"
import { batchStoreContract } from "./BatchStore.contract.ts"
import { deliveryAnnouncementsContract } from "./DeliveryAnnouncements.contract.ts"
import { deliveryChangesContract } from "./DeliveryChanges.contract.ts"
import { deliveryClaimsContract } from "./DeliveryClaims.contract.ts"
import { deliveryDigestsContract } from "./DeliveryDigests.contract.ts"
import { deliveryEventsContract } from "./DeliveryEvents.contract.ts"
import { deliveryStoreContract } from "./DeliveryStore.contract.ts"
import type { DeliveryServices } from "./DeliveryStore.contract.ts"
import { scheduleStoreContract } from "./ScheduleStore.contract.ts"

/** Runs the contract of everything about deliveries over one provider, which serves nothing else meanwhile. */
export const deliveriesContract = <R extends DeliveryServices | ScheduleStore | BatchStore, E>(
  provider: string,
  stores: Layer.Layer<DeliveryServices | ScheduleStore | BatchStore | R, E>
) => {
  layer(stores, { timeout: "60 seconds" })(provider, (it) => {
    describe("DeliveryStore: plan, claim, report", () => {
      deliveryStoreContract(it)
      deliveryClaimsContract(it)
    })
    describe("DeliveryStore: digests and throttles", () => {
      deliveryDigestsContract(it)
    })
    describe("DeliveryStore: events", () => {
      deliveryEventsContract(it)
    })
    describe("DeliveryStore: changes and questions", () => {
      deliveryChangesContract(it)
    })
    describe("DeliveryStore: tenants and what they are told", () => {
      deliveryAnnouncementsContract(it)
    })
    describe("BatchStore", () => {
      batchStoreContract(it)
    })
    describe("ScheduleStore", () => {
      scheduleStoreContract(it)
    })
  })
}
