import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Queue } from "effect"
import type { Answer } from "./Road.ts"
import { http, Road, send, service, socketOf, token } from "./Road.ts"
import { clientFrame, rawSocket } from "./RawSocket.ts"

const request = (id: number, tag: string, payload: unknown = null) => ({
  _tag: "Request",
  id,
  tag,
  payload,
  headers: []
})
const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels)
const manyIds = Array.from({ length: 10_000 }, (_, index) => String(index % 10))

const defectOf = (exit: Answer["body"]): string => {
  assert.deepInclude(exit, { _tag: "Failure" })
  return String(exit.cause[0].defect)
}

layer(Road.layer, { timeout: "60 seconds", excludeTestServices: true })("wrong input", (it) => {
  it.effect.each([
    ["text that is no JSON", "{nope"],
    ["a message without a tag", "{}"],
    ["a message that is no object", "[[]]"],
    ["an id that is none", JSON.stringify({ _tag: "Request", id: [], tag: "List" })],
    ["more than 100 messages", JSON.stringify(Array.from({ length: 101 }, () => ({ _tag: "Ping" })))],
    ["nothing", ""],
    ["JSON that is nested without an end", "[".repeat(60_000)],
    ["JSON that is nested beyond use", nested(30_000)],
    ["a binary frame", new Uint8Array([1, 2, 3])]
  ] as const)("closes the socket that sends %s, with 4500, and says why", ([, frame]) =>
    Effect.gen(function* () {
      const socket = yield* socketOf({ sub: "mallory" })
      socket.sendRaw(frame)
      const { code, reason } = yield* socket.closed
      assert.strictEqual(code, 4500)
      assert.match(reason, /^malformed frame/)
      assert.match((yield* Queue.take(socket.messages)).defect, /^Malformed frame: ./)
    })
  )

  it.effect("closes the socket that sends a frame of more than 64 KiB", () =>
    Effect.gen(function* () {
      const socket = yield* socketOf({ sub: "mallory" })
      socket.sendRaw(JSON.stringify({ _tag: "Ping", padding: "x".repeat(65_536) }))
      assert.include([1006, 1009], (yield* socket.closed).code)
    })
  )

  it.effect("fails the one call, and the socket goes on", () =>
    Effect.gen(function* () {
      const socket = yield* socketOf({ sub: "mallory", roles: ["user", "service"] })
      const { rpc } = socket
      assert.match(defectOf(yield* rpc("Nonsense")), /Unknown request tag: Nonsense/)
      for (const name of ["__proto__", "constructor", "toString", ""]) defectOf(yield* rpc(name, {}))
      assert.match(defectOf(yield* rpc("MarkRead", { ids: "all" })), /ids/)
      assert.match(defectOf(yield* rpc("MarkRead", { ids: manyIds })), /at most 500\s+at \["ids"\]/)
      assert.match(defectOf(yield* rpc("Delete", { ids: [] })), /at least 1\s+at \["ids"\]/)
      assert.match(defectOf(yield* rpc("Delete", { ids: ["a\u0000b"] })), /control characters/)
      assert.match(defectOf(yield* rpc("List", { limit: 101 })), /limit/)
      assert.match(defectOf(yield* rpc("Subscribe", { position: { epoch: "e", seq: -1 } })), /seq/)
      assert.match(defectOf(yield* rpc("Acknowledge", { position: { epoch: "e", seq: 1e300 } })), /seq/)
      const one = { userId: "mallory", type: "t", title: "x", message: "" }
      assert.match(
        defectOf(yield* rpc("SendNotifications", { notifications: Array.from({ length: 501 }, () => one) })),
        /500/
      )
      assert.match(
        defectOf(yield* rpc("SendNotifications", { notifications: [{ ...one, title: "x".repeat(257) }] })),
        /256/
      )
      let deep: unknown = 1
      for (let level = 0; level < 1_000; level++) deep = [deep]
      assert.match(
        defectOf(yield* rpc("SendNotifications", { notifications: [{ ...one, data: { deep } }] })),
        /nested at most 64 levels/
      )
      socket.sendRaw(`{"_tag":"Request","id":"deep","tag":"List","headers":[],"payload":${nested(30_000)}}`)
      const answer = yield* Queue.take(socket.messages)
      assert.deepInclude(answer, { _tag: "Exit", requestId: "deep" })
      assert.strictEqual((yield* rpc("UnreadCount")).value.unread, 0)
      // Answers that were refused do not count against the calls that may be under way.
      for (let index = 0; index < 150; index++) yield* rpc("Nonsense")
      assert.isFalse(socket.isClosed())
    })
  )

  it.effect("of a second subscription is refused, and the first one goes on", () =>
    Effect.gen(function* () {
      const socket = yield* socketOf({ sub: "sid" })
      socket.send(request(1_000, "Subscribe", {}))
      const next = Queue.take(socket.messages)
      assert.strictEqual((yield* next).values[0]._tag, "Subscribed")
      assert.strictEqual((yield* next).values[0]._tag, "CaughtUp")
      assert.match(defectOf(yield* socket.rpc("Subscribe", {})), /a socket has one/)
      yield* send("sid")
      assert.strictEqual((yield* next).values[0].notification.seq, 1)
      // The subscription ends when its client says so, and may begin again.
      socket.send({ _tag: "Interrupt", requestId: 1_000 })
      assert.deepInclude(yield* next, { _tag: "Exit", requestId: 1_000 })
      yield* send("sid")
      socket.send(request(1_001, "Subscribe", { position: { epoch: "old", seq: 1 } }))
      const again = (yield* next).values[0]
      assert.deepInclude(again, { _tag: "Subscribed", recovered: false, unread: 2 })
    })
  )

  it.effect("in a body is a problem document that names the field and its limit", () =>
    Effect.gen(function* () {
      const ada = token({ sub: "ada" })
      const refused = (path: string, body: unknown, as = ada, status = 400) =>
        Effect.map(http(path, { token: as, body }), (answer) => {
          assert.strictEqual(answer.status, status, JSON.stringify(answer.body))
          assert.match(answer.type, /^application\/problem\+json/)
          return answer.body
        })
      const ids = yield* refused("/api/v1/users/me/notifications/read", { ids: manyIds })
      assert.deepStrictEqual(ids.errors, [
        { path: ["payload", "ids"], message: "Expected a value with a length of at most 500" }
      ])
      const sendPath = "/api/v1/services/notifications/send"
      const good = { user_id: "ada", type: "t", title: "x", message: "" }
      for (const [field, value] of [
        ["user_id", "x".repeat(129)],
        ["user_id", 7],
        ["title", ""],
        ["title", "a\u0000b"],
        ["message", "x".repeat(4_097)],
        ["message", "\ud800"],
        ["priority", "urgent"],
        ["type", null],
        ["data", []],
        ["data", { big: "x".repeat(16_384) }],
        ["dedupe_key", ""],
        ["dedupe_key", "x".repeat(257)],
        ["push", "maybe"]
      ] as const) {
        const { errors } = yield* refused(sendPath, { ...good, [field]: value }, service)
        assert.deepStrictEqual(errors[0].path.slice(0, 2), ["payload", field])
      }
      yield* refused(
        sendPath,
        `{"user_id":"ada","type":"t","title":"x","message":"","data":{"deep":${nested(100_000)}}}`,
        service
      )
      yield* refused(sendPath, `{"user_id":"ada","type":"t","title":"x","message":"","data":{"big":1e400}}`, service)
      yield* refused(sendPath, nested(400_000), service)
      yield* refused("/api/v1/events", nested(400_000), service)
      yield* refused("/api/v1/events", "[".repeat(900_000), service)
      yield* refused(sendPath, "x".repeat(1_048_577), service, 413)
      for (const path of ["%ff", "%00", "a%0ab", "x".repeat(65)]) {
        const answer = yield* http(`/api/v1/users/me/notifications/${path}`, { token: ada })
        assert.include([400, 404], answer.status, path)
        assert.match(answer.type, /^application\/problem\+json/, `${path} ${answer.status}`)
      }
    })
  )

  it.effect("in a flood closes its socket with 4005, and nobody else's", () =>
    Effect.gen(function* () {
      const { port } = yield* Road
      const witness = yield* socketOf({ sub: "wes" })
      witness.send(request(1_000, "Subscribe", {}))
      const flooded = yield* Deferred.make<void>()
      const floods = Effect.gen(function* () {
        const ping = clientFrame('{"_tag":"Ping"}')
        const pings = yield* rawSocket(port, token({ sub: "mallory" }), { keep: false })
        pings.write(Buffer.concat(Array.from({ length: 20_000 }, () => ping)))
        assert.strictEqual(yield* pings.closed, 4005)
        const packed = yield* rawSocket(port, token({ sub: "mallory" }), { keep: false })
        const hundred = clientFrame(JSON.stringify(Array.from({ length: 100 }, () => ({ _tag: "Ping" }))))
        packed.write(Buffer.concat([hundred, hundred, hundred, hundred, hundred]))
        assert.strictEqual(yield* packed.closed, 4005)
        const calls = yield* rawSocket(port, token({ sub: "mallory" }), { keep: false })
        calls.write(clientFrame(JSON.stringify(Array.from({ length: 100 }, (_, id) => request(id, "List", {})))))
        assert.strictEqual(yield* calls.closed, 4005)
        yield* Deferred.succeed(flooded, undefined)
      })
      const sends = Effect.gen(function* () {
        let count = 0
        while (!(yield* Deferred.isDone(flooded)) || count < 20) {
          yield* send("wes")
          count += 1
        }
        return count
      })
      const [count] = yield* Effect.all([sends, floods], { concurrency: "unbounded" })
      const seqs: Array<number> = []
      while (seqs.at(-1) !== count) {
        for (const frame of (yield* Queue.take(witness.messages)).values) {
          if (frame._tag === "Notification") seqs.push(frame.notification.seq)
        }
      }
      assert.deepStrictEqual(
        seqs,
        Array.from({ length: count }, (_, index) => index + 1)
      )
    })
  )
})
