/**
 * The API keys of tenants, with the hashes of their secrets.
 */
import { Context } from "effect"
import type { DateTime, Effect, Option } from "effect"
import type { ApiKey, ApiKeyRole, KnownApiKey } from "../ApiKey.ts"
import type { TenantId } from "../Identifiers.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

export interface NewApiKey {
  /** Unique in the deployment. */
  readonly id: string
  readonly tenantId: TenantId
  readonly name: string
  readonly role: ApiKeyRole
  readonly scopes: ReadonlyArray<string> | null
  readonly createdBy: string
  readonly expiresAt: DateTime.Utc | null
  /** SHA-256 of the whole key. */
  readonly hash: Uint8Array
}

export class ApiKeyStore extends Context.Service<
  ApiKeyStore,
  {
    readonly create: (key: NewApiKey, now: DateTime.Utc) => Effect.Effect<ApiKey, StoreUnavailable>
    /** By id, the last first; revoked and expired ones too. */
    readonly list: (
      tenantId: TenantId,
      options: { readonly beforeId?: string | undefined; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<ApiKey>, StoreUnavailable>
    readonly get: (tenantId: TenantId, id: string) => Effect.Effect<Option.Option<ApiKey>, StoreUnavailable>
    /** Of any tenant: who shows a key does not say whose it is. */
    readonly find: (id: string) => Effect.Effect<Option.Option<KnownApiKey>, StoreUnavailable>
    /**
     * A new secret; the one before it is good until `formerUntil`, the one before that no longer. Nothing when there is no
     * such key, or it is revoked.
     */
    readonly rotate: (
      tenantId: TenantId,
      id: string,
      hash: Uint8Array,
      formerUntil: DateTime.Utc,
      now: DateTime.Utc
    ) => Effect.Effect<Option.Option<ApiKey>, StoreUnavailable>
    /** Once and for all; again changes nothing. Nothing when there is no such key. */
    readonly revoke: (
      tenantId: TenantId,
      id: string,
      now: DateTime.Utc
    ) => Effect.Effect<Option.Option<ApiKey>, StoreUnavailable>
    /** Keeps the latest use. */
    readonly noteUse: (
      tenantId: TenantId,
      id: string,
      address: string | null,
      at: DateTime.Utc
    ) => Effect.Effect<void, StoreUnavailable>
  }
>()("@beckon/domain/ports/ApiKeyStore") {}
