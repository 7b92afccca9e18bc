import { expect, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { DataFolders } from "./DataFolders.ts"

const decodeJson = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Unknown))

const server = Effect.gen(function* () {
  const { used } = yield* DataFolders
  return yield* BeckonProcess.start({ dataDir: yield* used })
})

const at = ({ dataDir, url }: BeckonProcess.BeckonProcess) => ["--url", url, "--data-dir", dataDir]

const send = (to: BeckonProcess.BeckonProcess, title: string, ...more: ReadonlyArray<string>) =>
  BeckonProcess.run({ args: ["send", "alice", "--title", title, "--message", "text", ...more, ...at(to)] })

layer(DataFolders.layer, { excludeTestServices: true, timeout: "60 seconds" })("the commands", (it) => {
  it.effect("send, and list what was sent", () =>
    Effect.gen(function* () {
      const running = yield* server
      const sent = yield* send(running, "Hello", "--data", '{"a":1}', "--dedupe-key", "k", "--json")
      expect(sent).toMatchObject({ code: 0, stderr: "" })
      expect(decodeJson(sent.stdout)).toMatchObject({ user_id: "alice", seq: 1, duplicate: false })
      const again = yield* send(running, "Hello", "--dedupe-key", "k")
      expect(again.stdout).toMatch(/^Was sent before as number 1 of alice: /)
      const table = yield* BeckonProcess.run({ args: ["inbox", "alice", ...at(running)] })
      expect(table.stdout.split("\n")).toEqual([
        expect.stringMatching(/^SEQ +CREATED +STATE +TYPE +TITLE +MESSAGE$/),
        expect.stringMatching(/^1 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ +unread +message +Hello +text$/),
        "1 shown, 1 unread"
      ])
      const json = yield* BeckonProcess.run({
        args: ["inbox", "alice", "--status", "unread", "--json", ...at(running)]
      })
      expect(decodeJson(json.stdout)).toMatchObject({ data: [{ title: "Hello", data: { a: 1 } }], meta: { unread: 1 } })
    })
  )

  it.effect("follow live, over a restart of the server, until Ctrl-C", () =>
    Effect.gen(function* () {
      const { used } = yield* DataFolders
      const port = yield* BeckonProcess.freePort
      const first = yield* BeckonProcess.start({ dataDir: yield* used, port })
      const tail = yield* BeckonProcess.spawn({ args: ["tail", "alice", "--json", ...at(first)] })
      yield* tail.line("stderr", /^Following at /)
      yield* send(first, "one")
      yield* tail.line("stdout", /"title":"one"/)
      yield* first.kill("SIGINT")
      yield* tail.line("stderr", /^Not connected to .*: server is going away$/)
      yield* first.exit
      const second = yield* BeckonProcess.start({ dataDir: first.dataDir, port })
      yield* send(second, "two")
      yield* tail.line("stdout", /"title":"two"/)
      yield* tail.kill("SIGINT")
      expect(yield* tail.exit).toEqual({ code: 0, signal: null })
      expect(tail.stdout.map((line) => decodeJson(line))).toMatchObject([
        { title: "one", seq: 1 },
        { title: "two", seq: 2 }
      ])
      const json = yield* BeckonProcess.run({ args: ["inbox", "alice", "--status", "unread", "--json", ...at(second)] })
      expect(decodeJson(json.stdout)).toMatchObject({ meta: { unread: 2 } })
    })
  )

  it.effect("tell in one line that no server answers", () =>
    Effect.gen(function* () {
      const { empty } = yield* DataFolders
      const stopped = yield* server
      yield* stopped.kill("SIGTERM")
      yield* stopped.exit
      const { code, stderr } = yield* BeckonProcess.run({
        args: ["inbox", "alice", "--url", stopped.url, "--data-dir", yield* empty]
      })
      expect(code).toBe(1)
      expect(stderr).toMatch(
        /^No server answers at http:\/\/127\.0\.0\.1:\d+ \(.*ECONNREFUSED.*\): start one with: .*$/
      )
    })
  )

  it.effect("tell what a problem document says, and where a token may come from", () =>
    Effect.gen(function* () {
      const running = yield* server
      const { empty } = yield* DataFolders
      const foreign = yield* empty
      const refused = yield* BeckonProcess.run({
        args: ["inbox", "alice", "--url", running.url, "--data-dir", foreign]
      })
      expect(refused.code).toBe(1)
      expect(refused.stderr).toBe(
        "The token is missing, malformed or expired: token: the signature is not ours. Is --data-dir the server's? Otherwise give --token"
      )
      const token = yield* running.token({ sub: "alice" })
      const forbidden = yield* send(running, "Hello", "--token", token)
      expect(forbidden.code).toBe(1)
      expect(forbidden.stderr).toMatch(/^The token does not allow this: [^\n]+$/)
      const tail = yield* BeckonProcess.run({ args: ["tail", "alice", "--token", "none", ...at(running)] })
      expect(tail.code).toBe(1)
      expect(tail.stderr.split("\n").at(-1)).toMatch(/^The server ended it: /)
    })
  )

  it.effect("migrate an empty database once, and none that is in use", () =>
    Effect.gen(function* () {
      const { empty, used } = yield* DataFolders
      const dataDir = yield* empty
      const migrate = BeckonProcess.run({ args: ["migrate", "--data-dir", dataDir] })
      const first = yield* migrate
      expect(first).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Applied 1 initial/) })
      const second = yield* migrate
      expect(second).toMatchObject({ code: 0, stdout: "Nothing to do: the database has this version's schema" })
      const running = yield* BeckonProcess.start({ dataDir: yield* used })
      const refused = yield* BeckonProcess.run({ args: ["migrate", "--data-dir", running.dataDir] })
      expect(refused).toMatchObject({
        code: 1,
        stderr: `Data directory ${running.dataDir} is in use by process ${running.pid}`
      })
    })
  )
})
