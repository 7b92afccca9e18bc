import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Queue } from "effect"
import { TestClock } from "effect/testing"
import * as CloseReason from "@beckon/domain/CloseReason"
import { GatewayId } from "@beckon/domain/Identifiers"
import type { Position } from "@beckon/domain/Position"
import { Unavailable } from "@beckon/domain/Problem"
import { defaults } from "../../src/gateway/GatewaySettings.ts"
import * as Session from "../../src/gateway/Session.ts"
import * as Subscriber from "../../src/gateway/Subscriber.ts"
import type { OutFrame } from "../../src/mailbox/FrameOutlet.ts"
import type { Mailboxes } from "../../src/mailbox/Mailboxes.ts"
import type { AttachReply } from "../../src/mailbox/MailboxProtocol.ts"
import { makeSession } from "./FakeSocket.ts"
import { notification } from "./Frames.ts"

interface Asked {
  readonly position: Position | undefined
  readonly answer: Deferred.Deferred<AttachReply, Unavailable>
}

const notMine = Effect.die("a subscriber only attaches")
const settings = { ...defaults, pacedBytes: 1_000 }

const at = (seq: number): Position => ({ epoch: "e", seq, rev: 0 })
const notifications = (from: number, to: number): ReadonlyArray<OutFrame> =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => notification(from + index))

const recovered = (from: number, to: number, head: number = to): AttachReply => ({
  recovered: true,
  head: at(head),
  unread: head,
  frames: notifications(from, to),
  more: to < head,
  node: "here"
})

/** A subscriber whose mailboxes are the test. */
const make = Effect.fnUntraced(function* (position: Position | undefined) {
  const asked = yield* Queue.unbounded<Asked>()
  const mailboxes: Mailboxes["Service"] = {
    attach: (request) =>
      Effect.suspend(() => {
        const answer = Deferred.makeUnsafe<AttachReply, Unavailable>()
        Queue.offerUnsafe(asked, { position: request.position, answer })
        return Deferred.await(answer)
      }),
    deliver: () => notMine,
    detach: () => notMine,
    acknowledge: () => notMine,
    changeState: () => notMine
  }
  const subscriber = Subscriber.make(GatewayId.make("g"), mailboxes, settings, {
    next: (of) => of.id,
    ownedBy: () => {}
  })
  const { session, socket } = makeSession()
  const subscription = Session.makeSubscription(1, position)
  session.subscription = subscription
  const reply = Effect.fnUntraced(function* (reply: AttachReply) {
    const { answer, position } = yield* Queue.take(asked)
    yield* Deferred.succeed(answer, reply)
    return position
  })
  const read = () =>
    socket.frames.map((frame) =>
      frame._tag === "Notification"
        ? frame.notification.seq
        : frame._tag === "Subscribed"
          ? `subscribed ${frame.recovered}`
          : frame._tag === "CaughtUp"
            ? `caught up ${frame.position.seq}`
            : frame._tag
    )
  const live = (seq: number) => Session.writeLive(session, [notification(seq)], settings)
  return {
    asked,
    subscriber,
    session,
    socket,
    subscription,
    reply,
    read,
    live,
    begin: Effect.forkChild(subscriber.begin(session, subscription), { startImmediately: true }),
    // As the gateway does when a mailbox asks for it, after it has interrupted what ran.
    again: Effect.suspend(() => {
      Session.suspend(subscription)
      return Effect.forkChild(subscriber.again(session, subscription), { startImmediately: true })
    })
  }
})

describe("Subscriber.begin", () => {
  it.effect("brings a client from its position to now, page by page", () =>
    Effect.gen(function* () {
      const { begin, live, read, reply, subscription } = yield* make(at(2))
      const fiber = yield* begin
      assert.deepStrictEqual(yield* reply(recovered(3, 4, 7)), at(2))
      assert.deepStrictEqual(yield* reply(recovered(5, 6, 7)), at(4))
      live(8)
      assert.deepStrictEqual(yield* reply(recovered(7, 7)), at(6))
      yield* Fiber.join(fiber)
      live(9)
      assert.deepStrictEqual(read(), ["subscribed true", 3, 4, 5, 6, 7, "caught up 7", 8, 9])
      assert.deepStrictEqual(subscription.position, at(9))
    })
  )

  it.effect("gives a client without a position no position before it has everything", () =>
    Effect.gen(function* () {
      const { begin, read, reply, socket, subscription } = yield* make(undefined)
      socket.isFast = false
      const fiber = yield* begin
      yield* reply({
        recovered: false,
        head: at(90),
        unread: 60,
        frames: notifications(41, 90),
        more: false,
        node: "here"
      })
      yield* Effect.yieldNow
      assert.isUndefined(subscription.position)
      for (let drains = 0; drains < 100 && !subscription.live; drains++) {
        socket.drain()
        yield* Effect.yieldNow
      }
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(subscription.position, at(90))
      assert.deepStrictEqual(read().at(-1), "caught up 90")
    })
  )

  it.effect("waits for a slow reader, so that a long history costs a page of memory", () =>
    Effect.gen(function* () {
      const { begin, read, reply, socket } = yield* make(at(0))
      socket.isFast = false
      const fiber = yield* begin
      yield* reply(recovered(1, 200))
      yield* Effect.yieldNow
      assert.isAtMost(socket.bufferedAmount(), 2 * settings.pacedBytes)
      let drains = 0
      while (!read().includes("caught up 200")) {
        drains += 1
        assert.isAtMost(socket.bufferedAmount(), 2 * settings.pacedBytes)
        socket.drain()
        yield* Effect.yieldNow
      }
      yield* Fiber.join(fiber)
      assert.isAtLeast(drains, 20)
      assert.deepStrictEqual(
        read().slice(1, -1),
        Array.from({ length: 200 }, (_, index) => index + 1)
      )
    })
  )

  it.effect("ends when its socket closes while it waits", () =>
    Effect.gen(function* () {
      const { begin, reply, socket } = yield* make(at(0))
      socket.isFast = false
      const fiber = yield* begin
      yield* reply(recovered(1, 200))
      yield* Effect.yieldNow
      socket.close(1001)
      yield* Fiber.join(fiber)
    })
  )

  it.effect("tells its caller that the mailbox does not answer", () =>
    Effect.gen(function* () {
      const { asked, begin, read } = yield* make(at(0))
      const fiber = yield* begin
      const { answer } = yield* Queue.take(asked)
      yield* Deferred.fail(answer, new Unavailable({ detail: "not now" }))
      assert.strictEqual((yield* Effect.flip(Fiber.join(fiber))).detail, "not now")
      assert.deepStrictEqual(read(), [])
    })
  )
})

describe("Subscriber.again", () => {
  const begun = Effect.gen(function* () {
    const made = yield* make(at(0))
    const fiber = yield* made.begin
    yield* made.reply(recovered(1, 3))
    yield* Fiber.join(fiber)
    return made
  })

  it.effect("lets the client notice nothing but the notifications", () =>
    Effect.gen(function* () {
      const { again, live, read, reply } = yield* begun
      live(4)
      const fiber = yield* again
      assert.deepStrictEqual(yield* reply(recovered(5, 6, 7)), at(4))
      live(8)
      assert.deepStrictEqual(yield* reply(recovered(7, 8)), at(6))
      yield* Fiber.join(fiber)
      live(9)
      assert.deepStrictEqual(read(), ["subscribed true", 1, 2, 3, "caught up 3", 4, 5, 6, 7, 8, 9])
    })
  )

  it.effect("tells the client truthfully when something may be missing", () =>
    Effect.gen(function* () {
      const { again, read, reply, subscription } = yield* begun
      const fiber = yield* again
      yield* reply({
        recovered: false,
        head: { epoch: "new", seq: 1, rev: 0 },
        unread: 1,
        frames: [notification(1)],
        more: false,
        node: "here"
      })
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(read().slice(5), ["subscribed false", 1, "caught up 1"])
      assert.strictEqual(subscription.position?.epoch, "new")
    })
  )

  it.effect("finishes what a beginning that was interrupted had promised", () =>
    Effect.gen(function* () {
      const { again, begin, read, reply, socket } = yield* make(at(0))
      socket.isFast = false
      const beginning = yield* begin
      yield* reply(recovered(1, 50))
      yield* Effect.yieldNow
      const written = read().length - 1
      assert.isBelow(written, 50)
      yield* Fiber.interrupt(beginning)
      socket.drain()
      socket.isFast = true
      const fiber = yield* again
      assert.deepStrictEqual(yield* reply(recovered(written + 1, 50)), at(written))
      yield* Fiber.join(fiber)
      const notices = read().filter((frame) => typeof frame === "number")
      assert.deepStrictEqual(
        notices,
        Array.from({ length: 50 }, (_, index) => index + 1)
      )
      assert.strictEqual(read().at(-1), "caught up 50")
    })
  )

  it.effect("forgets what waited: it comes with the new attachment, in its state of then", () =>
    Effect.gen(function* () {
      const { again, asked, begin, live, read, reply } = yield* make(at(0))
      const beginning = yield* begin
      live(1)
      yield* Fiber.interrupt(beginning)
      const fiber = yield* again
      yield* Queue.take(asked)
      yield* reply(recovered(1, 1))
      yield* Fiber.join(fiber)
      assert.strictEqual(read().filter((frame) => frame === 1).length, 1)
    })
  )

  it.effect("tries for half a minute, then tells the client to come back", () =>
    Effect.gen(function* () {
      const { again, asked, socket } = yield* begun
      const fiber = yield* again
      let tries = 0
      const refuse = Effect.gen(function* () {
        const { answer } = yield* Queue.take(asked)
        tries += 1
        yield* Deferred.fail(answer, new Unavailable({ detail: "not now" }))
      })
      const refusing = yield* Effect.forkChild(Effect.forever(refuse))
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.join(fiber)
      yield* Fiber.interrupt(refusing)
      assert.isAbove(tries, 5)
      assert.deepStrictEqual(socket.closedWith, CloseReason.mailboxMoved)
    })
  )
})
