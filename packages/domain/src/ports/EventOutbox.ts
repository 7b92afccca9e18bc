/**
 * Events that were committed together with a change of state and wait to be published.
 */
import { Context } from "effect"
import type { Effect, Option } from "effect"
import type { EventRecord } from "./EventBus.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

export interface OutboxEntry extends EventRecord {
  readonly id: string
}

export class EventOutbox extends Context.Service<
  EventOutbox,
  {
    /** The oldest entries, in the order in which they were committed. They stay until `remove`. */
    readonly peek: (limit: number) => Effect.Effect<ReadonlyArray<OutboxEntry>, StoreUnavailable>
    /**
     * Runs the effect while no other node runs one, or answers nothing because another does: only so is what is published
     * in order. What it removes is removed when it has succeeded.
     */
    readonly exclusively: <A, E, R>(
      effect: Effect.Effect<A, E, R>
    ) => Effect.Effect<Option.Option<A>, E | StoreUnavailable, R>
    readonly remove: (ids: ReadonlyArray<string>) => Effect.Effect<void, StoreUnavailable>
  }
>()("@beckon/domain/ports/EventOutbox") {}
