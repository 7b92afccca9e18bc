/**
 * A copy of 200,000 notifications that is killed twice in the middle.
 */
import { asOwner } from "@beckon/infra/postgres/DatabaseSession"
import { expect, layer } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { copy, countOf, folder, notifications, target } from "./Ends.ts"

const total = 200_000
const users = 5_000

const Summary = Schema.fromJsonString(
  Schema.Struct({
    outcome: Schema.String,
    tables: Schema.Array(Schema.Struct({ name: Schema.String, rows: Schema.Int, copied: Schema.Int })),
    verification: Schema.Struct({ same: Schema.Boolean })
  })
)
const decodeSummary = Schema.decodeUnknownSync(Summary)

layer(Layer.empty, { excludeTestServices: true, timeout: "60 seconds" })("a copy of 200,000 notifications", (it) => {
  it.effect(
    "goes on where it was killed, twice, and brings every row once",
    () =>
      Effect.gen(function* () {
        const from = yield* folder((sql) => notifications(sql, total, users))
        const { sql, url } = yield* target
        const arrived: Array<number> = []
        for (const reached of [/^Copying notifications: 40,\d+ of/, /^Copying notifications: 120,\d+ of/]) {
          const copying = yield* BeckonProcess.spawn(copy(url, "--from", from))
          yield* copying.line("stderr", reached)
          yield* copying.kill("SIGKILL")
          expect(yield* copying.exit).toEqual({ code: null, signal: "SIGKILL" })
          // Waits for what the killed process had under way.
          const { counted, rows } = yield* sql.withTransaction(
            Effect.andThen(
              asOwner(sql`lock table beckon_copy_progress in exclusive mode`),
              Effect.all({
                counted: asOwner(sql<{ readonly rows: number }>`
                  select copied_rows::int as rows from beckon_copy_progress where table_name = 'notifications'`),
                rows: countOf(sql, "notifications")
              })
            )
          )
          expect(counted).toEqual([{ rows }])
          expect(rows).toBeGreaterThan(arrived.at(-1) ?? 0)
          expect(rows).toBeLessThan(total)
          arrived.push(rows)
        }
        const last = yield* BeckonProcess.run(copy(url, "--from", from, "--verify", "--json"))
        expect(last.code).toBe(0)
        const { outcome, tables, verification } = decodeSummary(last.stdout)
        expect(outcome).toBe("continued")
        expect(tables.find(({ name }) => name === "notifications")).toEqual({
          name: "notifications",
          rows: total,
          copied: total - (arrived.at(-1) ?? 0)
        })
        expect(tables.find(({ name }) => name === "mailboxes")).toEqual({ name: "mailboxes", rows: users, copied: 0 })
        expect(verification.same).toBe(true)
        expect(yield* countOf(sql, "notifications")).toBe(total)
      }),
    150_000
  )
})
