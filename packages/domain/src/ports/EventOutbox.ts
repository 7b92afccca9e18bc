/**
 * Events that were committed together with a change of state and wait to be published.
 */
import { Context } from "effect"
import type { Effect } from "effect"
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
    readonly remove: (ids: ReadonlyArray<string>) => Effect.Effect<void, StoreUnavailable>
  }
>()("@beckon/domain/ports/EventOutbox") {}
