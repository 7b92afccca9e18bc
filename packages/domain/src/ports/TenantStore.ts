/**
 * The tenants that have a row.
 */
import { Context } from "effect"
import type { DateTime, Effect, Option } from "effect"
import type { TenantId } from "../Identifiers.ts"
import type { Tenant, TenantSettings, TenantStatus } from "../Tenant.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

export interface NewTenant {
  readonly id: TenantId
  readonly name: string
  readonly settings: TenantSettings
}

/** What is absent stays as it is; `settings` are replaced whole. */
export interface TenantChange {
  readonly name?: string
  readonly status?: TenantStatus
  readonly settings?: TenantSettings
}

export type TenantUpdate =
  | { readonly _tag: "Updated"; readonly tenant: Tenant }
  | { readonly _tag: "NotFound" }
  /** The row has another version than the caller expected. */
  | { readonly _tag: "VersionMismatch"; readonly version: number }

export type TenantRemoval = "Removed" | "NotFound" | "NotSuspended"

export class TenantStore extends Context.Service<
  TenantStore,
  {
    /** A removed one too, with `removedAt`. */
    readonly get: (tenantId: TenantId) => Effect.Effect<Option.Option<Tenant>, StoreUnavailable>
    /** By id, without those that are removed. */
    readonly list: (options: {
      readonly status?: TenantStatus
      readonly afterId?: TenantId
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<Tenant>, StoreUnavailable>
    /** Nothing when there is, or was, one of this id already. */
    readonly create: (tenant: NewTenant, now: DateTime.Utc) => Effect.Effect<Option.Option<Tenant>, StoreUnavailable>
    /** With `expected`, only that version is changed. */
    readonly update: (
      tenantId: TenantId,
      change: TenantChange,
      expected: number | undefined,
      now: DateTime.Utc
    ) => Effect.Effect<TenantUpdate, StoreUnavailable>
    /**
     * Only a suspended one: its name and its settings go, its row stays and keeps the id taken and suspended. What other
     * tables have of it is not touched.
     */
    readonly remove: (tenantId: TenantId, now: DateTime.Utc) => Effect.Effect<TenantRemoval, StoreUnavailable>
  }
>()("@beckon/domain/ports/TenantStore") {}
