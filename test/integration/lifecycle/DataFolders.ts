/**
 * Data folders for tests that start the program: making a database takes seconds, copying one does not.
 */
import { Context, Effect, Layer } from "effect"
import type { Scope } from "effect"
import { cpSync } from "node:fs"
import path from "node:path"
import * as BeckonProcess from "../../support/BeckonProcess.ts"

export class DataFolders extends Context.Service<
  DataFolders,
  {
    /** A folder of its own that a server has used and left in order. */
    readonly used: Effect.Effect<string, never, Scope.Scope>
    /** An empty one. */
    readonly empty: Effect.Effect<string, never, Scope.Scope>
  }
>()("@beckon/test/integration/lifecycle/DataFolders") {
  static readonly layer = Layer.effect(
    DataFolders,
    Effect.gen(function* () {
      const empty = Effect.map(BeckonProcess.temporaryFolder, (folder) => path.join(folder, "data"))
      const model = yield* empty
      yield* Effect.scoped(
        Effect.gen(function* () {
          const server = yield* BeckonProcess.start({ dataDir: model })
          yield* server.kill("SIGTERM")
          yield* server.exit
        })
      )
      const used = Effect.tap(empty, (folder) => Effect.sync(() => cpSync(model, folder, { recursive: true })))
      return { used, empty }
    })
  )
}
