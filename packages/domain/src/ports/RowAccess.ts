/**
 * Whose rows the statements of this fiber may touch.
 *
 * **Details**
 *
 * Every call from outside runs with the tenant of its caller: the database then shows and takes rows of this tenant only,
 * whatever a statement says (row-level security). What works for all tenants, such as mailboxes and workers, is `system`.
 *
 * **Gotchas**
 *
 * It belongs to the fiber and is inherited by fibers that it starts; it does not cross to other nodes or to fibers that were
 * started before.
 */
import { Context, Effect } from "effect"
import type { TenantId } from "../Identifiers.ts"

export type RowAccess = "system" | { readonly tenantId: TenantId }

export const RowAccess = Context.Reference<RowAccess>("@beckon/domain/ports/RowAccess", {
  defaultValue: () => "system"
})

/** Runs with the rows of one tenant only. */
export const asTenant =
  (tenantId: TenantId) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(effect, RowAccess, { tenantId })

/** Runs with the rows of all tenants: for what has checked by itself whom it serves. */
export const asSystem = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, RowAccess, "system")
