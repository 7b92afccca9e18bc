import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Queue, Stream } from "effect"
import { connect } from "../src/Inbox.ts"
import * as InboxClient from "../src/InboxClient.ts"
import type { TopicEvent } from "../src/InboxClient.ts"
import { FakeInboxServer, fails } from "./FakeInboxServer.ts"
import type { Received } from "./FakeInboxServer.ts"
import { inMemoryWebSocket } from "./InMemoryWebSocket.ts"

const success = (value: unknown) => ({ _tag: "Success", value })

const serverOf = (snapshot: unknown = null) => {
  const server = new FakeInboxServer()
  server.answers["Watch"] = () => success({ snapshot })
  server.answers["Unwatch"] = () => success(null)
  server.answers["Publish"] = () => success(null)
  return server
}

const optionsOf = (server: FakeInboxServer) => ({
  url: "https://beckon.test",
  token: "t1",
  WebSocket: inMemoryWebSocket(server),
  fetch: server.fetch,
  backoff: { base: 0 }
})

const say = (server: FakeInboxServer, topic: string, data: unknown) =>
  server.session.raw(JSON.stringify({ _tag: "Topic", topic, data }))

const watching = Effect.fnUntraced(function* (client: InboxClient.InboxClientService, topic: string) {
  const events = yield* Queue.unbounded<TopicEvent>()
  const fiber = yield* Effect.forkChild(
    Stream.runForEach(client.watch(topic), (event) => Queue.offer(events, event)),
    { startImmediately: true }
  )
  return { events, fiber }
})

const callsOf = (server: FakeInboxServer, tag: string) => server.log.filter((call) => call.tag === tag)

const called = (server: FakeInboxServer, tag: string) =>
  Effect.callback<Received>((resume) => {
    const listener = (call: Received) => {
      if (call.tag !== tag) return
      server.onCall.delete(listener)
      resume(Effect.succeed(call))
    }
    server.onCall.add(listener)
  })

describe("watching a topic", () => {
  it.live("begins with what the topic keeps, and gives what is published, of this topic only", () =>
    Effect.gen(function* () {
      const server = serverOf({ done: 1 })
      const client = yield* InboxClient.make(optionsOf(server))
      const { events } = yield* watching(client, "batch:1")
      assert.deepStrictEqual(yield* Queue.take(events), {
        _tag: "Watching",
        topic: "batch:1",
        snapshot: { done: 1 },
        missed: false
      })
      say(server, "batch:2", "elsewhere")
      server.session.raw(JSON.stringify({ _tag: "Topic", topic: 7 }))
      say(server, "batch:1", { done: 2 })
      say(server, "batch:1", null)
      assert.deepStrictEqual(yield* Queue.take(events), { _tag: "Message", topic: "batch:1", data: { done: 2 } })
      assert.deepStrictEqual(yield* Queue.take(events), { _tag: "Message", topic: "batch:1", data: null })
      // Notifications go on beside it.
      server.push()
      yield* Stream.runHead(Stream.filter(client.frames, ({ _tag }) => _tag === "Notification"))
    }).pipe(Effect.scoped)
  )

  it.live("takes a message that comes before the answer for the newer one", () =>
    Effect.gen(function* () {
      const server = serverOf()
      server.answers["Watch"] = (call) => {
        call.session.raw(JSON.stringify({ _tag: "Topic", topic: "batch:1", data: "newer" }))
        return success({ snapshot: "older" })
      }
      const client = yield* InboxClient.make(optionsOf(server))
      const { events } = yield* watching(client, "batch:1")
      const first = yield* Queue.take(events)
      assert.strictEqual(first._tag === "Watching" && first.snapshot, "newer")
    }).pipe(Effect.scoped)
  )

  it.live("watches again on every new link, and says that messages may be missing", () =>
    Effect.gen(function* () {
      const server = serverOf("kept")
      const client = yield* InboxClient.make(optionsOf(server))
      const { events } = yield* watching(client, "app:x")
      yield* Queue.take(events)
      for (let count = 0; count < 3; count++) {
        server.session.close(1006, "")
        assert.deepStrictEqual(yield* Queue.take(events), {
          _tag: "Watching",
          topic: "app:x",
          snapshot: "kept",
          missed: true
        })
        say(server, "app:x", count)
        assert.deepStrictEqual(yield* Queue.take(events), { _tag: "Message", topic: "app:x", data: count })
      }
      assert.lengthOf(callsOf(server, "Watch"), 4)
    }).pipe(Effect.scoped)
  )

  it.live("is one watch for all who watch here, and unwatches after the last", () =>
    Effect.gen(function* () {
      const server = serverOf("kept")
      const client = yield* InboxClient.make(optionsOf(server))
      const [one, other] = [yield* watching(client, "app:x"), yield* watching(client, "app:x")]
      yield* Queue.take(one.events)
      yield* Queue.take(other.events)
      say(server, "app:x", 1)
      yield* Queue.take(one.events)
      yield* Queue.take(other.events)
      const third = yield* watching(client, "app:x")
      const first = yield* Queue.take(third.events)
      assert.deepStrictEqual(first, { _tag: "Watching", topic: "app:x", snapshot: 1, missed: false })
      yield* Fiber.interrupt(one.fiber)
      yield* Fiber.interrupt(other.fiber)
      assert.lengthOf(callsOf(server, "Watch"), 1)
      assert.lengthOf(callsOf(server, "Unwatch"), 0)
      const gone = yield* Effect.forkChild(called(server, "Unwatch"), { startImmediately: true })
      yield* Fiber.interrupt(third.fiber)
      assert.deepStrictEqual((yield* Fiber.join(gone)).payload, { topic: "app:x" })
    }).pipe(Effect.scoped)
  )

  it.live("never ends unwatched on the server when somebody comes while the last leaves", () =>
    Effect.gen(function* () {
      const server = serverOf()
      const client = yield* InboxClient.make(optionsOf(server))
      for (let count = 0; count < 20; count++) {
        const { events, fiber } = yield* watching(client, "app:x")
        yield* Queue.take(events)
        yield* Fiber.interrupt(fiber)
        const again = yield* watching(client, "app:x")
        yield* Queue.take(again.events)
        const last = server.log.findLast(({ tag }) => tag === "Watch" || tag === "Unwatch")
        assert.strictEqual(last?.tag, "Watch")
        yield* Fiber.interrupt(again.fiber)
      }
    }).pipe(Effect.scoped)
  )

  it.live("fails when the server refuses it, or ends it", () =>
    Effect.gen(function* () {
      const server = serverOf()
      const client = yield* InboxClient.make(optionsOf(server))
      const { events, fiber } = yield* watching(client, "tracking:driver:7")
      yield* Queue.take(events)
      server.session.raw(JSON.stringify({ _tag: "TopicEnd", topic: "tracking:driver:7", reason: "no order" }))
      const ended = yield* Effect.flip(Fiber.join(fiber))
      assert.strictEqual(ended._tag === "TopicEnded" && ended.reason, "no order")
      server.answers["Watch"] = () =>
        fails({
          type: "urn:beckon:problem:forbidden",
          status: 403,
          title: "The token does not allow this.",
          detail: "topic: no order"
        })
      const refused = yield* Effect.flip(Stream.runDrain(client.watch("tracking:driver:7")))
      assert.strictEqual(refused._tag, "Forbidden")
      // The link is not to blame.
      assert.strictEqual(server.connects, 1)
    }).pipe(Effect.scoped)
  )

  it.live("ends with the client", () =>
    Effect.gen(function* () {
      const server = serverOf()
      const client = yield* InboxClient.make(optionsOf(server))
      const { events, fiber } = yield* watching(client, "app:x")
      yield* Queue.take(events)
      server.session.close(4503, "not allowed")
      const ended = yield* Effect.flip(Fiber.join(fiber))
      assert.strictEqual(ended._tag, "InboxClosed")
    }).pipe(Effect.scoped)
  )

  it.live("is not published again when the link breaks", () =>
    Effect.gen(function* () {
      const server = serverOf()
      server.answers["Publish"] = (call) => call.session.close(1006, "")
      const client = yield* InboxClient.make(optionsOf(server))
      const exit = yield* Effect.exit(client.publish("app:x", 1))
      assert.isTrue(Exit.isFailure(exit))
      assert.lengthOf(callsOf(server, "Publish"), 1)
    }).pipe(Effect.scoped)
  )
})

describe("with promises", () => {
  it("calls a listener until it is unwatched", async () => {
    const server = serverOf("kept")
    const inbox = connect(optionsOf(server))
    const got: Array<unknown> = []
    let next: () => void = () => {}
    const hears = (count: number) =>
      new Promise<void>((resolve) => {
        next = () => got.length >= count && resolve()
        next()
      })
    const hear = (value: unknown) => {
      got.push(value)
      next()
    }
    const watch = await inbox.watch("app:x", hear, { onMissed: (snapshot) => hear({ missed: snapshot }) })
    assert.strictEqual(watch.snapshot, "kept")
    await inbox.publish("app:x", { a: 1 })
    assert.deepStrictEqual(callsOf(server, "Publish")[0]?.payload, { topic: "app:x", data: { a: 1 } })
    // Nobody takes the notifications of this inbox, so its only session is not subscribed.
    const session = callsOf(server, "Watch")[0]?.session
    session?.raw(JSON.stringify({ _tag: "Topic", topic: "app:x", data: 1 }))
    await hears(1)
    session?.close(1006, "")
    await hears(2)
    assert.deepStrictEqual(got, [1, { missed: "kept" }])
    await watch.unwatch()
    await inbox.close()
  })

  it("rejects a watch that is refused, and tells of one that ends", async () => {
    const server = serverOf()
    const inbox = connect(optionsOf(server))
    const ended = new Promise<unknown>((resolve) => {
      void inbox
        .watch("app:x", () => {}, { onEnd: resolve })
        .then(() => {
          callsOf(server, "Watch")[0]?.session.raw(JSON.stringify({ _tag: "TopicEnd", topic: "app:x", reason: "over" }))
        })
    })
    assert.include(String(await ended), "over")
    server.answers["Watch"] = () =>
      fails({
        type: "urn:beckon:problem:forbidden",
        status: 403,
        title: "The token does not allow this.",
        detail: "topic: not yours"
      })
    const refused = await inbox
      .watch("app:x", () => {})
      .then(
        () => "watched",
        (error: unknown) => (error instanceof Error && "detail" in error ? error.detail : error)
      )
    assert.strictEqual(refused, "topic: not yours")
    await inbox.close()
  })
})
