/**
 * `beckon keyring`: which keys secrets are kept under, and how to be rid of one.
 */
import { Console, Duration, Effect, Layer } from "effect"
import { Command, Flag } from "effect/cli"
import { KeyRing } from "@beckon/infra/security/KeyRing"
import * as SqlResealing from "@beckon/infra/postgres/SqlResealing"
import type { ResealedTable } from "@beckon/infra/postgres/SqlResealing"
import * as Secrets from "../layers/Secrets.ts"
import * as Storage from "../layers/Storage.ts"
import { failed } from "./FailureLine.ts"
import * as Settings from "./Settings.ts"
import { interruptible } from "./Signals.ts"

const batchFlag = Flag.Int("batch").pipe(
  Flag.withDescription("Rows of one transaction, 1 to 10000; default 200"),
  Flag.withDefault(200),
  Flag.filter(
    (rows) => rows >= 1 && rows <= 10_000,
    () => "--batch must be from 1 to 10000"
  )
)

const pauseFlag = Flag.Int("pause").pipe(
  Flag.withDescription("Milliseconds between two of them; default 0"),
  Flag.withDefault(0),
  Flag.filter(
    (pause) => pause >= 0 && pause <= 60_000,
    () => "--pause must be from 0 to 60000"
  )
)

const services = (dataDir: Settings.Overrides["dataDir"]) =>
  Layer.provideMerge(
    Layer.merge(Storage.layerDatabase, Secrets.layerCipher),
    Settings.layer(dataDir === undefined ? {} : { dataDir })
  )

const stuckLine = (tables: ReadonlyArray<ResealedTable>): string | undefined => {
  const ids = new Map<string, number>()
  for (const { stuck } of tables) for (const [id, rows] of stuck) ids.set(id, (ids.get(id) ?? 0) + rows)
  if (ids.size === 0) return undefined
  const named = [...ids].map(([id, rows]) => `${id} (${rows} rows)`).join(", ")
  return `Not opened: what is kept under ${named}. A key that is missing goes back into BECKON_KEYS; nothing was lost.`
}

const rotate = Command.make(
  "rotate",
  { batch: batchFlag, dataDir: Settings.dataDirFlag, json: Settings.jsonFlag, pause: pauseFlag },
  ({ batch, dataDir, json, pause }) =>
    Effect.gen(function* () {
      const { sealing } = yield* KeyRing
      const tables = yield* SqlResealing.reseal({
        batch,
        onBatch: (table, resealed) =>
          Effect.andThen(Console.error(`${table}: ${resealed} sealed anew …`), Effect.sleep(Duration.millis(pause)))
      })
      const resealed = tables.reduce((sum, table) => sum + table.resealed, 0)
      const stuck = stuckLine(tables)
      if (json) {
        const shown = tables.map((one) => ({ ...one, stuck: Object.fromEntries(one.stuck) }))
        yield* Console.log(JSON.stringify({ key_id: sealing, resealed, tables: shown }))
      } else {
        yield* Console.log(`${resealed} secrets were sealed anew under ${sealing}`)
      }
      if (stuck !== undefined) return yield* failed(stuck)
      if (!json) yield* Console.log("Nothing is kept under another key: those after the first can be dropped")
    }).pipe(Effect.provide(services(dataDir)), interruptible)
).pipe(
  Command.withDescription(
    "Seal anew, under the first key of BECKON_KEYS, whatever is kept under another one. It runs beside the servers, which must have the first key already; started again it goes on. A server with the embedded database does the same by itself after its start. Exit codes: 0 nothing is left, 1 something is or it failed, 2 invalid flags or settings."
  ),
  Command.withShortDescription("Seal secrets anew under the first key"),
  Command.withExamples([
    { command: "BECKON_KEYS=new:…,old:… beckon keyring rotate", description: "Then old can be dropped" }
  ])
)

const list = Command.make("list", { dataDir: Settings.dataDirFlag, json: Settings.jsonFlag }, ({ dataDir, json }) =>
  Effect.gen(function* () {
    const { ids, sealing } = yield* KeyRing
    const found = yield* SqlResealing.counts
    const rows = found.map((one) => ({ ...one, opens: ids.includes(one.keyId), seals: one.keyId === sealing }))
    if (json) return yield* Console.log(JSON.stringify(rows))
    const word = (row: (typeof rows)[number]) => (row.seals ? "seals" : row.opens ? "opens" : "MISSING")
    yield* Console.log(rows.map((row) => `${row.keyId}  ${word(row)}  ${row.rows} rows of ${row.table}`).join("\n"))
  }).pipe(Effect.provide(services(dataDir)), interruptible)
).pipe(
  Command.withDescription(
    "Which keys secrets are kept under, and whether BECKON_KEYS has them. Reads every row that is sealed. Exit codes: 0 listed, 1 failed, 2 invalid flags or settings."
  ),
  Command.withShortDescription("Which keys are in use")
)

export const command = Command.make("keyring").pipe(
  Command.withDescription("The keys under which secrets are kept (BECKON_KEYS)."),
  Command.withShortDescription("Keys of secrets at rest"),
  Command.withSubcommands([rotate, list])
)
