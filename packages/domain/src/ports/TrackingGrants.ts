/**
 * Which customer may follow which driver: one grant for each order, kept up by the order's events.
 *
 * **Details**
 *
 * A grant that was closed stays closed, and one that is open changes only by a newer event, so events may come in any order
 * and more than once.
 */
import { Context } from "effect"
import type { DateTime, Effect } from "effect"
import type { TenantId, UserId } from "../Identifiers.ts"
import type { TrackingChange } from "../events/OrderTracking.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

/** Someone who follows, or wishes to. */
export interface Following {
  readonly customerId: UserId
  readonly driverId: UserId
}

export class TrackingGrants extends Context.Service<
  TrackingGrants,
  {
    /** Applies the changes; answers those whose grant was open before and is not, or is another driver's. */
    readonly apply: (
      tenantId: TenantId,
      changes: ReadonlyArray<TrackingChange>
    ) => Effect.Effect<ReadonlyArray<Following>, StoreUnavailable>
    /** Whether each may follow now; in the order of the question. */
    readonly areGranted: (
      tenantId: TenantId,
      followings: ReadonlyArray<Following>,
      now: DateTime.Utc
    ) => Effect.Effect<ReadonlyArray<boolean>, StoreUnavailable>
    /** Removes grants that ended before; answers how many, at most `limit`. */
    readonly reap: (before: DateTime.Utc, limit: number) => Effect.Effect<number, StoreUnavailable>
  }
>()("@beckon/domain/ports/TrackingGrants") {}
