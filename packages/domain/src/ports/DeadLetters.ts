/**
 * Events that could not be understood, with the reason; they never stop what is behind them.
 */
import { Context } from "effect"
import type { DateTime, Effect } from "effect"
import type { EventRecord } from "./EventBus.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

export interface DeadLetter extends EventRecord {
  readonly id: string
  readonly reason: string
  readonly at: DateTime.Utc
}

export class DeadLetters extends Context.Service<
  DeadLetters,
  {
    readonly add: (record: EventRecord, reason: string) => Effect.Effect<void, StoreUnavailable>
    /** Newest first. */
    readonly list: (limit: number) => Effect.Effect<ReadonlyArray<DeadLetter>, StoreUnavailable>
  }
>()("@beckon/domain/ports/DeadLetters") {}
