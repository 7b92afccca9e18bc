import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Queue, Redacted } from "effect"
import { TestClock } from "effect/testing"
import type { Socket } from "node:net"
import { Webhook } from "standardwebhooks"
import type { SendOutcome } from "@beckon/domain/Delivery"
import type { Outgoing } from "@beckon/domain/ports/ChannelProvider"
import * as WebhookProvider from "../../src/webhook/WebhookProvider.ts"
import { onLoopback, outgoing, rawReceiver, receiver, secretOf } from "./Receiver.ts"

const send = Effect.fnUntraced(function* (one: Outgoing<"webhook">) {
  const provider = yield* WebhookProvider.make
  const [outcome] = yield* provider.send([one])
  return outcome ?? assert.fail("no outcome")
})

/** Class, code, and seconds to wait. */
const brief = (outcome: SendOutcome) =>
  outcome._tag === "Sent"
    ? ["sent", outcome.code]
    : [
        outcome.class,
        outcome.code,
        ...(outcome.retryAfter === undefined ? [] : [Duration.toSeconds(outcome.retryAfter)])
      ]

/** Sends in the background; the clock is the test's. */
const begun = (url: string) => Effect.forkChild(Effect.map(send(outgoing(url)), brief))

const head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"

describe("WebhookProvider", () => {
  it.live("sends what standardwebhooks verifies, with every secret", () =>
    Effect.gen(function* () {
      const server = yield* receiver((response) => response.writeHead(204).end())
      const secrets = [secretOf(1), secretOf(2)]
      const outcome = yield* send(outgoing(server.url, { secrets }, "order 7 · é"))
      assert.deepStrictEqual(outcome, { _tag: "Sent", providerMessageId: null, code: "http_204" })
      const { body, headers, method, path } = yield* server.take
      assert.deepStrictEqual([method, path], ["POST", "/hook"])
      assert.strictEqual(headers["content-type"], "application/json")
      assert.strictEqual(headers["user-agent"], "Beckon-Webhooks/1.0")
      assert.strictEqual(headers["webhook-id"], "msg_1")
      assert.strictEqual(headers["x-correlation-id"], "order%207%20%C2%B7%20%C3%A9")
      assert.match(String(headers["webhook-signature"]), /^v1,[\w+/=]{44} v1,[\w+/=]{44}$/)
      for (const secret of secrets) {
        const verified = new Webhook(Redacted.value(secret)).verify(body, headers as Record<string, string>)
        assert.deepStrictEqual(verified, outgoing(server.url).message.body)
      }
      assert.throws(() => new Webhook(Redacted.value(secretOf(3))).verify(body, headers as Record<string, string>))
      assert.throws(() =>
        new Webhook(Redacted.value(secretOf(1))).verify(`${body} `, headers as Record<string, string>)
      )
    }).pipe(Effect.provide(onLoopback()))
  )

  it.live("knows what each answer means", () =>
    Effect.gen(function* () {
      const inAnHour = new Date(Date.now() + 3_600_000).toUTCString()
      const answers: ReadonlyArray<readonly [number, Record<string, string>, ReadonlyArray<unknown>]> = [
        [200, {}, ["sent", "http_200"]],
        [299, {}, ["sent", "http_299"]],
        [301, { location: "http://169.254.169.254/" }, ["permanent", "http_301"]],
        [304, {}, ["permanent", "http_304"]],
        [308, { location: "/elsewhere" }, ["permanent", "http_308"]],
        [400, {}, ["transient", "http_400"]],
        [401, {}, ["transient", "http_401"]],
        [404, {}, ["transient", "http_404"]],
        [410, {}, ["permanent", "gone"]],
        [429, {}, ["throttled", "http_429"]],
        [429, { "retry-after": "7" }, ["throttled", "http_429", 7]],
        [429, { "retry-after": "soon" }, ["throttled", "http_429"]],
        [500, {}, ["transient", "http_500"]],
        [502, { "retry-after": "9" }, ["transient", "http_502", 9]],
        [503, {}, ["transient", "http_503"]],
        [503, { "retry-after": "120" }, ["throttled", "http_503", 120]]
      ]
      let next = 0
      const server = yield* receiver((response) => {
        const [status, headers] = answers[next] ?? [500, {}]
        response.writeHead(status, headers).end("x")
      })
      for (const [index, [, , expected]] of answers.entries()) {
        next = index
        assert.deepStrictEqual(brief(yield* send(outgoing(server.url))), expected)
      }
      assert.strictEqual(yield* Queue.size(server.received), answers.length)

      const dated = yield* receiver((response) => response.writeHead(503, { "retry-after": inAnHour }).end())
      const [kind, code, seconds] = brief(yield* send(outgoing(dated.url)))
      assert.deepStrictEqual([kind, code], ["throttled", "http_503"])
      assert.isTrue(Number(seconds) > 3_590 && Number(seconds) <= 3_600, String(seconds))
    }).pipe(Effect.provide(onLoopback()))
  )

  it.live("follows no redirect", () =>
    Effect.gen(function* () {
      const inside = yield* receiver((response) => response.writeHead(200).end("secret"))
      const server = yield* receiver((response) => response.writeHead(307, { location: inside.url }).end())
      assert.deepStrictEqual(brief(yield* send(outgoing(server.url))), ["permanent", "http_307"])
      assert.strictEqual(inside.connections(), 0)
    }).pipe(Effect.provide(onLoopback()))
  )

  it.effect("gives up after 15 seconds when no answer comes, and hangs up", () =>
    Effect.gen(function* () {
      const server = yield* rawReceiver(() => undefined)
      const sending = yield* begun(server.url)
      yield* server.asked
      yield* TestClock.adjust("13 seconds")
      assert.isUndefined(sending.pollUnsafe())
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Fiber.join(sending), ["transient", "timeout"])
      yield* server.closed
    }).pipe(Effect.provide(onLoopback()))
  )

  it.effect("gives up after 15 seconds on headers that come drop by drop", () =>
    Effect.gen(function* () {
      const drops = yield* Queue.unbounded<void>()
      const server = yield* rawReceiver((socket) => {
        socket.write("HTTP/1.1 200 OK\r\n")
        const timer = setInterval(() => {
          socket.write("x: y\r\n")
          Queue.offerUnsafe(drops, undefined)
        }, 5)
        socket.on("close", () => clearInterval(timer))
      })
      const sending = yield* begun(server.url)
      for (let seconds = 0; seconds < 14; seconds++) {
        yield* Queue.take(drops)
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(yield* Fiber.join(sending), ["transient", "timeout"])
      yield* server.closed
    }).pipe(Effect.provide(onLoopback()))
  )

  it.live("takes the status for the answer when what follows never ends, and hangs up a second later", () =>
    Effect.gen(function* () {
      const silence = yield* rawReceiver((socket) => socket.write(`${head}content-length: 10\r\n\r\n123`))
      const drops = yield* rawReceiver((socket) => {
        socket.write(`${head}transfer-encoding: chunked\r\n\r\n`)
        const timer = setInterval(() => socket.write("1\r\nx\r\n"), 5)
        socket.on("close", () => clearInterval(timer))
      })
      const half = yield* rawReceiver((socket) => socket.end(`${head}content-length: 10\r\n\r\n123`))
      const servers = [silence, drops, half]
      const outcomes = yield* Effect.forEach(servers, ({ url }) => send(outgoing(url)), { concurrency: "unbounded" })
      assert.deepStrictEqual(
        outcomes.map(brief),
        servers.map(() => ["sent", "http_200"])
      )
      yield* Effect.forEach(servers, ({ closed }) => closed)
    }).pipe(Effect.provide(onLoopback()))
  )

  it.live("reads no more than 16 KB of an answer", () =>
    Effect.gen(function* () {
      let written = 0
      const server = yield* rawReceiver((socket) => {
        socket.write(`${head}transfer-encoding: chunked\r\n\r\n`)
        const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`
        const more = () => {
          while (!socket.destroyed && socket.write(chunk)) written += chunk.length
          written += chunk.length
        }
        socket.on("drain", more)
        more()
      })
      assert.deepStrictEqual(brief(yield* send(outgoing(server.url))), ["sent", "http_200"])
      yield* server.closed
      assert.isBelow(written, 20_000_000)
    }).pipe(Effect.provide(onLoopback()))
  )

  it.live("is told by answers that are none", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [string, (socket: Socket) => void, string]> = [
        ["reset", (socket) => socket.resetAndDestroy(), "connection"],
        ["closed", (socket) => socket.end(), "connection"],
        ["half of the headers", (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-le"), "connection"],
        ["no HTTP", (socket) => socket.end("SSH-2.0-OpenSSH_9.6\r\n"), "malformed"],
        ["too many headers", (socket) => socket.write(`${head}x: ${"y".repeat(70_000)}\r\n\r\n`), "malformed"],
        [
          "another protocol",
          (socket) => socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
          "malformed"
        ]
      ]
      for (const [name, answer, code] of cases) {
        const server = yield* rawReceiver(answer)
        assert.deepStrictEqual(brief(yield* send(outgoing(server.url))), ["transient", code], name)
        yield* server.closed
      }
      const gone = yield* Effect.scoped(
        Effect.map(
          rawReceiver(() => undefined),
          ({ url }) => url
        )
      )
      assert.deepStrictEqual(brief(yield* send(outgoing(gone))), ["transient", "connection"])
    }).pipe(Effect.provide(onLoopback()))
  )

  it.live("tells a host that leads inside from one that cannot be found or trusted", () =>
    Effect.gen(function* () {
      const server = yield* receiver((response) => response.end())
      const url = `http://hook.test:${server.port}/`
      const leading = (...addresses: ReadonlyArray<string>) => onLoopback({ resolve: () => Promise.resolve(addresses) })
      const through = (layer: ReturnType<typeof onLoopback>, to: string) =>
        Effect.map(Effect.provide(send(outgoing(to)), layer), brief)
      assert.deepStrictEqual(yield* through(leading("10.0.0.1"), url), ["permanent", "address_refused"])
      assert.deepStrictEqual(yield* through(leading(), "http://10.0.0.1/"), ["permanent", "address_refused"])
      assert.deepStrictEqual(yield* through(leading(), "http://user@10.0.0.1/"), ["permanent", "url_refused"])
      assert.deepStrictEqual(yield* through(leading(), url), ["transient", "dns"])
      const noTls = `https://hook.test:${server.port}/`
      assert.deepStrictEqual(yield* through(leading("127.0.0.1"), noTls), ["transient", "tls"])
      assert.deepStrictEqual(yield* through(leading("127.0.0.1"), url), ["sent", "http_200"])
    })
  )

  it.live("hangs up when it is interrupted", () =>
    Effect.gen(function* () {
      const server = yield* rawReceiver(() => undefined)
      const sending = yield* begun(server.url)
      yield* server.asked
      yield* Fiber.interrupt(sending)
      yield* server.closed
    }).pipe(Effect.provide(onLoopback()))
  )

  it.live("sends nothing that it cannot sign", () =>
    Effect.gen(function* () {
      const server = yield* receiver((response) => response.end())
      const whsec = Redacted.make("whsec_")
      const cases = [
        [{ secrets: [] }, "secret"],
        [{ secrets: [secretOf(1), whsec] }, "secret"],
        [{ secrets: [Redacted.make("whsec_***")] }, "secret"],
        [{ id: "msg.1" }, "id"],
        [{ id: "msg\r\nx: y" }, "id"]
      ] as const
      for (const [message, code] of cases) {
        const outcome = yield* send(outgoing(server.url, message))
        assert.deepStrictEqual(brief(outcome), ["permanent", code])
        assert.notInclude(JSON.stringify(outcome), "***")
      }
      assert.strictEqual(server.connections(), 0)
    }).pipe(Effect.provide(onLoopback()))
  )

  it.live("tells nothing of the URL, which may be a secret", () =>
    Effect.gen(function* () {
      const server = yield* receiver((response) => response.writeHead(500).end("hunter2"))
      for (const url of [`${server.url}?token=hunter2`, "http://10.0.0.1/hunter2", "ftp://x/hunter2"]) {
        const outcome = yield* send(outgoing(url))
        assert.strictEqual(outcome._tag, "Failed")
        assert.notInclude(JSON.stringify(outcome), "hunter2")
      }
    }).pipe(Effect.provide(onLoopback()))
  )
})
