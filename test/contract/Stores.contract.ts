import type { DeadLetters } from "@beckon/domain/ports/DeadLetters"
import type { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import type { EventOutbox } from "@beckon/domain/ports/EventOutbox"
import type { FriendshipStore } from "@beckon/domain/ports/FriendshipStore"
import type { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import type { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import type { RoutingPolicyStore } from "@beckon/domain/ports/RoutingPolicyStore"
import type { TemplateStore } from "@beckon/domain/ports/TemplateStore"
import type { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import type { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import { describe, layer } from "@effect/vitest"
import type { Layer } from "effect"
import { deviceStoreContract } from "./DeviceStore.contract.ts"
import { friendshipStoreContract } from "./FriendshipStore.contract.ts"
import { notificationChangesContract } from "./NotificationChanges.contract.ts"
import { notificationStoreContract } from "./NotificationStore.contract.ts"
import { routingPolicyStoreContract } from "./RoutingPolicyStore.contract.ts"
import { templateStoreContract } from "./TemplateStore.contract.ts"
import { deadLettersContract, preferenceStoreContract, userDirectoryContract } from "./UserStores.contract.ts"
import { webhookEndpointStoreContract } from "./WebhookEndpointStore.contract.ts"

export type Stores =
  | NotificationStore
  | DeviceStore
  | PreferenceStore
  | UserDirectory
  | RoutingPolicyStore
  | TemplateStore
  | WebhookEndpointStore
  | FriendshipStore
  | EventOutbox
  | DeadLetters

/** Runs the contract of every store over one provider. The provider is built once: databases take seconds to start. */
export const storesContract = <R extends Stores, E>(provider: string, stores: Layer.Layer<Stores | R, E>) => {
  layer(stores, { timeout: "60 seconds" })(provider, (it) => {
    describe("NotificationStore", () => {
      notificationStoreContract(it)
    })
    describe("NotificationStore: changes", () => {
      notificationChangesContract(it)
    })
    describe("FriendshipStore and EventOutbox", () => {
      friendshipStoreContract(it)
    })
    describe("DeviceStore", () => {
      deviceStoreContract(it)
    })
    describe("PreferenceStore", () => {
      preferenceStoreContract(it)
    })
    describe("UserDirectory", () => {
      userDirectoryContract(it)
    })
    describe("RoutingPolicyStore", () => {
      routingPolicyStoreContract(it)
    })
    describe("TemplateStore", () => {
      templateStoreContract(it)
    })
    describe("WebhookEndpointStore", () => {
      webhookEndpointStoreContract(it)
    })
    describe("DeadLetters", () => {
      deadLettersContract(it)
    })
  })
}
