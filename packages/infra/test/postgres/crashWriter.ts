/**
 * Inserts rows into an embedded database and prints each id once its commit is acknowledged, until it is killed.
 * Run by `PgliteDatabase.test.ts`; arguments: data directory, first id.
 */
import { PgClient } from "@effect/sql-pg/PgClient"
import { Effect } from "effect"
import * as Fs from "node:fs"
import { layerEmbedded } from "../../src/postgres/DatabaseClient.ts"

const [, , dataDir = "", first = "1"] = process.argv

/** Written before the process can die, unlike a stream's buffer. */
const print = (line: string) => Effect.sync(() => Fs.writeSync(1, `${line}\n`))

const write = Effect.gen(function* () {
  const sql = yield* PgClient
  yield* sql`CREATE TABLE IF NOT EXISTS written (id int PRIMARY KEY, body text NOT NULL)`
  yield* print("ready")
  let id = Number(first)
  const body = "x".repeat(500)
  for (;;) {
    const begin = id
    // Pairs in one transaction: the survivor must have both or none.
    yield* sql.withTransaction(
      Effect.andThen(
        sql`INSERT INTO written VALUES (${id++}, ${body})`,
        sql`INSERT INTO written VALUES (${id++}, ${body})`
      )
    )
    yield* print(`${begin}`)
  }
})

void Effect.runPromise(write.pipe(Effect.provide(layerEmbedded({ dataDir, onProgress: (step) => print(step) })))).catch(
  (error: unknown) => {
    Fs.writeSync(1, `failed ${String(error)}\n`)
    process.exit(1)
  }
)
