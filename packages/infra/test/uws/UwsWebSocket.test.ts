import { Buffer } from "node:buffer"
import { expect, it } from "@effect/vitest"
import * as UwsHttpServer from "@beckon/infra/uws/UwsHttpServer"
import { UwsServer } from "@beckon/infra/uws/UwsServer"
import {
  UpgradeRefused,
  type UpgradeRequest,
  type UwsSocket,
  type UwsWebSocketOptions
} from "@beckon/infra/uws/UwsWebSocket"
import { Deferred, Effect, Exit, Layer, Queue, Scope } from "effect"
import { get } from "./HttpContract.ts"
import { rawClient, requestHead } from "./RawClient.ts"

const server = UwsHttpServer.layer().pipe(
  Layer.provideMerge(UwsServer.layer({ host: "127.0.0.1", port: 0, shutdownGrace: "1 second" }))
)

const live = (name: string, test: Effect.Effect<void, unknown, UwsServer | Scope.Scope>, timeout?: number) =>
  it.live(name, () => Effect.scoped(test).pipe(Effect.provide(server)), timeout)

/** Accepts everyone under the name in the query. */
const byName = (request: UpgradeRequest) => Effect.succeed({ data: request.query.get("name") ?? "nobody" })

const registered = Effect.fnUntraced(function* (options: Partial<UwsWebSocketOptions<string>> = {}) {
  yield* UwsServer.websocket("/ws", { authenticate: byName, ...options })
  const port = (yield* (yield* UwsServer).port) ?? 0
  return { port, url: `ws://127.0.0.1:${port}/ws`, http: `http://127.0.0.1:${port}/ws` }
})

interface Client {
  readonly native: WebSocket
  readonly opened: Effect.Effect<boolean>
  readonly next: Effect.Effect<unknown>
  readonly closed: Effect.Effect<{ readonly code: number; readonly reason: string }>
}

const client = (url: string, protocols?: Array<string>): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.gen(function* () {
    const messages = yield* Queue.unbounded<unknown>()
    const opened = yield* Deferred.make<boolean>()
    const closed = yield* Deferred.make<{ readonly code: number; readonly reason: string }>()
    const native = yield* Effect.acquireRelease(
      Effect.sync(() => new WebSocket(url, protocols)),
      (socket) => Effect.sync(() => socket.close())
    )
    native.binaryType = "arraybuffer"
    native.onopen = () => Deferred.doneUnsafe(opened, Exit.succeed(true))
    native.onmessage = (event) => Queue.offerUnsafe(messages, event.data)
    // Node tells a refused upgrade by an error alone.
    native.onerror = () => Deferred.doneUnsafe(opened, Exit.succeed(false))
    native.onclose = (event) => {
      Deferred.doneUnsafe(closed, Exit.succeed({ code: event.code, reason: event.reason }))
    }
    return { native, opened: Deferred.await(opened), next: Queue.take(messages), closed: Deferred.await(closed) }
  })

const upgradeHeaders = [
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
  "Sec-WebSocket-Version: 13"
]

live(
  "accepts after authentication and carries text and binary both ways",
  Effect.gen(function* () {
    const seen: Array<UpgradeRequest> = []
    const { url } = yield* registered({
      authenticate: (request) =>
        Effect.andThen(
          Effect.yieldNow,
          Effect.suspend(() => {
            seen.push(request)
            return byName(request)
          })
        ),
      open: (socket) => socket.send(`welcome ${socket.data} from ${socket.remoteAddress}`),
      message: (socket, message, isBinary) => {
        socket.send(typeof message === "string" ? `${isBinary}:${message}` : `${isBinary}:${message.byteLength}`)
      }
    })
    const ann = yield* client(`${url}?name=ann&x=%20`)
    expect(yield* ann.next).toBe("welcome ann from 127.0.0.1")
    ann.native.send("grüße")
    expect(yield* ann.next).toBe("false:grüße")
    ann.native.send(new Uint8Array(5))
    expect(yield* ann.next).toBe("true:5")
    expect(seen[0]).toMatchObject({
      url: "/ws?name=ann&x=%20",
      path: "/ws",
      remoteAddress: "127.0.0.1",
      subprotocols: []
    })
    expect(seen[0]?.headers["sec-websocket-version"]).toBe("13")
  })
)

live(
  "tells close once, with code and reason, and is deaf afterwards",
  Effect.gen(function* () {
    const closes = yield* Queue.unbounded<readonly [UwsSocket<string>, number, string]>()
    const { url } = yield* registered({
      message: (socket) => socket.close(4001, "enough"),
      close: (socket, code, reason) => Queue.offerUnsafe(closes, [socket, code, reason])
    })
    const ann = yield* client(url)
    yield* ann.opened
    ann.native.send("x")
    expect(yield* ann.closed).toEqual({ code: 4001, reason: "enough" })
    const [socket, code, reason] = yield* Queue.take(closes)
    expect([code, reason, socket.isOpen]).toEqual([4001, "enough", false])
    expect(socket.send("late")).toBe(2)
    expect(socket.bufferedAmount()).toBe(0)
    socket.close(1000, "again")
    socket.terminate()
    socket.cork(() => expect.unreachable())

    const bob = yield* client(url)
    yield* bob.opened
    bob.native.close(4002, "bye")
    expect((yield* Queue.take(closes)).slice(1)).toEqual([4002, "bye"])
  })
)

live(
  "refuses with the answer of authenticate, to upgrades and to plain requests alike",
  Effect.gen(function* () {
    const { http, port, url } = yield* registered({
      authenticate: (request) =>
        request.query.get("token") === "good"
          ? byName(request)
          : Effect.fail(
              new UpgradeRefused({
                status: 401,
                problem: { type: "https://beckon.test/problems/token", title: "Token refused", code: "token_expired" },
                headers: { "www-authenticate": "Bearer" }
              })
            )
    })
    expect(yield* (yield* client(url)).opened).toBe(false)
    const raw = yield* rawClient(port)
    raw.write(requestHead("GET /ws", upgradeHeaders))
    expect(yield* raw.until((received) => received.includes("}"))).toMatch(/^HTTP\/1.1 401 /)

    const plain = yield* get(http)
    expect(plain.status).toBe(401)
    expect(plain.headers.get("www-authenticate")).toBe("Bearer")
    expect(plain.headers.get("content-type")).toBe("application/problem+json")
    expect(JSON.parse(plain.text)).toEqual({
      type: "https://beckon.test/problems/token",
      status: 401,
      title: "Token refused",
      code: "token_expired"
    })
    const good = yield* get(`${http}?token=good`)
    expect([good.status, good.headers.get("upgrade")]).toEqual([426, "websocket"])
    expect(JSON.parse(good.text)).toMatchObject({ status: 426 })
    expect(yield* (yield* client(`${url}?token=good`)).opened).toBe(true)
  })
)

live(
  "answers 500 when authenticate dies, and goes on",
  Effect.gen(function* () {
    const { http, url } = yield* registered({
      authenticate: (request) => (request.query.has("die") ? Effect.die("broken") : byName(request))
    })
    expect((yield* get(`${http}?die`)).status).toBe(500)
    expect(yield* (yield* client(`${url}?die`)).opened).toBe(false)
    expect(yield* (yield* client(url)).opened).toBe(true)
  })
)

live(
  "interrupts authentication when the client goes away",
  Effect.gen(function* () {
    const begun = yield* Deferred.make<void>()
    const interrupted = yield* Deferred.make<void>()
    const { port } = yield* registered({
      authenticate: () =>
        Deferred.succeed(begun, undefined).pipe(
          Effect.andThen(Effect.never),
          Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
        )
    })
    const raw = yield* rawClient(port)
    raw.write(requestHead("GET /ws", upgradeHeaders))
    yield* Deferred.await(begun)
    raw.socket.destroy()
    yield* Deferred.await(interrupted)
  })
)

live(
  "chooses the first subprotocol offered that it speaks, or the one authenticate names",
  Effect.gen(function* () {
    const { url } = yield* registered({
      subprotocols: ["v1", "v2"],
      authenticate: (request) =>
        Effect.succeed({
          data: "",
          ...(request.query.has("v3") ? { subprotocol: "v3" } : {})
        })
    })
    const ann = yield* client(url, ["v0", "v2", "v1"])
    expect([yield* ann.opened, ann.native.protocol]).toEqual([true, "v2"])
    const bob = yield* client(`${url}?v3`, ["v1", "v3"])
    expect([yield* bob.opened, bob.native.protocol]).toEqual([true, "v3"])
    const cid = yield* client(url)
    expect([yield* cid.opened, cid.native.protocol]).toEqual([true, ""])
  })
)

live(
  "lets only listed origins in, and clients that send none",
  Effect.gen(function* () {
    const { http, port } = yield* registered({ allowedOrigins: ["https://app.test"] })
    const first = Effect.fnUntraced(function* (headers: ReadonlyArray<string>) {
      const raw = yield* rawClient(port)
      raw.write(requestHead("GET /ws", [...upgradeHeaders, ...headers]))
      return (yield* raw.until((received) => received.includes("\r\n\r\n"))).slice(0, 12)
    })
    expect(yield* first(["Origin: https://app.test"])).toBe("HTTP/1.1 101")
    expect(yield* first(["Origin: https://evil.test"])).toBe("HTTP/1.1 403")
    expect(yield* first([])).toBe("HTTP/1.1 101")
    expect((yield* get(http, { headers: { origin: "https://evil.test" } })).status).toBe(403)
  })
)

live(
  "refuses another version of the protocol with 426",
  Effect.gen(function* () {
    const { port } = yield* registered()
    const raw = yield* rawClient(port)
    raw.write(
      requestHead(
        "GET /ws",
        upgradeHeaders.map((header) => header.replace("Version: 13", "Version: 8"))
      )
    )
    const answer = yield* raw.until((received) => received.includes("}"))
    expect(answer).toMatch(/^HTTP\/1.1 426 /)
    expect(answer.toLowerCase()).toContain("sec-websocket-version: 13")
  })
)

live(
  "cuts only the socket that sends too large a message or breaks the protocol",
  Effect.gen(function* () {
    const { port, url } = yield* registered({
      maxPayloadLength: 1024,
      message: (socket, message) => void socket.send(`${typeof message === "string" ? message.length : 0}`)
    })
    const ann = yield* client(url)
    const bob = yield* client(url)
    yield* ann.opened
    yield* bob.opened
    bob.native.send("x".repeat(1025))
    expect((yield* bob.closed).code).toBe(1006)
    const raw = yield* rawClient(port)
    raw.write(requestHead("GET /ws", upgradeHeaders))
    yield* raw.until((received) => received.includes("\r\n\r\n"))
    // A text frame with reserved bits that nobody negotiated.
    raw.write(Buffer.from([0xf1, 0x81, 1, 2, 3, 4, 0]))
    yield* raw.closed
    ann.native.send("x".repeat(1024))
    expect(yield* ann.next).toBe("1024")
  })
)

live(
  "a callback that throws closes its own socket with 1011",
  Effect.gen(function* () {
    const { url } = yield* registered({
      open: (socket) => {
        if (socket.data === "open") throw new Error("open is broken")
      },
      message: (socket, message) => {
        if (message === "throw") throw new Error("message is broken")
        socket.send("fine")
      },
      close: () => {
        throw new Error("close is broken")
      }
    })
    const ann = yield* client(url)
    yield* ann.opened
    expect((yield* (yield* client(`${url}?name=open`)).closed).code).toBe(1011)
    const bob = yield* client(url)
    yield* bob.opened
    bob.native.send("throw")
    expect((yield* bob.closed).code).toBe(1011)
    ann.native.send("x")
    expect(yield* ann.next).toBe("fine")
  })
)

live(
  "closes a reader that is too slow, with bounded memory",
  Effect.gen(function* () {
    const opened = yield* Deferred.make<UwsSocket<string>>()
    const closed = yield* Deferred.make<number>()
    const { port } = yield* registered({
      maxBackpressure: 256 * 1024,
      open: (socket) => Deferred.doneUnsafe(opened, Exit.succeed(socket)),
      close: (_, code) => Deferred.doneUnsafe(closed, Exit.succeed(code))
    })
    const raw = yield* rawClient(port)
    raw.socket.pause()
    raw.write(requestHead("GET /ws", upgradeHeaders))
    const socket = yield* Deferred.await(opened)
    const before = process.memoryUsage().rss
    const text = "x".repeat(16_384)
    const results = new Set<number>()
    let most = 0
    for (let i = 0; i < 20_000 && socket.isOpen; i++) {
      results.add(socket.send(text))
      most = Math.max(most, socket.bufferedAmount())
      if (i % 100 === 0) yield* Effect.yieldNow
    }
    expect(results).toEqual(new Set([1, 0, 2]))
    expect(socket.isOpen).toBe(false)
    expect(yield* Deferred.await(closed)).toBe(1006)
    expect(most).toBeLessThanOrEqual(256 * 1024 + 32_768)
    expect(process.memoryUsage().rss - before).toBeLessThan(30_000_000)
  })
)

live(
  "drops instead of closing when told so, and drains when the reader comes back",
  Effect.gen(function* () {
    const opened = yield* Deferred.make<UwsSocket<string>>()
    const drained = yield* Deferred.make<void>()
    const { port } = yield* registered({
      maxBackpressure: 256 * 1024,
      closeOnBackpressureLimit: false,
      open: (socket) => Deferred.doneUnsafe(opened, Exit.succeed(socket)),
      drain: (socket) => {
        if (socket.bufferedAmount() === 0) Deferred.doneUnsafe(drained, Exit.void)
      }
    })
    const raw = yield* rawClient(port)
    raw.socket.pause()
    raw.write(requestHead("GET /ws", upgradeHeaders))
    const socket = yield* Deferred.await(opened)
    const text = "x".repeat(16_384)
    while (socket.send(text) !== 2) yield* Effect.yieldNow
    expect(socket.isOpen).toBe(true)
    raw.socket.resume()
    yield* Deferred.await(drained)
    expect(socket.send(text)).toBe(1)
  })
)

live(
  "pings a silent client before it counts as gone, and cuts it when it does not answer",
  Effect.gen(function* () {
    const closed = yield* Deferred.make<number>()
    const { port } = yield* registered({
      idleTimeoutSeconds: 8,
      close: (_, code) => Deferred.doneUnsafe(closed, Exit.succeed(code))
    })
    const raw = yield* rawClient(port)
    raw.write(requestHead("GET /ws", upgradeHeaders))
    const received = yield* raw.until((text) => text.endsWith("\x89\x00"))
    expect(received).toContain("101 Switching Protocols")
    expect(yield* Deferred.await(closed)).toBe(1006)
  }),
  30_000
)

live(
  "answers 503 after its scope closed",
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const { http, url } = yield* registered().pipe(Scope.provide(scope))
    expect(yield* (yield* client(url)).opened).toBe(true)
    yield* Scope.close(scope, Exit.void)
    expect((yield* get(http)).status).toBe(503)
    expect(yield* (yield* client(url)).opened).toBe(false)
  })
)

it.live("tells sockets with 1001 that the server stops", () =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(server, scope)
    const { url } = yield* registered().pipe(Effect.provide(context), Scope.provide(scope))
    const ann = yield* client(url)
    yield* ann.opened
    yield* Scope.close(scope, Exit.void)
    expect(yield* ann.closed).toEqual({ code: 1001, reason: "server stopping" })
  }).pipe(Effect.scoped)
)
