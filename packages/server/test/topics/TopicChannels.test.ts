import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Queue, Scope, Stream } from "effect"
import { TenantId } from "@beckon/domain/Identifiers"
import { TopicBus, TopicBusUnavailable } from "@beckon/domain/ports/TopicBus"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import { UwsServer } from "@beckon/infra/uws/UwsServer"
import type { Session } from "../../src/gateway/Session.ts"
import { Sessions } from "../../src/gateway/Sessions.ts"
import { channelOf, TopicChannels } from "../../src/topics/TopicChannels.ts"
import { makeSession } from "../gateway/FakeSocket.ts"
import type { FakeSocket } from "../gateway/FakeSocket.ts"

const acme = TenantId.make("acme")

interface Line {
  readonly channel: string
  readonly text: string
}

/** One node on the bus: what it publishes natively is in `lines`. */
const nodeOn = (bus: TopicBus["Service"]) =>
  Effect.gen(function* () {
    const lines = yield* Queue.unbounded<Line>()
    const context = yield* Layer.build(
      Layer.fresh(TopicChannels.layer).pipe(
        Layer.provideMerge(Layer.fresh(Sessions.layer)),
        Layer.provide([
          Layer.succeed(TopicBus, bus),
          Layer.effect(
            UwsServer,
            Effect.map(UwsServer.make({ host: "127.0.0.1", port: 0 }), (server) => ({
              ...server,
              publish: (channel, text) => void Queue.offerUnsafe(lines, { channel, text })
            }))
          )
        ])
      )
    )
    const sessions = Context.get(context, Sessions)
    const come = (): { readonly session: Session; readonly socket: FakeSocket } => {
      const made = makeSession()
      sessions.add(made.session)
      return made
    }
    return { channels: Context.get(context, TopicChannels), come, leave: sessions.remove, lines }
  })

/** Counts the subscriptions that stand. */
const counting = Effect.gen(function* () {
  const inner = yield* TopicBus
  const open = new Map<string, number>()
  const add = (topic: string, count: number) => open.set(topic, (open.get(topic) ?? 0) + count)
  const none = yield* Queue.unbounded<void>()
  const bus = TopicBus.of({
    publish: inner.publish,
    subscribe: (topic) =>
      Effect.tap(inner.subscribe(topic), () =>
        Effect.acquireRelease(
          Effect.sync(() => add(topic, 1)),
          () =>
            Effect.sync(() => {
              add(topic, -1)
              if (open.get(topic) === 0) Queue.offerUnsafe(none, undefined)
            })
        )
      )
  })
  return { bus, open, none }
})

const channel = channelOf(acme, "app:x")

describe("the topics of a node", () => {
  it.effect("reach every node with watchers once, in order, and no node without", () =>
    Effect.gen(function* () {
      const { bus, open } = yield* counting
      const [one, two, idle] = [yield* nodeOn(bus), yield* nodeOn(bus), yield* nodeOn(bus)]
      for (const { session } of [one.come(), one.come(), one.come()]) yield* one.channels.join(session, "app:x")
      yield* two.channels.join(two.come().session, "app:x")
      yield* idle.channels.join(idle.come().session, "app:y")
      assert.strictEqual(open.get(channel), 2)
      const texts = Array.from({ length: 100 }, (_, index) => String(index))
      for (const text of texts) yield* bus.publish(channel, text)
      for (const node of [one, two]) {
        for (const text of texts) assert.deepStrictEqual(yield* Queue.take(node.lines), { channel, text })
        assert.strictEqual(Queue.sizeUnsafe(node.lines), 0)
      }
      assert.strictEqual(Queue.sizeUnsafe(idle.lines), 0)
    }).pipe(Effect.provide(MemoryTopicBus.layer))
  )

  it.effect("end with the last watcher, whether it unwatches or goes, and begin again", () =>
    Effect.gen(function* () {
      const { bus, none, open } = yield* counting
      const { channels, come, leave, lines } = yield* nodeOn(bus)
      for (let round = 0; round < 5; round++) {
        const [stays, goes] = [come().session, come().session]
        yield* channels.join(goes, "app:x")
        yield* channels.join(stays, "app:x")
        yield* channels.join(stays, "app:x")
        assert.strictEqual(channels.count(stays), 1)
        leave(goes)
        yield* bus.publish(channel, "still")
        assert.strictEqual((yield* Queue.take(lines)).text, "still")
        assert.isTrue(channels.leave(stays, "app:x"))
        assert.isFalse(channels.leave(stays, "app:x"))
        assert.deepStrictEqual([...channels.all()], [])
        // Somebody comes before the old subscription has ended.
        const next = come().session
        yield* channels.join(next, "app:x")
        yield* Queue.take(none).pipe(Effect.when(Effect.sync(() => (open.get(channel) ?? 0) > 1)))
        yield* bus.publish(channel, "again")
        assert.strictEqual((yield* Queue.take(lines)).text, "again")
        leave(next)
      }
      assert.strictEqual(Queue.sizeUnsafe(lines), 0)
    }).pipe(Effect.provide(MemoryTopicBus.layer))
  )

  it.effect("a watch fails when the way between nodes does not stand, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const { channels, come, lines } = yield* nodeOn(
        TopicBus.of({
          publish: () => Effect.void,
          subscribe: (topic) => Effect.fail(new TopicBusUnavailable({ topic, cause: new Error("down") }))
        })
      )
      const { session } = come()
      const error = yield* Effect.flip(channels.join(session, "app:x"))
      assert.strictEqual(error._tag, "TopicBusUnavailable")
      assert.isFalse(channels.watches(session, "app:x"))
      assert.deepStrictEqual([...channels.topics()], [])
      assert.strictEqual(Queue.sizeUnsafe(lines), 0)
    })
  )

  it.effect("a socket that goes while its watch is being made leaves nothing behind", () =>
    Effect.gen(function* () {
      const stands = yield* Deferred.make<void>()
      const { channels, come, leave } = yield* nodeOn(
        TopicBus.of({
          publish: () => Effect.void,
          subscribe: () => Effect.as(Deferred.await(stands), Stream.never)
        })
      )
      const { session } = come()
      const joining = yield* Effect.forkChild(channels.join(session, "app:x"), { startImmediately: true })
      session.socket = undefined
      leave(session)
      assert.deepStrictEqual([...channels.topics()], [])
      yield* Fiber.interrupt(joining)
      // One that has gone before begins nothing.
      const late = yield* Effect.exit(channels.join(session, "app:x"))
      assert.isTrue(Exit.isFailure(late))
      assert.deepStrictEqual([...channels.topics()], [])
    })
  )

  it.effect("ends with its node", () =>
    Effect.gen(function* () {
      const { bus, open } = yield* counting
      const scope = yield* Scope.make()
      const { channels, come } = yield* Scope.provide(nodeOn(bus), scope)
      yield* channels.join(come().session, "app:x")
      assert.strictEqual(open.get(channel), 1)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(open.get(channel), 0)
    }).pipe(Effect.provide(MemoryTopicBus.layer))
  )
})
