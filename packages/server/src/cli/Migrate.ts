/**
 * `beckon migrate`: brings the configured database to this version's schema; `serve` does the same at its start.
 */
import { Console, Effect, Layer } from "effect"
import { Command } from "effect/cli"
import * as Storage from "../layers/Storage.ts"
import * as MigrateCopy from "./MigrateCopy.ts"
import * as Settings from "./Settings.ts"
import { interruptible } from "./Signals.ts"

export const command = Command.make(
  "migrate",
  { dataDir: Settings.dataDirFlag, json: Settings.jsonFlag },
  ({ dataDir, json }) =>
    Effect.gen(function* () {
      const applied = yield* Storage.migrate
      if (json) return yield* Console.log(JSON.stringify({ applied }))
      yield* Console.log(
        applied.length === 0
          ? "Nothing to do: the database has this version's schema"
          : applied.map(({ id, name }) => `Applied ${id} ${name}`).join("\n")
      )
    }).pipe(Effect.provide(Layer.provideMerge(Storage.layerDatabase, Settings.layer({ dataDir }))), interruptible)
).pipe(
  Command.withDescription(
    "Apply the migrations that the database has not seen, all or none: DATABASE_URL, or the embedded one while no server runs on it. Exit codes: 0 up to date, 1 failed, 2 invalid flags or settings."
  ),
  Command.withShortDescription("Bring the database to this version's schema"),
  Command.withExamples([
    { command: "DATABASE_URL=postgres://… beckon migrate", description: "Before a new version is rolled out" }
  ]),
  Command.withSubcommands([MigrateCopy.command])
)
