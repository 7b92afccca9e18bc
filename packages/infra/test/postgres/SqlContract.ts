import { PgClient } from "@effect/sql-pg/PgClient"
import { expect, layer } from "@effect/vitest"
import { Array as Arr, Data, Deferred, Effect, Exit, Fiber, Queue, Stream } from "effect"
import type { Layer } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { DatabaseInfo } from "../../src/postgres/DatabaseInfo.ts"
import type { DatabaseServices } from "../../src/postgres/DatabaseClient.ts"
import { runMigrations } from "../../src/postgres/SqlMigrations.ts"

class Refused extends Data.TaggedError("Refused")<{}> {}

const reasonOf = <A>(effect: Effect.Effect<A, SqlError>) => Effect.map(Effect.flip(effect), (error) => error.reason)

/** An empty table of its own for each test, since the database is shared by the suite. */
let tables = 0
const makeTable = Effect.fnUntraced(function* (columns: string) {
  const sql = yield* PgClient
  const name = `contract_${++tables}`
  yield* sql.unsafe(`CREATE TABLE ${name} (${columns})`)
  return name
})

const countRows = Effect.fnUntraced(function* (table: string) {
  const sql = yield* PgClient
  const rows = yield* sql<{ count: number }>`SELECT count(*)::int AS count FROM ${sql(table)}`
  return rows[0]?.count
})

/** What Beckon's SQL relies on, the same for the embedded database and for a server. */
export const sqlContract = <E>(name: string, database: Layer.Layer<DatabaseServices, E>) => {
  layer(database, { timeout: 60_000 })(name, (it) => {
    it.effect("a transaction keeps its rows once it has committed", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const table = yield* makeTable("id int PRIMARY KEY")
        yield* sql.withTransaction(sql`INSERT INTO ${sql(table)} VALUES (1), (2)`)
        expect(yield* countRows(table)).toBe(2)
      })
    )

    it.effect("a transaction that fails leaves nothing behind", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const table = yield* makeTable("id int PRIMARY KEY")
        const exit = yield* Effect.exit(
          sql.withTransaction(Effect.andThen(sql`INSERT INTO ${sql(table)} VALUES (1)`, Effect.fail(new Refused())))
        )
        expect(Exit.isFailure(exit)).toBe(true)
        expect(yield* countRows(table)).toBe(0)
      })
    )

    it.effect("an interrupted transaction is rolled back", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const table = yield* makeTable("id int PRIMARY KEY")
        const inserted = yield* Deferred.make<void>()
        const fiber = yield* sql
          .withTransaction(
            sql`INSERT INTO ${sql(table)} VALUES (1)`.pipe(
              Effect.andThen(Deferred.succeed(inserted, undefined)),
              Effect.andThen(Effect.never)
            )
          )
          .pipe(Effect.forkChild)
        yield* Deferred.await(inserted)
        yield* Fiber.interrupt(fiber)
        expect(yield* countRows(table)).toBe(0)
      })
    )

    it.effect("a nested transaction that fails is undone alone", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const table = yield* makeTable("id int PRIMARY KEY")
        yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`INSERT INTO ${sql(table)} VALUES (1)`
            yield* Effect.exit(
              sql.withTransaction(Effect.andThen(sql`INSERT INTO ${sql(table)} VALUES (2)`, Effect.fail(new Refused())))
            )
            yield* sql.withTransaction(sql`INSERT INTO ${sql(table)} VALUES (3)`)
          })
        )
        const rows = yield* sql<{ id: number }>`SELECT id FROM ${sql(table)} ORDER BY id`
        expect(rows.map((row) => row.id)).toEqual([1, 3])
      })
    )

    it.effect("an error caught inside a transaction makes its commit fail", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const table = yield* makeTable("id int PRIMARY KEY")
        const exit = yield* Effect.exit(
          sql.withTransaction(
            Effect.gen(function* () {
              yield* sql`INSERT INTO ${sql(table)} VALUES (1)`
              yield* Effect.ignore(sql`SELECT 1 / 0`)
            })
          )
        )
        expect(Exit.isFailure(exit)).toBe(true)
        expect(yield* countRows(table)).toBe(0)
        expect(yield* sql`SELECT 1 AS one`).toEqual([{ one: 1 }])
      })
    )

    it.effect("a duplicate key is a UniqueViolation with the name of the constraint", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const table = yield* makeTable("id int, CONSTRAINT only_once UNIQUE (id)")
        yield* sql`INSERT INTO ${sql(table)} VALUES (1)`
        const reason = yield* reasonOf(sql`INSERT INTO ${sql(table)} VALUES (1)`)
        expect(reason).toMatchObject({ _tag: "UniqueViolation", constraint: "only_once" })
      })
    )

    it.effect("a broken check is a ConstraintError, and bad SQL a SqlSyntaxError", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const table = yield* makeTable("id int CHECK (id > 0)")
        expect((yield* reasonOf(sql`INSERT INTO ${sql(table)} VALUES (0)`))._tag).toBe("ConstraintError")
        expect((yield* reasonOf(sql`SELEKT 1`))._tag).toBe("SqlSyntaxError")
        expect((yield* reasonOf(sql`SELECT * FROM missing_table`))._tag).toBe("SqlSyntaxError")
      })
    )

    it.effect("concurrent fibers increment without losing one", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const table = yield* makeTable("id int PRIMARY KEY, value int NOT NULL")
        yield* sql`INSERT INTO ${sql(table)} VALUES (1, 0)`
        const increment = sql.withTransaction(
          Effect.gen(function* () {
            const rows = yield* sql<{ value: number }>`SELECT value FROM ${sql(table)} WHERE id = 1 FOR UPDATE`
            yield* Effect.yieldNow
            yield* sql`UPDATE ${sql(table)} SET value = ${(rows[0]?.value ?? 0) + 1} WHERE id = 1`
          })
        )
        yield* Effect.all(
          Array.from({ length: 50 }, () => increment),
          { concurrency: "unbounded" }
        )
        expect(yield* sql`SELECT value FROM ${sql(table)}`).toEqual([{ value: 50 }])
      })
    )

    it.effect("100 concurrent queries each get their own answer", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const answers = yield* Effect.forEach(
          Array.from({ length: 100 }, (_, index) => index),
          (index) => Effect.map(sql<{ value: number }>`SELECT ${index}::int AS value`, (rows) => rows[0]?.value),
          { concurrency: "unbounded" }
        )
        expect(answers).toEqual(Array.from({ length: 100 }, (_, index) => index))
      })
    )

    it.effect("values keep their JavaScript types", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const table = yield* makeTable(
          "big bigint, at timestamptz, doc jsonb, bytes bytea, tags text[], amount numeric, flag boolean, key uuid, real_ float8"
        )
        const at = new Date("2026-03-04T05:06:07.089Z")
        const doc = { a: [1, "zwei", null], b: { c: true }, text: 'it\'s "quoted" ✓' }
        const key = "6f1c3c0e-52c4-4a63-9d53-0f5f4b7d1a11"
        yield* sql`INSERT INTO ${sql(table)} VALUES (
          ${9007199254740993n}, ${at}, ${sql.json(doc)}, ${new Uint8Array([0, 1, 254, 255])}, ${["a", "b,c"]},
          ${"12.50"}, ${true}, ${key}, ${1.5})`
        const rows = yield* sql`SELECT *, count(*) OVER () AS total, length(bytes) AS size FROM ${sql(table)}`
        expect(rows).toEqual([
          {
            big: 9007199254740993n,
            at,
            doc,
            bytes: expect.any(Uint8Array),
            tags: ["a", "b,c"],
            amount: "12.50",
            flag: true,
            key,
            real_: 1.5,
            total: 1n,
            size: 4
          }
        ])
        expect(Array.from(rows[0]?.["bytes"] as Uint8Array)).toEqual([0, 1, 254, 255])
      })
    )

    it.effect("null stays null in every type", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const table = yield* makeTable("big bigint, at timestamptz, doc jsonb, bytes bytea, tags text[]")
        yield* sql`INSERT INTO ${sql(table)} VALUES (${null}, ${null}, ${null}, ${null}, ${null})`
        expect(yield* sql`SELECT * FROM ${sql(table)}`).toEqual([
          { big: null, at: null, doc: null, bytes: null, tags: null }
        ])
      })
    )

    it.effect("= ANY finds the rows of an array, and none for an empty one", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const table = yield* makeTable("id bigint PRIMARY KEY, name text")
        yield* sql`INSERT INTO ${sql(table)} SELECT g, 'n' || g FROM generate_series(1, 10) g`
        const find = (names: ReadonlyArray<string>) =>
          sql<{ id: bigint }>`SELECT id FROM ${sql(table)} WHERE name = ANY(${names}) ORDER BY id`
        expect(yield* find(["n2", "n7", "none"])).toEqual([{ id: 2n }, { id: 7n }])
        expect(yield* find([])).toEqual([])
        expect(yield* sql`SELECT id FROM ${sql(table)} WHERE id = ANY(${[3, 4]}::bigint[])`).toHaveLength(2)
      })
    )

    it.effect("500 rows go in with one statement, by values and by arrays", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const table = yield* makeTable("id int PRIMARY KEY, body text, doc jsonb")
        const rows = Arr.makeBy(500, (id) => ({ id, body: `body ${id}`, doc: JSON.stringify({ id }) }))
        yield* sql`INSERT INTO ${sql(table)} ${sql.insert(rows)}`
        expect(yield* countRows(table)).toBe(500)
        yield* sql`INSERT INTO ${sql(table)} (id, body, doc) SELECT * FROM unnest(
          ${rows.map((row) => row.id + 500)}::int[], ${rows.map((row) => row.body)}::text[],
          ${rows.map((row) => row.doc)}::jsonb[])`
        expect(yield* countRows(table)).toBe(1000)
        expect(yield* sql`SELECT body, doc FROM ${sql(table)} WHERE id IN (7, 507) ORDER BY id`).toEqual([
          { body: "body 7", doc: { id: 7 } },
          { body: "body 7", doc: { id: 7 } }
        ])
      })
    )

    it.effect("a stream yields every row, and can be left early", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const statement = sql<{ n: number }>`SELECT n FROM generate_series(1, 20000) n`
        const sum = yield* statement.stream.pipe(
          Stream.runFold(
            () => 0,
            (total, row) => total + row.n
          )
        )
        expect(sum).toBe(200_010_000)
        const first = yield* statement.stream.pipe(Stream.take(3), Stream.runCollect)
        expect(Array.from(first).map((row) => row.n)).toEqual([1, 2, 3])
        expect(yield* sql`SELECT 1 AS one`).toEqual([{ one: 1 }])
      })
    )

    it.effect("a value of 1 MB comes back whole", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const table = yield* makeTable("body text, bytes bytea")
        const body = "ä€".repeat(200_000)
        const bytes = new Uint8Array(1_000_000).map((_, index) => index % 251)
        yield* sql`INSERT INTO ${sql(table)} VALUES (${body}, ${bytes})`
        const rows = yield* sql<{ body: string; bytes: Uint8Array }>`SELECT * FROM ${sql(table)}`
        expect(rows[0]?.body === body).toBe(true)
        expect(Buffer.from(rows[0]?.bytes ?? []).equals(Buffer.from(bytes))).toBe(true)
      })
    )

    it.effect("a statement whose table changed is prepared again", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const table = yield* makeTable("id int")
        yield* sql`INSERT INTO ${sql(table)} VALUES (1)`
        const select = sql`SELECT * FROM ${sql(table)}`
        expect(yield* select).toEqual([{ id: 1 }])
        yield* sql`ALTER TABLE ${sql(table)} ADD COLUMN name text DEFAULT 'x'`
        expect(yield* select).toEqual([{ id: 1, name: "x" }])
      })
    )

    it.effect("a notification reaches each listener, also after another one has left", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const staying = yield* sql.listen("Contract channel")
        yield* Effect.scoped(
          Effect.gen(function* () {
            const leaving = yield* sql.listen("Contract channel")
            yield* sql.notify("Contract channel", "one")
            expect((yield* Queue.take(leaving)).payload).toBe("one")
            expect((yield* Queue.take(staying)).payload).toBe("one")
          })
        )
        yield* sql.notify("Contract channel", "two")
        expect((yield* Queue.take(staying)).payload).toBe("two")
      }).pipe(Effect.scoped)
    )

    it.effect("a notification is sent when its transaction commits, not when it rolls back", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const queue = yield* sql.listen("commits")
        yield* Effect.exit(
          sql.withTransaction(Effect.andThen(sql`SELECT pg_notify('commits', 'lost')`, Effect.fail(new Refused())))
        )
        yield* sql.withTransaction(sql`SELECT pg_notify('commits', 'kept')`)
        expect((yield* Queue.take(queue)).payload).toBe("kept")
      }).pipe(Effect.scoped)
    )

    it.effect("row-level security hides the rows of other tenants from a role that does not own the table", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const table = yield* makeTable("tenant text, id int")
        yield* sql`INSERT INTO ${sql(table)} VALUES ('a', 1), ('b', 2)`
        yield* sql.unsafe(`CREATE ROLE ${table}_app; `)
        yield* sql.unsafe(`GRANT SELECT ON ${table} TO ${table}_app`)
        yield* sql.unsafe(`ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`)
        yield* sql.unsafe(`CREATE POLICY tenants ON ${table} USING (tenant = current_setting('beckon.tenant', true))`)
        const visible = yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* sql.unsafe(`SET LOCAL ROLE ${table}_app`)
            yield* sql`SELECT set_config('beckon.tenant', 'b', true)`
            return yield* sql<{ id: number }>`SELECT id FROM ${sql(table)}`
          })
        )
        expect(visible).toEqual([{ id: 2 }])
        expect(yield* countRows(table)).toBe(2)
      })
    )

    it.effect("migrations run once, in order, and together", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const first = {
          "0002_rows": Effect.asVoid(sql`INSERT INTO migrated VALUES (1)`),
          "0001_table": Effect.asVoid(sql`CREATE TABLE migrated (id int)`)
        }
        expect(yield* runMigrations(first)).toEqual([
          { id: 1, name: "table" },
          { id: 2, name: "rows" }
        ])
        expect(yield* runMigrations(first)).toEqual([])
        const broken = {
          ...first,
          "0003_more": Effect.asVoid(sql`INSERT INTO migrated VALUES (2)`),
          "0004_broken": Effect.asVoid(sql`INSERT INTO missing VALUES (2)`)
        }
        const error = yield* Effect.flip(runMigrations(broken))
        expect(error).toMatchObject({ _tag: "MigrationError", kind: "Failed" })
        expect(yield* countRows("migrated")).toBe(1)
        expect(yield* Effect.flip(runMigrations({ first: Effect.void }))).toMatchObject({ kind: "BadState" })
      })
    )

    it.effect("health knows the connections in use, the latency and the tables", () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const info = yield* DatabaseInfo
        const before = yield* info.tableCount
        yield* makeTable("id int")
        expect(yield* info.tableCount).toBe(before + 1)
        expect(yield* info.connectionsInUse).toBe(0)
        expect(yield* sql.withTransaction(info.connectionsInUse)).toBe(1)
        expect(yield* info.connectionsInUse).toBe(0)
        expect(yield* info.latencyMs).toBeGreaterThanOrEqual(0)
        expect(info.poolSize).toBeGreaterThan(1)
      })
    )
  })
}
