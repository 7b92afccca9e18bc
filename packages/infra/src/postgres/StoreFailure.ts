import { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { Effect } from "effect"
import type { SqlError } from "effect/sql/SqlError"

/** Every failure of `effect` as `StoreUnavailable` of this operation, with the failure as its cause. */
export const unavailable =
  (operation: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, StoreUnavailable, R> =>
    Effect.mapError(effect, (cause) => new StoreUnavailable({ operation, cause }))

/** Whether a statement broke this unique constraint or unique index. */
export const violates = (error: SqlError, constraint: string): boolean =>
  error.reason._tag === "UniqueViolation" && error.reason.constraint === constraint
