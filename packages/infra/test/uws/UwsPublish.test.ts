import { expect, it } from "@effect/vitest"
import { UwsServer } from "@beckon/infra/uws/UwsServer"
import type { UwsSocket, UwsWebSocketOptions } from "@beckon/infra/uws/UwsWebSocket"
import * as UwsHttpServer from "@beckon/infra/uws/UwsHttpServer"
import { Deferred, Effect, Exit, Layer, Queue } from "effect"
import type { Scope } from "effect"
import { rawClient, requestHead } from "./RawClient.ts"

const server = UwsHttpServer.layer().pipe(
  Layer.provideMerge(UwsServer.layer({ host: "127.0.0.1", port: 0, shutdownGrace: "1 second" }))
)

const live = (name: string, test: Effect.Effect<void, unknown, UwsServer | Scope.Scope>) =>
  it.live(name, () => Effect.scoped(test).pipe(Effect.provide(server)))

const upgrade = requestHead("GET /ws", [
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
  "Sec-WebSocket-Version: 13"
])

/** Answers how to connect: the server's end of a socket, and what it reads. */
const listening = Effect.fnUntraced(function* (options: Partial<UwsWebSocketOptions<null>> = {}) {
  const opened = yield* Queue.unbounded<UwsSocket<null>>()
  yield* UwsServer.websocket("/ws", {
    authenticate: () => Effect.succeed({ data: null }),
    open: (socket) => Queue.offerUnsafe(opened, socket),
    ...options
  })
  const native = yield* UwsServer
  const port = (yield* native.port) ?? 0
  const come = Effect.gen(function* () {
    const texts = yield* Queue.unbounded<string>()
    const closed = yield* Deferred.make<number>()
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => new WebSocket(`ws://127.0.0.1:${port}/ws`)),
      (one) => Effect.sync(() => one.close())
    )
    client.onmessage = ({ data }) => Queue.offerUnsafe(texts, String(data))
    client.onclose = ({ code }) => Deferred.doneUnsafe(closed, Exit.succeed(code))
    return { socket: yield* Queue.take(opened), texts }
  })
  return { come, opened, port, publish: native.publish }
})

live(
  "what is published reaches the subscribers of the channel, in order with what is sent, until they unsubscribe",
  Effect.gen(function* () {
    const { come, publish } = yield* listening()
    const [one, two, other] = [yield* come, yield* come, yield* come]
    // The whole name counts, also behind a NUL.
    one.socket.subscribe("acme\u0000news")
    two.socket.subscribe("acme\u0000news")
    other.socket.subscribe("acme\u0000weather")
    for (let index = 0; index < 50; index++) {
      publish("acme\u0000news", `published ${index} 👋`)
      one.socket.send(`sent ${index}`)
    }
    for (let index = 0; index < 50; index++) {
      expect(yield* Queue.take(one.texts)).toBe(`published ${index} 👋`)
      expect(yield* Queue.take(one.texts)).toBe(`sent ${index}`)
      expect(yield* Queue.take(two.texts)).toBe(`published ${index} 👋`)
    }
    two.socket.unsubscribe("acme\u0000news")
    publish("acme\u0000news", "later")
    expect(yield* Queue.take(one.texts)).toBe("later")
    for (const { socket, texts } of [two, other]) {
      socket.send("only this")
      expect(yield* Queue.take(texts)).toBe("only this")
    }
  })
)

live(
  "a reader that is too slow is passed over at a bounded cost of memory, and the others get everything",
  Effect.gen(function* () {
    const limit = 256 * 1024
    const { come, opened, port, publish } = yield* listening({
      maxBackpressure: limit,
      closeOnBackpressureLimit: false
    })
    const raw = yield* rawClient(port)
    raw.socket.pause()
    raw.write(upgrade)
    const slow = yield* Queue.take(opened)
    slow.subscribe("x")
    const quick = yield* come
    quick.socket.subscribe("x")
    const text = "x".repeat(4_096)
    const count = 10_000
    let most = 0
    for (let index = 0; index < count; index++) {
      publish("x", text)
      expect((yield* Queue.take(quick.texts)).length).toBe(text.length)
      most = Math.max(most, slow.bufferedAmount())
    }
    expect(slow.isOpen).toBe(true)
    expect(most).toBeGreaterThan(limit)
    expect(most).toBeLessThan(limit + 64 * 1024)
    raw.socket.resume()
    const received = yield* raw.until(() => slow.bufferedAmount() === 0)
    expect(received.length).toBeLessThan(count * text.length)
    // It is a reader like the others again.
    publish("x", "the end")
    yield* raw.until((all) => all.endsWith("the end"))
  })
)
