import { DeadLetters, ownerOf } from "@beckon/domain/ports/DeadLetters"
import { DateTime, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { timestamp } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

const Letter = Schema.Struct({
  topic: Schema.String,
  key: Schema.String,
  headers: Schema.Record(Schema.String, Schema.String),
  value: Schema.String,
  reason: Schema.String
})

/** JSON escapes what PostgreSQL's text refuses, NUL and lone surrogates, so that every letter can be kept as it came. */
const LetterJson = Schema.fromJsonString(Letter)
const encode = Schema.encodeEffect(LetterJson)
const decode = Schema.decodeEffect(LetterJson)

const make = Effect.gen(function* () {
  const sql = yield* SqlClient

  return DeadLetters.of({
    add: Effect.fn("DeadLetters.add")(function* ({ headers, key, topic, value }, reason) {
      const letter = yield* encode({ topic, key, headers, value, reason })
      const now = yield* DateTime.now
      yield* sql`
        insert into dead_letters (topic, tenant_id, letter, created_at)
        values (${topic}, ${ownerOf({ headers })}, ${letter}::json, ${timestamp(now)})`
    }, unavailable("DeadLetters.add")),

    list: Effect.fn("DeadLetters.list")(function* ({ limit, tenantId }) {
      const whose = tenantId === undefined ? sql`true` : sql`tenant_id = ${tenantId}`
      const rows = yield* sql<{ id: bigint; letter: string; created_at: Date }>`
        select id, letter::text as letter, created_at from dead_letters
        where ${whose} order by id desc limit ${limit}`
      return yield* Effect.forEach(rows, (row) =>
        Effect.map(decode(row.letter), (letter) => ({
          ...letter,
          id: String(row.id),
          at: DateTime.fromDateUnsafe(row.created_at)
        }))
      )
    }, unavailable("DeadLetters.list"))
  })
})

/** Dead letters in PostgreSQL. */
export const layer: Layer.Layer<DeadLetters, never, SqlClient> = Layer.effect(DeadLetters, make)
