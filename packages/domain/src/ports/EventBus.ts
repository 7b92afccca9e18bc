/**
 * Carries events from those who publish them to those who ingest them: in the process, or Kafka.
 */
import { Context, Schema } from "effect"
import type { Effect, Scope } from "effect"

/** The header that names whose a record is; without it, it is the tenant's that everybody has, `default`. */
export const tenantHeader = "tenant"

/** Where a record lies in a log that keeps it. */
export interface RecordPosition {
  readonly topic: string
  readonly partition: number
  /** A 64-bit integer as decimal text. */
  readonly offset: string
  /** Milliseconds since 1970, as decimal text. */
  readonly timestamp: string
}

export interface EventRecord {
  readonly topic: string
  /** Records with one key keep their order. */
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
  /** JSON text. */
  readonly value: string
  /** Of a record that came from a log; whoever publishes need not give it. */
  readonly position?: RecordPosition
}

/** Nobody has taken the records; publish them again. */
export class BusUnavailable extends Schema.TaggedError<BusUnavailable>()("BusUnavailable", {
  topic: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `Could not publish to ${this.topic}`
  }
}

export class EventBus extends Context.Service<
  EventBus,
  {
    /** Succeeds when the records are safe: at the broker, or (in the process) handled by every group. */
    readonly publish: (records: ReadonlyArray<EventRecord>) => Effect.Effect<void, BusUnavailable>
    /**
     * Handles a topic's records as `group` until the scope closes. Records of one key come in order. A handler that fails
     * gets the same records again: handlers are idempotent.
     */
    readonly consume: <E, R>(
      topic: string,
      group: string,
      handler: (records: ReadonlyArray<EventRecord>) => Effect.Effect<void, E, R>
    ) => Effect.Effect<void, never, R | Scope.Scope>
  }
>()("@beckon/domain/ports/EventBus") {}
