/**
 * The revocations of all tenants, until they may be forgotten.
 *
 * **Details**
 *
 * A subject has one revocation: a later one moves its ends forward, never back. Every save gets a new place in the order of
 * changes, so that a node reads what came since it read last.
 */
import { Context } from "effect"
import type { DateTime, Effect } from "effect"
import type { Revocation } from "../Revocation.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

/** Where a revocation is in the order of changes. */
export interface RevocationPlace {
  readonly changedAt: DateTime.Utc
  readonly id: string
}

export interface PlacedRevocation extends RevocationPlace {
  readonly revocation: Revocation
}

export class RevocationStore extends Context.Service<
  RevocationStore,
  {
    /** `id` is new and grows with time (UUIDv7). Answers the revocation as it stands now. */
    readonly save: (
      revocation: Revocation,
      id: string,
      now: DateTime.Utc
    ) => Effect.Effect<Revocation, StoreUnavailable>
    /** Of all tenants, in the order of changes, after this place. */
    readonly changes: (
      after: RevocationPlace,
      limit: number
    ) => Effect.Effect<ReadonlyArray<PlacedRevocation>, StoreUnavailable>
    /** Forgets what has expired, up to `limit`; answers how many. */
    readonly forget: (now: DateTime.Utc, limit: number) => Effect.Effect<number, StoreUnavailable>
  }
>()("@beckon/domain/ports/RevocationStore") {}
