import { NodeHttpClient } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Redacted } from "effect"
import { HttpClientRequest } from "effect/http"
import * as ProviderHttp from "../../src/http/ProviderHttp.ts"
import { failed } from "../../src/http/ProviderFailure.ts"
import * as Loopback from "./LoopbackHttp.ts"

const secret = Redacted.make("hunter2-hunter2")

const taken: ProviderHttp.Interpret = ({ status, text }) =>
  status < 300 ? { _tag: "Sent", providerMessageId: text } : failed("permanent", `http_${status}`, text)

const started = Effect.fnUntraced(function* (timeout: Duration.Input = "5 seconds") {
  const server = yield* Loopback.start
  const send = yield* ProviderHttp.make({ timeout, secrets: [secret] })
  const post = HttpClientRequest.post(server.url).pipe(HttpClientRequest.bodyJsonUnsafe({ a: 1 }))
  return { server, post, send: (interpret = taken) => send(post, interpret) }
})

describe("ProviderHttp", () => {
  it.live.each([
    ["hangs", Loopback.hang],
    ["drips", Loopback.drip],
    ["stops in the middle of its answer", Loopback.stuck]
  ] as const)("a server that %s costs one time limit, and its connection is closed", ([, reply]) =>
    Effect.gen(function* () {
      const { send, server } = yield* started("300 millis")
      server.prepare(reply)
      const [spent, outcome] = yield* Effect.timed(send())
      expect(outcome).toMatchObject({ _tag: "Failed", class: "transient", code: "timeout" })
      expect(Duration.toMillis(spent)).toBeLessThan(2_000)
      yield* server.quiet
      expect(server.seen).toHaveLength(1)
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.live("an interrupted try closes its connection", () =>
    Effect.gen(function* () {
      const { send, server } = yield* started("1 minute")
      server.prepare(Loopback.drip)
      const fiber = yield* Effect.forkChild(send())
      yield* Effect.yieldNow.pipe(Effect.repeat({ until: () => server.seen.length === 1 }))
      yield* Fiber.interrupt(fiber)
      yield* server.quiet
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.live.each([
    ["a reset", Loopback.reset, "connection"],
    ["half an answer", Loopback.half, "connection"],
    ["an answer without an end", Loopback.flood, "bad_answer"]
  ] as const)("%s is transient, asked once, and its connection is closed", ([, reply, code]) =>
    Effect.gen(function* () {
      const { send, server } = yield* started()
      server.prepare(reply)
      expect(yield* send()).toMatchObject({ _tag: "Failed", class: "transient", code })
      yield* server.quiet
      expect(server.seen).toHaveLength(1)
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.live("nobody listens: transient", () =>
    Effect.gen(function* () {
      const send = yield* ProviderHttp.make({ secrets: [] })
      const outcome = yield* send(HttpClientRequest.post("http://127.0.0.1:1/"), taken)
      expect(outcome).toMatchObject({
        class: "transient",
        code: "connection",
        detail: expect.stringContaining("ECONNREFUSED")
      })
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.live("a redirect is an answer, and is not followed", () =>
    Effect.gen(function* () {
      const { send, server } = yield* started()
      server.prepare(Loopback.text(307, "elsewhere", { location: `${server.url}/elsewhere` }))
      expect(yield* send()).toMatchObject({ code: "http_307" })
      expect(server.seen.map(({ path }) => path)).toEqual(["/"])
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.live("a secret that the server quotes is struck out, and our tracing stays with us", () =>
    Effect.gen(function* () {
      const { send, server } = yield* started()
      server.prepare(Loopback.text(400, `bad key ${Redacted.value(secret)}!`))
      expect(yield* Effect.withSpan(send(), "outer")).toMatchObject({ detail: "bad key …!" })
      expect(Object.keys(server.seen[0]?.headers ?? {})).not.toContain("traceparent")
      expect(Object.keys(server.seen[0]?.headers ?? {})).not.toContain("b3")
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )

  it.live("connections are used again", () =>
    Effect.gen(function* () {
      const { send, server } = yield* started()
      for (const name of "abcdefghij") {
        server.prepare(Loopback.text(200, name))
        expect(yield* send()).toMatchObject({ providerMessageId: name })
      }
      // A request at the very end of another one does not wait for its connection.
      expect(server.opened()).toBeLessThanOrEqual(2)
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )
})
