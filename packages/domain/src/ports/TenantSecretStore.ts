/**
 * Secrets that a tenant gives Beckon to use for it, by name; sealed at rest, and never shown again.
 */
import { Context } from "effect"
import type { DateTime, Effect, Option, Redacted } from "effect"
import type { TenantId } from "../Identifiers.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

/** The service account at the tenant's user service: what goes into `Authorization`. */
export type TenantSecretName = "user_service"

export class TenantSecretStore extends Context.Service<
  TenantSecretStore,
  {
    readonly get: (
      tenantId: TenantId,
      name: TenantSecretName
    ) => Effect.Effect<Option.Option<Redacted.Redacted>, StoreUnavailable>
    /** When it was set last; nothing where there is none. */
    readonly setAt: (
      tenantId: TenantId,
      name: TenantSecretName
    ) => Effect.Effect<Option.Option<DateTime.Utc>, StoreUnavailable>
    readonly set: (
      tenantId: TenantId,
      name: TenantSecretName,
      secret: Redacted.Redacted,
      now: DateTime.Utc
    ) => Effect.Effect<void, StoreUnavailable>
    /** Answers whether there was one. */
    readonly remove: (tenantId: TenantId, name: TenantSecretName) => Effect.Effect<boolean, StoreUnavailable>
  }
>()("@beckon/domain/ports/TenantSecretStore") {}
