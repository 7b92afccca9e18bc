/**
 * The accounts with senders of tenants. Their credentials are encrypted at rest by the layers that keep them.
 */
import { Context, Schema } from "effect"
import type { DateTime, Effect, Option, Redacted } from "effect"
import type { TenantId } from "../Identifiers.ts"
import type { NewProviderAccount, ProviderAccount, ProviderAccountChange } from "../ProviderAccount.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

/** Their key is not there, or they are another row's: nothing can be sent with them until that is mended. */
export class CredentialsNotOpened extends Schema.TaggedError<CredentialsNotOpened>()("CredentialsNotOpened", {
  keyId: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return this.reason
  }
}

export class ProviderAccountStore extends Context.Service<
  ProviderAccountStore,
  {
    readonly create: (
      tenantId: TenantId,
      id: string,
      account: NewProviderAccount,
      now: DateTime.Utc
    ) => Effect.Effect<ProviderAccount, StoreUnavailable>
    /** In the order in which they are tried (`inOrder`). */
    readonly list: (tenantId: TenantId) => Effect.Effect<ReadonlyArray<ProviderAccount>, StoreUnavailable>
    readonly get: (tenantId: TenantId, id: string) => Effect.Effect<Option.Option<ProviderAccount>, StoreUnavailable>
    /** Answers nothing when there is no such account, or, where `version` is given, when it has another one. */
    readonly update: (
      tenantId: TenantId,
      id: string,
      change: ProviderAccountChange,
      now: DateTime.Utc,
      version?: number
    ) => Effect.Effect<Option.Option<ProviderAccount>, StoreUnavailable>
    readonly remove: (tenantId: TenantId, id: string) => Effect.Effect<boolean, StoreUnavailable>
    /** The JSON that was given last; for those who send, and never for an answer. */
    readonly credentials: (
      tenantId: TenantId,
      id: string
    ) => Effect.Effect<Option.Option<Redacted.Redacted>, StoreUnavailable | CredentialsNotOpened>
  }
>()("@beckon/domain/ports/ProviderAccountStore") {}
