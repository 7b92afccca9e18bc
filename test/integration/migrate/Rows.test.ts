/**
 * Every table and every kind of value arrives as it was, and what differs is seen.
 */
import * as DatabaseCopy from "@beckon/infra/postgres/DatabaseCopy"
import { copiedTables, progressTable, readCatalog } from "@beckon/infra/postgres/DatabaseCopyCatalog"
import { refuseUnfinished } from "@beckon/infra/postgres/DatabaseCopyProgress"
import { exactText, fingerprint } from "@beckon/infra/postgres/DatabaseCopyRows"
import { migrationsTable } from "@beckon/infra/postgres/SqlMigrations"
import { asOwner } from "@beckon/infra/postgres/DatabaseSession"
import { expect, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { fillAll } from "./AllKinds.ts"
import { countOf, ends, memory, notifications, target } from "./Ends.ts"

/** A source of one's own. */
const filled = Effect.tap(ends, ({ source }) => fillAll(source))

/** A source that all may read: making one takes seconds. */
class Shared extends Context.Service<Shared, SqlClient>()("@beckon/test/integration/migrate/Shared") {
  static readonly layer = Layer.effect(Shared, Effect.tap(memory, fillAll))
}
const shared = Effect.all({ source: Shared, target: Effect.map(target, ({ sql }) => sql) })

const different = (verification: DatabaseCopy.Verification) =>
  verification.tables.filter(({ same }) => !same).map(({ name }) => name)

/** The tables that differ, as an open transaction of the target sees them. */
const verifyInside = (source: SqlClient, target: SqlClient) =>
  Effect.gen(function* () {
    yield* exactText(target)
    const { tables } = yield* readCatalog(source)
    const names: Array<string> = []
    for (const table of tables.values()) {
      if (table.name === migrationsTable) continue
      const of = (sql: SqlClient) => fingerprint(sql, table, 2, () => Effect.void)
      const left = yield* source.withTransaction(Effect.andThen(exactText(source), of(source)))
      const right = yield* of(target)
      if (left.rows !== right.rows || left.checksum !== right.checksum) names.push(table.name)
    }
    return names
  })

layer(Shared.layer, { excludeTestServices: true, timeout: "60 seconds" })("a copy of a database", (it) => {
  it.effect("knows every table that the migrations make", () =>
    Effect.gen(function* () {
      const { tables } = yield* Effect.flatMap(Shared, readCatalog)
      const made = [...tables.keys()].filter((name) => ![migrationsTable, "duties"].includes(name))
      expect(made.toSorted()).toEqual(copiedTables.toSorted())
    })
  )

  it.effect("brings every kind of value of every table, in pages of any size", () =>
    Effect.gen(function* () {
      const { source, target } = yield* shared
      for (const table of copiedTables)
        expect({ table, rows: yield* countOf(source, table) }).not.toMatchObject({ rows: 0 })
      const result = yield* DatabaseCopy.copy({ source, target, pageRows: 2 })
      expect(result.outcome).toBe("copied")
      for (const { copied, name, rows } of result.tables) {
        expect({ name, copied, rows }).toEqual({ name, copied: rows, rows: yield* countOf(source, name) })
        const all = (sql: SqlClient) => sql`select t::text as row from ${sql(name)} t order by t::text collate "C"`
        expect(yield* target.withTransaction(Effect.andThen(target`set local timezone = 'UTC'`, all(target)))).toEqual(
          yield* source.withTransaction(Effect.andThen(source`set local timezone = 'UTC'`, all(source)))
        )
      }
      for (const pageRows of [1, 3, 1_000]) {
        expect(yield* DatabaseCopy.verify({ source, target, pageRows })).toMatchObject({
          same: true,
          sequencesBehind: []
        })
      }
    })
  )

  it.effect("lets the numbers that the database gives out continue", () =>
    Effect.gen(function* () {
      const { source, target } = yield* shared
      yield* DatabaseCopy.copy({ source, target })
      const added = yield* target<{ readonly id: bigint }>`
        insert into event_outbox (topic, key, headers, value, created_at) values ('t', 'k', '{}', 'v', now()) returning id`
      // 27 of the 30 that were given out are deleted: none of them comes again.
      expect(added[0]?.id).toBe(31n)
      yield* asOwner(target`select setval('event_outbox_id_seq', 4)`)
      expect(yield* DatabaseCopy.verify({ source, target })).toMatchObject({
        same: false,
        sequencesBehind: ["event_outbox_id_seq"]
      })
    })
  )

  it.effect("is seen to differ by one changed value, one missing row, one row too many", () =>
    Effect.gen(function* () {
      const { source, target } = yield* shared
      yield* DatabaseCopy.copy({ source, target })
      const changes: ReadonlyArray<readonly [table: string, change: string]> = [
        ["notifications", "update notifications set message = ' ' where id = 'n1'"],
        ["notifications", "update notifications set dedupe_key = null where id = 'n3'"],
        ["notifications", "update notifications set read_at = read_at + interval '1 microsecond' where id = 'n1'"],
        ["dead_letters", `update dead_letters set letter = '{"z": "\\u0000 \\ud800", "a": 1 }'`],
        ["devices", "update devices set token_sealed = '\\x00' where token_sealed = '\\x'"],
        ["users", "delete from users where user_id = 'bob'"],
        ["preferences", "insert into preferences values ('default', 'new', '{}', now())"]
      ]
      for (const [table, change] of changes) {
        // Verified inside of the transaction that changes it, which is then rolled back.
        const outcome = yield* target
          .withTransaction(
            Effect.flatMap(Effect.andThen(target.unsafe(change), verifyInside(source, target)), (names) =>
              Effect.fail({ names })
            )
          )
          .pipe(Effect.flip)
        expect({ change, outcome }).toEqual({ change, outcome: { names: [table] } })
      }
      expect(different(yield* DatabaseCopy.verify({ source, target }))).toEqual([])
      yield* target`update mailboxes set rev = rev + 1 where user_id = 'Alice'`
      expect(different(yield* DatabaseCopy.verify({ source, target }))).toEqual(["mailboxes"])
    })
  )

  it.effect("is refused by a target that holds rows, unless these are to be replaced", () =>
    Effect.gen(function* () {
      const { source, target } = yield* shared
      yield* DatabaseCopy.copy({ source, target })
      const other = yield* memory
      yield* notifications(other, 30, 3)
      const refused = yield* Effect.flip(DatabaseCopy.copy({ source: other, target }))
      expect(refused).toMatchObject({ _tag: "CopyRefused", reason: "source-changed" })
      yield* asOwner(target`drop table ${target(progressTable)}`)
      const occupied = yield* Effect.flip(DatabaseCopy.copy({ source, target }))
      expect(occupied).toMatchObject({
        reason: "target-not-empty",
        message: expect.stringMatching(/^The target is not empty: .*notifications \(4\)/)
      })
      expect(yield* DatabaseCopy.copy({ source: other, target, replace: true })).toMatchObject({ outcome: "copied" })
      expect(yield* DatabaseCopy.verify({ source: other, target })).toMatchObject({ same: true })
      expect(yield* countOf(target, "dead_letters")).toBe(0)
    })
  )

  it.effect("is not made twice, and not continued when the source was used in between", () =>
    Effect.gen(function* () {
      const { source, target } = yield* filled
      yield* DatabaseCopy.copy({ source, target })
      expect(yield* DatabaseCopy.copy({ source, target })).toMatchObject({ outcome: "already-finished" })
      yield* source`update mailboxes set rev = rev + 1`
      const refused = yield* Effect.flip(DatabaseCopy.copy({ source, target }))
      expect(refused).toMatchObject({ reason: "source-changed" })
    })
  )

  it.effect("stops when another copy to the same target comes in between, and doubles nothing", () =>
    Effect.gen(function* () {
      const { source, target } = yield* filled
      yield* notifications(source, 200, 4)
      // The second begins when the first is in the middle of a table, on the same progress.
      let inside = false
      const second = DatabaseCopy.copy({ source, target, pageRows: 40 })
      const first = DatabaseCopy.copy({
        source,
        target,
        pageRows: 20,
        onProgress: ({ rows, table }) =>
          table !== "notifications" || rows < 60 || inside
            ? Effect.void
            : Effect.sync(() => (inside = true)).pipe(
                Effect.andThen(Effect.provideService(refuseUnfinished, SqlClient, target).pipe(Effect.flip)),
                Effect.tap((error) => Effect.sync(() => expect(error._tag).toBe("CopyUnfinished"))),
                Effect.andThen(second),
                Effect.orDie
              )
      })
      expect(yield* Effect.flip(first)).toMatchObject({ reason: "interfered" })
      expect(yield* DatabaseCopy.verify({ source, target })).toMatchObject({ same: true })
      yield* Effect.provideService(refuseUnfinished, SqlClient, target)
    })
  )

  it.effect("refuses a source with a table it does not know, or of another version", () =>
    Effect.gen(function* () {
      const { source, target } = yield* ends
      yield* asOwner(source`create table surprise (id int primary key)`)
      const unknown = yield* Effect.flip(DatabaseCopy.copy({ source, target }))
      expect(unknown).toMatchObject({ reason: "table-not-known", message: expect.stringContaining("surprise") })
      yield* asOwner(source`drop table surprise`)
      yield* asOwner(source`insert into beckon_migrations (migration_id, name) values (9999, 'tomorrow')`)
      const newer = yield* Effect.flip(DatabaseCopy.plan({ source, target }))
      expect(newer).toMatchObject({ reason: "source-schema", message: expect.stringContaining("newer version") })
      yield* asOwner(source`delete from beckon_migrations`)
      const older = yield* Effect.flip(DatabaseCopy.copy({ source, target }))
      expect(older).toMatchObject({ reason: "source-schema", message: expect.stringContaining("beckon migrate") })
      expect((yield* readCatalog(target)).tables.size).toBe(0)
    })
  )

  it.effect("refuses a target whose tables have other columns", () =>
    Effect.gen(function* () {
      const source = yield* Shared
      const { sql } = yield* target
      yield* DatabaseCopy.copy({ source, target: sql })
      yield* asOwner(sql`alter table users alter column name type varchar(300)`)
      const refused = yield* Effect.flip(DatabaseCopy.copy({ source, target: sql, replace: true }))
      expect(refused).toMatchObject({ reason: "target-schema", message: expect.stringContaining("users") })
      expect(yield* countOf(sql, "users")).toBe(2)
    })
  )
})
