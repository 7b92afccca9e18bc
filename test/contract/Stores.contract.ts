import type { ApiKeyStore } from "@beckon/domain/ports/ApiKeyStore"
import type { AuditLog } from "@beckon/domain/ports/AuditLog"
import type { DeadLetters } from "@beckon/domain/ports/DeadLetters"
import type { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import type { EventOutbox } from "@beckon/domain/ports/EventOutbox"
import type { FriendshipStore } from "@beckon/domain/ports/FriendshipStore"
import type { IdempotencyStore } from "@beckon/domain/ports/IdempotencyStore"
import type { LookupStore } from "@beckon/domain/ports/LookupStore"
import type { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import type { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import type { RevocationStore } from "@beckon/domain/ports/RevocationStore"
import type { ProviderAccountStore } from "@beckon/domain/ports/ProviderAccountStore"
import type { RoutingPolicyStore } from "@beckon/domain/ports/RoutingPolicyStore"
import type { TemplateStore } from "@beckon/domain/ports/TemplateStore"
import type { TenantSecretStore } from "@beckon/domain/ports/TenantSecretStore"
import type { TenantStore } from "@beckon/domain/ports/TenantStore"
import type { TrackingGrants } from "@beckon/domain/ports/TrackingGrants"
import type { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import type { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import { describe, layer } from "@effect/vitest"
import type { Layer } from "effect"
import { apiKeyStoreContract } from "./ApiKeyStore.contract.ts"
import { auditLogContract } from "./AuditLog.contract.ts"
import { deviceStoreContract } from "./DeviceStore.contract.ts"
import { friendshipStoreContract } from "./FriendshipStore.contract.ts"
import { idempotencyStoreContract } from "./IdempotencyStore.contract.ts"
import { lookupStoreContract } from "./LookupStore.contract.ts"
import { notificationChangesContract } from "./NotificationChanges.contract.ts"
import { notificationRetentionContract } from "./NotificationRetention.contract.ts"
import { notificationStoreContract } from "./NotificationStore.contract.ts"
import { revocationStoreContract } from "./RevocationStore.contract.ts"
import { providerAccountStoreContract } from "./ProviderAccountStore.contract.ts"
import { routingPolicyStoreContract } from "./RoutingPolicyStore.contract.ts"
import { templateStoreContract } from "./TemplateStore.contract.ts"
import { tenantSecretStoreContract } from "./TenantSecretStore.contract.ts"
import { tenantStoreContract } from "./TenantStore.contract.ts"
import { trackingGrantsContract } from "./TrackingGrants.contract.ts"
import { deadLettersContract, preferenceStoreContract, userDirectoryContract } from "./UserStores.contract.ts"
import { webhookEndpointStoreContract } from "./WebhookEndpointStore.contract.ts"

export type Stores =
  | NotificationStore
  | ApiKeyStore
  | RevocationStore
  | DeviceStore
  | PreferenceStore
  | UserDirectory
  | TenantStore
  | LookupStore
  | TenantSecretStore
  | AuditLog
  | ProviderAccountStore
  | RoutingPolicyStore
  | TemplateStore
  | WebhookEndpointStore
  | FriendshipStore
  | EventOutbox
  | IdempotencyStore
  | TrackingGrants
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
    describe("NotificationStore: retention", () => {
      notificationRetentionContract(it)
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
    describe("ProviderAccountStore", () => {
      providerAccountStoreContract(it)
    })
    describe("WebhookEndpointStore", () => {
      webhookEndpointStoreContract(it)
    })
    describe("TenantStore", () => {
      tenantStoreContract(it)
    })
    describe("TenantSecretStore", () => {
      tenantSecretStoreContract(it)
    })
    describe("LookupStore", () => {
      lookupStoreContract(it)
    })
    describe("AuditLog", () => {
      auditLogContract(it)
    })
    describe("IdempotencyStore", () => {
      idempotencyStoreContract(it)
    })
    describe("ApiKeyStore", () => {
      apiKeyStoreContract(it)
    })
    describe("RevocationStore", () => {
      revocationStoreContract(it)
    })
    describe("TrackingGrants", () => {
      trackingGrantsContract(it)
    })
    describe("DeadLetters", () => {
      deadLettersContract(it)
    })
  })
}
