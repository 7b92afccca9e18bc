/**
 * The guide to a PostgreSQL server, from a folder that a server has used; and no guide is left out.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import path from "node:path"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { target } from "../migrate/Ends.ts"
import * as Session from "./Session.ts"

it("every guide is followed", () => {
  assert.sameMembers(Object.values(Session.guides).flat(), [...Session.written()])
})

for (const name of Session.guides.moving) {
  it.live(
    `what ${name} tells to type works`,
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const dataDir = path.join(yield* BeckonProcess.temporaryFolder, "data")
          const port = yield* BeckonProcess.freePort
          const server = yield* BeckonProcess.start({ dataDir, port })
          const env = { BECKON_DATA_DIR: dataDir, PORT: String(port) }
          const sent = yield* BeckonProcess.run({
            args: ["send", "alice", "--title", "Hello", "--message", "It works"],
            env
          })
          assert.strictEqual(sent.code, 0, sent.stderr)
          yield* server.kill("SIGTERM")
          yield* server.exit
          const { url } = yield* target
          yield* Session.type(name, { dataDir, port, env: { DATABASE_URL: url } })
        })
      ),
    360_000
  )
}
