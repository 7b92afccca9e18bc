import { EventOutbox } from "@beckon/domain/ports/EventOutbox"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { texts } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

interface OutboxRow {
  readonly id: bigint
  readonly topic: string
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
  readonly value: string
}

const make = Effect.gen(function* () {
  const sql = yield* SqlClient

  return EventOutbox.of({
    peek: Effect.fn("EventOutbox.peek")(function* (limit) {
      const rows = yield* sql<OutboxRow>`
        select id, topic, key, headers, value from event_outbox order by id limit ${limit}`
      return rows.map((row) => ({ ...row, id: String(row.id) }))
    }, unavailable("EventOutbox.peek")),

    remove: (ids) =>
      ids.length === 0
        ? Effect.void
        : unavailable("EventOutbox.remove")(
            Effect.asVoid(sql`delete from event_outbox where id = any(${texts(ids)}::bigint[])`)
          )
  })
})

/**
 * The outbox in PostgreSQL.
 *
 * **Details**
 *
 * Entries come in the order of their numbers. For entries that one change after another of the same row made, that is the
 * order of their commits; between transactions that ran at the same time, either may come first, and one may appear behind
 * an entry that was read already. Nothing is lost by this: entries leave by id, not by position.
 */
export const layer: Layer.Layer<EventOutbox, never, SqlClient> = Layer.effect(EventOutbox, make)
