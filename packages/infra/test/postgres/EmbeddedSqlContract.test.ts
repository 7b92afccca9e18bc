import { Effect, Layer } from "effect"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { layerEmbedded } from "../../src/postgres/DatabaseClient.ts"
import { sqlContract } from "./SqlContract.ts"

sqlContract("SQL on PGlite in memory", layerEmbedded({ dataDir: "memory" }))

const onDisk = Layer.unwrap(
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "beckon-contract-"))),
      (directory) => Effect.sync(() => Fs.rmSync(directory, { recursive: true, force: true }))
    ),
    (directory) => layerEmbedded({ dataDir: Path.join(directory, "db") })
  )
)

sqlContract("SQL on PGlite on disk", onDisk)
