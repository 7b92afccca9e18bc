import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Random, Scope, Stream, SubscriptionRef } from "effect"
import { TestClock } from "effect/testing"
import { vi } from "vitest"
import * as InboxClient from "../src/InboxClient.ts"
import type { InboxClientService, InboxOptions, InboxState } from "../src/InboxClient.ts"
import { dies, FakeInboxServer, fails, jwt } from "./FakeInboxServer.ts"
import type { Received } from "./FakeInboxServer.ts"
import { inMemoryWebSocket } from "./InMemoryWebSocket.ts"

const start = (server: FakeInboxServer, options: Partial<InboxOptions> = {}) =>
  InboxClient.make({
    url: "https://beckon.test",
    token: "t1",
    WebSocket: inMemoryWebSocket(server),
    fetch: server.fetch,
    ...options
  })

const until = (client: InboxClientService, accept: (state: InboxState) => boolean) =>
  SubscriptionRef.changes(client.state).pipe(Stream.filter(accept), Stream.runHead, Effect.map(Option.getOrThrow))

const isLive = (state: InboxState) => state.status === "live"

const nextCall = (server: FakeInboxServer, tag: string) =>
  Effect.callback<Received>((resume) => {
    const listener = (call: Received) => {
      if (call.tag !== tag) return
      server.onCall.delete(listener)
      resume(Effect.succeed(call))
    }
    server.onCall.add(listener)
  })

/** Starts waiting before `act`, so that nothing is missed. */
const during = <A, B>(waiting: Effect.Effect<A>, act: Effect.Effect<B>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(waiting, { startImmediately: true })
    yield* act
    return yield* Fiber.join(fiber)
  })

/** Lets time pass until it comes; the answers of the server need turns of the event loop in between. */
const whileTimePasses = <A>(waiting: Effect.Effect<A>, step = 10) =>
  Effect.raceFirst(waiting, Effect.forever(Effect.andThen(TestClock.adjust(step), Effect.yieldNow)))

const seqs = (client: InboxClientService, count: number) =>
  client.frames.pipe(
    Stream.filter((event) => event._tag === "Notification"),
    Stream.map((event) => event.notification.seq),
    Stream.take(count),
    Stream.runCollect
  )

const always = (chance: number) =>
  Effect.provideService(Random.Random, { nextDoubleUnsafe: () => chance, nextIntUnsafe: () => 0 })

describe("InboxClient resuming", () => {
  for (const seed of [1, 7, 42, 1234, 99_999]) {
    it.live(`delivers every notification once and in order over links cut at random (seed ${seed})`, () =>
      Effect.gen(function* () {
        const server = new FakeInboxServer()
        let state = seed
        const chance = () => {
          state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
          return state / 2_147_483_648
        }
        let cutting = true
        server.cuts = () => cutting && chance() < 0.15
        for (let i = 0; i < 20; i++) server.push()
        const client = yield* start(server, { backoff: { base: 0 } })
        const got: Array<number> = []
        const total = 220
        yield* client.frames.pipe(
          Stream.takeUntil((event) => event._tag === "Notification" && event.notification.seq === total),
          Stream.runForEach((event) =>
            Effect.gen(function* () {
              if (event._tag === "Notification") got.push(event.notification.seq)
              if (server.stored.length < total && chance() < 0.9) server.push()
              else if (server.stored.length < total) {
                server.push()
                server.push()
              }
              if (server.stored.length > total - 5) cutting = false
              yield* Effect.yieldNow
            })
          )
        )
        assert.deepStrictEqual(
          got,
          Array.from({ length: got.length }, (_, i) => i + 1)
        )
        assert.isAbove(server.connects, 10)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("subscribes again from the last notification when the link breaks", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      const client = yield* start(server, { backoff: { base: 0 } })
      yield* until(client, isLive)
      server.push()
      assert.deepStrictEqual(yield* seqs(client, 1), [1])
      const again = yield* during(
        nextCall(server, "Subscribe"),
        Effect.sync(() => server.session.close(1006, ""))
      )
      assert.deepStrictEqual(again.payload["position"], { epoch: "e1", seq: 1, rev: 0 })
    })
  )

  it.effect("starts at the stored position and stores the one that was worked off", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      for (let i = 0; i < 3; i++) server.push()
      const saved: Array<unknown> = []
      const storage = {
        load: Effect.succeed({ epoch: "e1", seq: 1 }),
        save: (position: unknown) => Effect.sync(() => void saved.push(position))
      }
      yield* Effect.scoped(
        Effect.gen(function* () {
          const client = yield* start(server, { storage })
          assert.deepStrictEqual(yield* seqs(client, 2), [2, 3])
        })
      )
      assert.deepStrictEqual(saved, [{ epoch: "e1", seq: 3 }])
    })
  )

  it.effect("closes the link when the consumer is too slow, and goes on later without a gap", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      for (let i = 0; i < 30; i++) server.push()
      const client = yield* start(server, { capacity: 8, backoff: { base: 0 } })
      yield* until(client, (state) => state.status === "offline")
      assert.strictEqual(server.sessions.size, 0)
      assert.deepStrictEqual(
        yield* seqs(client, 30),
        Array.from({ length: 30 }, (_, i) => i + 1)
      )
      assert.isAbove(server.connects, 1)
    })
  )
})

describe("InboxClient coming back", () => {
  it.effect("waits with exponential backoff up to the limit, and anew after being live", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      server.isDown = true
      const client = yield* start(server, { backoff: { base: 100, max: 400 } })
      for (const wait of [50, 100, 200, 200]) {
        yield* until(client, (state) => state.status === "offline")
        const before = server.probes
        yield* TestClock.adjust(wait - 1)
        assert.strictEqual(server.probes, before)
        yield* during(
          until(client, (state) => state.status === "connecting"),
          TestClock.adjust(1)
        )
      }
      yield* until(client, (state) => state.status === "offline")
      server.isDown = false
      yield* TestClock.adjust(200)
      yield* until(client, isLive)
      yield* during(
        until(client, (state) => state.status === "offline"),
        Effect.sync(() => server.session.close(4000, "server is going away"))
      )
      const connects = server.connects
      yield* TestClock.adjust(49)
      assert.strictEqual(server.connects, connects)
      yield* during(until(client, isLive), TestClock.adjust(1))
      assert.strictEqual(server.connects, connects + 1)
    }).pipe(always(0.5))
  )

  it.effect("notices a dead link by the missing answer to its ping", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      const client = yield* start(server)
      yield* until(client, isLive)
      yield* Effect.repeat(TestClock.adjust("1 second"), { times: 60 })
      assert.strictEqual(server.connects, 1)
      server.answersPings = false
      const state = yield* whileTimePasses(
        until(client, (state) => state.lastError !== undefined),
        1000
      )
      assert.include(state.lastError, { _tag: "LinkFailed", code: 4004 })
      server.answersPings = true
      yield* whileTimePasses(until(client, isLive))
      assert.strictEqual(server.connects, 2)
    })
  )

  it.effect("comes back at once when a browser says that the network is back", () =>
    Effect.gen(function* () {
      const browser = yield* Effect.acquireRelease(
        Effect.sync(() => {
          const target = new EventTarget()
          vi.stubGlobal("addEventListener", target.addEventListener.bind(target))
          vi.stubGlobal("removeEventListener", target.removeEventListener.bind(target))
          return target
        }),
        () => Effect.sync(() => vi.unstubAllGlobals())
      )
      const server = new FakeInboxServer()
      server.isDown = true
      const client = yield* start(server)
      yield* until(client, (state) => state.status === "offline")
      yield* TestClock.adjust(0)
      server.isDown = false
      browser.dispatchEvent(new Event("online"))
      yield* until(client, isLive)
      assert.strictEqual(server.connects, 1)
    }).pipe(always(0.5))
  )

  it.effect("subscribes again when the server cannot at the moment, with a backoff", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      const title = "The service cannot do this at the moment. Try again."
      server.answers["Subscribe"] = () => fails({ type: "urn:beckon:problem:unavailable", status: 503, title })
      const client = yield* start(server)
      const state = yield* until(client, (state) => state.status === "offline")
      assert.include(state.lastError, { _tag: "LinkFailed", message: title })
      delete server.answers["Subscribe"]
      yield* whileTimePasses(until(client, isLive))
      assert.strictEqual(server.connects, 2)
    })
  )

  it.effect("goes offline by pause, even while it waits, and comes back at once by resume", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      const client = yield* start(server)
      yield* until(client, isLive)
      yield* during(
        until(client, (state) => state.status === "offline"),
        client.pause
      )
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(server.sessions.size, 0)
      assert.strictEqual(server.connects, 1)
      server.push()
      yield* during(until(client, isLive), client.resume)
      assert.deepStrictEqual(yield* seqs(client, 1), [1])
    })
  )

  for (const code of [4500, 4501, 4503, 4506, 1008]) {
    it.effect(`stops for good when the server closes with ${code}`, () =>
      Effect.gen(function* () {
        const server = new FakeInboxServer()
        const client = yield* start(server)
        yield* until(client, isLive)
        server.session.close(code, "because")
        const error = yield* Effect.flip(Stream.runDrain(client.frames))
        assert.include(error, { _tag: "InboxClosed", reason: "rejected", code, detail: "because" })
        assert.strictEqual((yield* SubscriptionRef.get(client.state)).status, "closed")
        assert.strictEqual((yield* Effect.flip(client.unreadCount))._tag, "InboxClosed")
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(server.connects, 1)
      })
    )
  }
})

describe("InboxClient tokens", () => {
  it.effect("asks once for a fresh token when the first is refused, and gives up when that is refused too", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      server.refused.set("t1", 401).set("t2", 401)
      let asked = 0
      const client = yield* start(server, { token: Effect.sync(() => `t${++asked}`) })
      const error = yield* Effect.flip(Stream.runDrain(client.frames))
      assert.include(error, { _tag: "InboxClosed", reason: "refused", code: 401, detail: "refused with 401" })
      assert.strictEqual(asked, 2)
      assert.strictEqual(server.probes, 2)
    })
  )

  it.effect("goes on with the fresh token", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      server.refused.set("t1", 401)
      let asked = 0
      const client = yield* start(server, { token: Effect.sync(() => `t${++asked}`) })
      yield* until(client, isLive)
      assert.strictEqual(server.session.token, "t2")
    })
  )

  it.effect("takes a subscription that is refused like a connect that is", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      const title = "The token is missing, malformed or expired."
      server.answers["Subscribe"] = () => fails({ type: "urn:beckon:problem:unauthorized", status: 401, title })
      let asked = 0
      const client = yield* start(server, { token: Effect.sync(() => `t${++asked}`) })
      const error = yield* Effect.flip(Stream.runDrain(client.frames))
      assert.include(error, { _tag: "InboxClosed", reason: "refused", code: 401, detail: title })
      assert.strictEqual(asked, 2)
    })
  )

  it.effect("comes back when the provider fails, and tells", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      let asked = 0
      const token = Effect.suspend(() => (++asked === 1 ? Effect.fail("no network") : Effect.succeed("t2")))
      const client = yield* start(server, { token })
      const state = yield* until(client, (state) => state.status === "offline")
      assert.include(state.lastError, { _tag: "TokenUnavailable", cause: "no network" })
      yield* whileTimePasses(until(client, isLive))
      assert.strictEqual(server.session.token, "t2")
    })
  )

  it.effect("gives up at once when the refused token is the only one", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      server.refused.set("t1", 401)
      const client = yield* start(server)
      assert.strictEqual((yield* Effect.flip(Stream.runDrain(client.frames))).detail, "refused with 401")
      assert.strictEqual(server.probes, 1)
    })
  )

  it.effect("replaces the token on the open socket before it expires", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      let asked = 0
      const token = Effect.sync(() => jwt(600 * ++asked, asked))
      const client = yield* start(server, { token })
      yield* until(client, isLive)
      yield* TestClock.adjust("569 seconds")
      assert.strictEqual(asked, 1)
      const call = yield* during(nextCall(server, "RefreshToken"), TestClock.adjust("1 second"))
      assert.deepStrictEqual(call.payload, { token: jwt(1200, 2) })
      const next = yield* during(nextCall(server, "RefreshToken"), TestClock.adjust("600 seconds"))
      assert.deepStrictEqual(next.payload, { token: jwt(1800, 3) })
      assert.strictEqual(server.connects, 1)
    })
  )

  it.effect("comes back with a fresh token when the old one expired on the socket", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      let asked = 0
      const client = yield* start(server, { token: Effect.sync(() => `t${++asked}`), backoff: { base: 0 } })
      yield* until(client, isLive)
      const again = yield* during(
        nextCall(server, "Subscribe"),
        Effect.sync(() => server.session.close(4002, "token expired"))
      )
      assert.strictEqual(again.session.token, "t2")
    })
  )
})

describe("InboxClient acknowledging", () => {
  it.effect("sends one acknowledgement per delay, of the latest position that was worked off", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      const client = yield* start(server, { ackDelay: 50 })
      yield* until(client, isLive)
      for (let i = 0; i < 10; i++) server.push()
      yield* seqs(client, 10)
      yield* TestClock.adjust(49)
      const acks = () => server.log.filter((call) => call.tag === "Acknowledge").map((call) => call.payload["position"])
      assert.deepStrictEqual(acks(), [])
      yield* during(nextCall(server, "Acknowledge"), TestClock.adjust(1))
      server.push()
      server.push()
      yield* seqs(client, 2)
      yield* whileTimePasses(nextCall(server, "Acknowledge"))
      assert.deepStrictEqual(
        acks().map((position) => (position as { seq: number }).seq),
        [10, 12]
      )
    })
  )

  it.effect("acknowledges by hand only what it is told, and what waits goes out when it closes", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      const position = { epoch: "e1", seq: 1, rev: 0 }
      yield* Effect.scoped(
        Effect.gen(function* () {
          const client = yield* start(server, { acknowledge: "manual" })
          yield* until(client, isLive)
          server.push()
          server.push()
          yield* seqs(client, 2)
          yield* TestClock.adjust("1 second")
          assert.isFalse(server.log.some((call) => call.tag === "Acknowledge"))
          yield* client.ack(position)
        })
      )
      const acks = server.log.filter((call) => call.tag === "Acknowledge")
      assert.deepStrictEqual(
        acks.map((call) => call.payload),
        [{ position }]
      )
    })
  )
})

describe("InboxClient with a newer server", () => {
  it.effect("passes on what it does not know and goes on", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      const client = yield* start(server)
      yield* until(client, isLive)
      const strange = { _tag: "Celebrated", confetti: 7 }
      server.session.frames(strange, { _tag: "Notification", nonsense: true })
      server.session.raw(JSON.stringify([{ _tag: "Weather", requestId: 77 }, { _tag: "Noise" }]))
      server.push({ type: "brand_new", priority: "cosmic", mood: "good" })
      const events = yield* client.frames.pipe(
        Stream.filter((event) => event._tag === "Unknown" || event._tag === "Notification"),
        Stream.take(3),
        Stream.runCollect
      )
      assert.deepStrictEqual(events[0], { _tag: "Unknown", raw: strange })
      assert.strictEqual(events[1]?._tag, "Unknown")
      const third = events[2]
      assert.include(third?._tag === "Notification" ? third.notification : {}, {
        type: "brand_new",
        priority: "cosmic"
      })
      assert.strictEqual(server.connects, 1)
    })
  )
})

describe("InboxClient calls", () => {
  it.effect("wait for the connection and fail with NotConnected when there is none in time", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      server.isDown = true
      const client = yield* start(server)
      const call = yield* Effect.forkChild(Effect.flip(client.unreadCount), { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      const error = yield* Fiber.join(call)
      assert.include(error, { _tag: "NotConnected", waitedMillis: 10_000 })
    })
  )

  it.effect("that may be repeated go out again after the link broke", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      const client = yield* start(server, { backoff: { base: 0 } })
      yield* until(client, isLive)
      let tries = 0
      server.answers["MarkRead"] = ({ session }) => {
        if (++tries === 1) return session.close(1006, "")
        return { _tag: "Success", value: { changed: 1, unread: 4 } }
      }
      assert.deepStrictEqual(yield* client.markRead(["n1"]), { changed: 1, unread: 4 })
      assert.strictEqual(tries, 2)
    })
  )

  it.effect("that may not be repeated fail with ConnectionLost, unless every notification has a dedupeKey", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      const client = yield* start(server, { backoff: { base: 0 } })
      const draft = { userId: "u", type: "t", title: "T", message: "" }
      let tries = 0
      server.answers["SendNotifications"] = ({ session }) => {
        if (++tries % 2 === 1) return session.close(1006, "")
        return { _tag: "Success", value: [{ notificationId: "n1", seq: 1, duplicate: false }] }
      }
      assert.strictEqual((yield* Effect.flip(client.send([draft])))._tag, "ConnectionLost")
      tries = 0
      const answers = yield* client.send([{ ...draft, dedupeKey: "k" }])
      assert.strictEqual(answers[0]?.seq, 1)
      assert.strictEqual(tries, 2)
    })
  )

  it.effect(
    "fail with BadRequest when either side's schema refuses them, and with the server's problem when it has one",
    () =>
      Effect.gen(function* () {
        const server = new FakeInboxServer()
        const client = yield* start(server)
        server.answers["List"] = () => dies({ name: "SchemaError", message: "limit is too large" })
        assert.include(yield* Effect.flip(client.list()), { _tag: "BadRequest", message: "limit is too large" })
        assert.strictEqual((yield* Effect.flip(client.markRead([])))._tag, "BadRequest")
        server.answers["UnreadCount"] = () =>
          fails({
            type: "urn:beckon:problem:unavailable",
            status: 503,
            title: "The service cannot do this at the moment. Try again."
          })
        assert.strictEqual((yield* Effect.flip(client.unreadCount))._tag, "Unavailable")
      })
  )

  it.effect("list all pages", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      for (let i = 0; i < 5; i++) server.push({ priority: i === 2 ? "cosmic" : "low" })
      server.answers["List"] = ({ payload }) => {
        const from = Number(payload["cursor"] ?? 0)
        const items = server.stored.slice(from, from + 2)
        const nextCursor = from + 2 < server.stored.length ? String(from + 2) : null
        return { _tag: "Success", value: { items, nextCursor, unread: 5 } }
      }
      const client = yield* start(server, { subscribe: false })
      const all = yield* Stream.runCollect(client.listAll({ limit: 2 }))
      assert.deepStrictEqual(
        all.map((notification) => notification.seq),
        [1, 2, 3, 4, 5]
      )
      assert.isFalse(server.log.some((call) => call.tag === "Subscribe"))
    })
  )

  it.effect("in flight fail with InboxClosed when the client is closed", () =>
    Effect.gen(function* () {
      const server = new FakeInboxServer()
      const scope = yield* Scope.make()
      const client = yield* Scope.provide(start(server), scope)
      const asked = Deferred.makeUnsafe<void>()
      server.answers["UnreadCount"] = () => void Deferred.doneUnsafe(asked, Exit.void)
      const call = yield* Effect.forkChild(Effect.flip(client.unreadCount))
      yield* Deferred.await(asked)
      yield* Scope.close(scope, Exit.void)
      assert.include(yield* Fiber.join(call), { _tag: "InboxClosed", reason: "closed" })
      assert.strictEqual(server.sessions.size, 0)
    })
  )
})
