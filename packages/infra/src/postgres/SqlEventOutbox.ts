import { EventOutbox } from "@beckon/domain/ports/EventOutbox"
import { Effect, Layer, Option, Semaphore } from "effect"
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

/** The number of the advisory lock: any that nothing else in the database uses. */
const relayLock = 6_234_107

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  // PGlite has one backend and one process: a transaction that stays open while events are handled would stop the handlers.
  const isAlone = sql.driver === "pglite"
  const turn = yield* Semaphore.make(1)

  /** A lock of the transaction leaves with it, also when the connection breaks; what failed keeps what it has removed. */
  const locked = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const rows = yield* sql<{ readonly locked: boolean }>`select pg_try_advisory_xact_lock(${relayLock}) as locked`
      return rows[0]?.locked === true ? Option.some(yield* Effect.exit(effect)) : Option.none()
    })

  return EventOutbox.of({
    peek: Effect.fn("EventOutbox.peek")(function* (limit) {
      const rows = yield* sql<OutboxRow>`
        select id, topic, key, headers, value from event_outbox order by id limit ${limit}`
      return rows.map((row) => ({ ...row, id: String(row.id) }))
    }, unavailable("EventOutbox.peek")),

    exclusively: (effect) =>
      isAlone
        ? turn.withPermitsIfAvailable(1)(effect)
        : Effect.flatMap(unavailable("EventOutbox.exclusively")(sql.withTransaction(locked(effect))), (ran) =>
            Option.match(ran, { onNone: () => Effect.succeedNone, onSome: (exit) => Effect.asSome(exit) })
          ),

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
