/**
 * The last step of `pnpm build`: the demo page's files, into the server package's `dist/web`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, FileSystem, Path } from "effect"
import * as PageFiles from "../packages/server/src/api/PageFiles.ts"

const program = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  const folder = paths.resolve(import.meta.dirname, "../packages/server/dist/web")
  yield* fs.makeDirectory(folder, { recursive: true })
  for (const [name, bytes] of Object.entries(yield* PageFiles.build)) {
    yield* fs.writeFile(paths.join(folder, name), bytes)
    yield* Console.log(`dist/web/${name} ${bytes.length} bytes`)
  }
})

NodeRuntime.runMain(Effect.provide(program, NodeServices.layer))
