import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Latch, Option, Queue } from "effect"
import { TestClock } from "effect/testing"
import { NotificationId } from "@beckon/domain/Identifiers"
import type { Unavailable } from "@beckon/domain/Problem"
import { NotificationStore, StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { Mailboxes } from "../../src/mailbox/Mailboxes.ts"
import { ResidentMailboxes } from "../../src/mailbox/ResidentMailboxes.ts"
import { attach, draft, keyOf, layer, Recorder, seqsOf, session } from "./Fixture.ts"
import type { Store } from "./Fixture.ts"

const ada = keyOf("ada")
const deliver = (user: string) => Effect.flatMap(Mailboxes, (mailboxes) => mailboxes.deliver([draft(user)]))
const seqOf = (user: string) => Effect.map(deliver(user), ([answer]) => answer?.seq)
const failureOf = <A>(effect: Effect.Effect<A, Unavailable, Mailboxes>) =>
  Effect.map(Effect.exit(effect), (exit) => Option.getOrUndefined(Exit.findErrorOption(exit))?.detail)

/** A store that fails in one way for one user until it is told to stop. */
const spoiled = (failure: Effect.Effect<never, StoreUnavailable>) => {
  const state = { on: true }
  const store = (real: Store): Store => ({
    ...real,
    append: (rows) => (state.on && rows.some(({ userId }) => userId === "mallory") ? failure : real.append(rows))
  })
  return { state, store }
}

describe("a mailbox that crashes", () => {
  it.live("starts again, makes its sessions attach from their positions, and nobody else notices", () => {
    const { state, store } = spoiled(Effect.die("a bug"))
    return Effect.gen(function* () {
      const recorder = yield* Recorder
      state.on = false
      const { head } = yield* attach("mallory", "m")
      yield* Effect.all([attach("ada", "a"), deliver("mallory"), deliver("ada")])
      state.on = true
      const [failure, adas] = yield* Effect.all([failureOf(deliver("mallory")), seqOf("ada")], {
        concurrency: "unbounded"
      })
      assert.strictEqual(failure, "The mailbox failed; try again.")
      assert.strictEqual(adas, 2)
      assert.strictEqual(yield* Queue.take(recorder.reattached), "m")
      state.on = false
      assert.strictEqual(yield* seqOf("mallory"), 2)
      const { frames, recovered } = yield* attach("mallory", "m", { epoch: head.epoch, seq: 1 })
      assert.isTrue(recovered)
      assert.deepStrictEqual(seqsOf(frames), [2])
      assert.strictEqual(yield* seqOf("mallory"), 3)
      assert.deepStrictEqual(seqsOf(recorder.framesOf(session("m"))), [1, 3])
      assert.deepStrictEqual(seqsOf(recorder.framesOf(session("a"))), [1, 2])
      assert.strictEqual(yield* Queue.size(recorder.reattached), 0)
    }).pipe(Effect.provide(layer({ store })))
  })

  it.live("answers every call that waited in it", () => {
    const { store } = spoiled(Effect.die("a bug"))
    return Effect.gen(function* () {
      const failures = yield* Effect.forEach(Array.from({ length: 20 }), () => failureOf(deliver("mallory")), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(new Set(failures), new Set(["The mailbox failed; try again."]))
    }).pipe(Effect.provide(layer({ store })))
  })
})

describe("a mailbox whose store does not answer", () => {
  it.live("says so, and goes on when the store is back", () => {
    const { state, store } = spoiled(
      Effect.fail(new StoreUnavailable({ operation: "append", cause: "connection refused" }))
    )
    return Effect.gen(function* () {
      assert.strictEqual(yield* failureOf(deliver("mallory")), "The notification store does not answer; try again.")
      assert.strictEqual(yield* seqOf("ada"), 1)
      state.on = false
      assert.strictEqual(yield* seqOf("mallory"), 1)
    }).pipe(Effect.provide(layer({ store })))
  })
})

describe("a mailbox that has another owner's rows under its numbers", () => {
  it.live("reads its state again, goes on after them, and its sessions miss nothing", () =>
    Effect.gen(function* () {
      const recorder = yield* Recorder
      const store = yield* NotificationStore
      const { head } = yield* attach("ada", "s")
      yield* deliver("ada")
      const [saved] = yield* store.list(ada, { status: "all", limit: 1 })
      if (saved === undefined) return assert.fail()
      yield* store.append([2, 3].map((seq) => ({ ...saved, seq, id: NotificationId.make(`foreign-${seq}`) })))
      assert.strictEqual(yield* seqOf("ada"), 4)
      assert.strictEqual(yield* Queue.take(recorder.reattached), "s")
      const { frames, recovered } = yield* attach("ada", "s", { epoch: head.epoch, seq: 1 })
      assert.isTrue(recovered)
      assert.deepStrictEqual(seqsOf(frames), [2, 3, 4])
    }).pipe(Effect.provide(layer()))
  )
})

describe("an idle mailbox", () => {
  it.effect("of too many, is put away when it was used longest ago; nobody's order suffers", () =>
    Effect.gen(function* () {
      const resident = yield* ResidentMailboxes
      const mailboxes = yield* Mailboxes
      yield* TestClock.adjust("2 seconds")
      const users = Array.from({ length: 1_000 }, (_, index) => `user-${index}`)
      const round = mailboxes.deliver(users.map((user) => draft(user)))
      const answers = yield* Effect.all([round, round, round], { concurrency: "unbounded" })
      // Two of each of the 64 partitions may stay, and those of the last batch.
      assert.isAtMost(resident.count(), 64 * 2)
      for (const index of users.keys()) {
        assert.deepStrictEqual(
          answers.map((accepted) => accepted[index]?.seq ?? 0).toSorted((left, right) => left - right),
          [1, 2, 3]
        )
      }
    }).pipe(Effect.provide(layer({ settings: { awake: 2 } })))
  )

  it.effect("is put away, and comes back with the same numbers; one with a session stays", () =>
    Effect.gen(function* () {
      const resident = yield* ResidentMailboxes
      yield* TestClock.adjust("2 seconds")
      yield* Effect.all([deliver("ada"), deliver("bob"), attach("bob", "b")])
      assert.strictEqual(resident.count(), 2)
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(resident.count(), 2)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(resident.count(), 1)
      assert.strictEqual(yield* seqOf("ada"), 2)
      assert.strictEqual(yield* seqOf("bob"), 2)
      const mailboxes = yield* Mailboxes
      yield* mailboxes.detach(keyOf("bob"), session("b"))
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(resident.count(), 0)
    }).pipe(Effect.provide(layer({ settings: { idleAfter: Duration.seconds(10) } })))
  )

  it.effect("is put away also when its session left while it attached", () => {
    const asked = Deferred.makeUnsafe<void>()
    const gate = Latch.makeUnsafe(false)
    return Effect.gen(function* () {
      const resident = yield* ResidentMailboxes
      const mailboxes = yield* Mailboxes
      yield* TestClock.adjust("2 seconds")
      const attaching = yield* Effect.forkChild(attach("ada", "gone"))
      yield* Deferred.await(asked)
      yield* Fiber.interrupt(attaching)
      yield* mailboxes.detach(ada, session("gone"))
      yield* gate.open
      yield* deliver("ada")
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(resident.count(), 0)
    }).pipe(
      Effect.provide(
        layer({
          settings: { idleAfter: Duration.seconds(10) },
          store: (store) => ({
            ...store,
            recentUnread: (...parameters) =>
              Deferred.succeed(asked, undefined).pipe(
                Effect.andThen(gate.await),
                Effect.andThen(store.recentUnread(...parameters))
              )
          })
        })
      )
    )
  })
})

describe("a mailbox with too much waiting", () => {
  it.live("pushes back, and does what it took", () => {
    const gate = Latch.makeUnsafe(false)
    const busy = Deferred.makeUnsafe<void>()
    return Effect.gen(function* () {
      const first = yield* Effect.forkChild(seqOf("ada"))
      yield* Deferred.await(busy)
      const exits = yield* Queue.unbounded<Exit.Exit<number | undefined, Unavailable>>()
      yield* Effect.forEach(Array.from({ length: 12 }), () =>
        Effect.forkChild(Effect.flatMap(Effect.exit(seqOf("ada")), (exit) => Queue.offer(exits, exit)))
      )
      for (let refused = 0; refused < 4; refused++) {
        const error = Exit.findErrorOption(yield* Queue.take(exits))
        assert.strictEqual(
          Option.getOrUndefined(error)?.detail,
          "The mailbox has too many commands waiting; try again."
        )
      }
      yield* gate.open
      assert.strictEqual(yield* Fiber.join(first), 1)
      const done = yield* Effect.forEach(Array.from({ length: 8 }), () => Queue.take(exits))
      assert.deepStrictEqual(
        done,
        [2, 3, 4, 5, 6, 7, 8, 9].map((seq) => Exit.succeed(seq))
      )
      assert.strictEqual(yield* seqOf("ada"), 10)
    }).pipe(
      Effect.provide(
        layer({
          settings: { capacity: 8 },
          store: (store) => ({
            ...store,
            append: (rows) =>
              Deferred.succeed(busy, undefined).pipe(Effect.andThen(gate.await), Effect.andThen(store.append(rows)))
          })
        })
      )
    )
  })
})

describe("acknowledgements", () => {
  const acknowledged = Effect.flatMap(NotificationStore, (store) =>
    Effect.map(store.load([ada]), ([state]) => state?.acknowledged)
  )

  it.effect("are saved, and never fall", () =>
    Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      yield* TestClock.adjust("2 seconds")
      yield* Effect.all([deliver("ada"), deliver("ada"), deliver("ada")])
      const { head } = yield* attach("ada", "s")
      for (const [seq, saved] of [
        [2, 2],
        [1, 2],
        [7, 2],
        [3, 3]
      ] as const) {
        yield* mailboxes.acknowledge([{ key: ada, position: { epoch: head.epoch, seq } }])
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(yield* acknowledged, saved)
      }
      yield* mailboxes.acknowledge([{ key: ada, position: { epoch: "another", seq: 3 } }])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("are not lost when a change of state is under way", () => {
    const gate = Latch.makeUnsafe(false)
    const changing = Deferred.makeUnsafe<void>()
    return Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      yield* TestClock.adjust("2 seconds")
      yield* deliver("ada")
      const { head } = yield* attach("ada", "s")
      const change = yield* Effect.forkChild(mailboxes.changeState(ada, { _tag: "SetAllRead" }))
      yield* Deferred.await(changing)
      yield* mailboxes.acknowledge([{ key: ada, position: head }])
      yield* gate.open
      yield* Fiber.join(change)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* acknowledged, 1)
    }).pipe(
      Effect.provide(
        layer({
          store: (store) => ({
            ...store,
            setAllRead: (...parameters) =>
              Deferred.succeed(changing, undefined).pipe(
                Effect.andThen(gate.await),
                Effect.andThen(store.setAllRead(...parameters))
              )
          })
        })
      )
    )
  })

  it.effect("go on being saved after the store failed, in whatever way", () => {
    const failures: Array<Effect.Effect<never, StoreUnavailable>> = [
      Effect.die("a bug"),
      Effect.fail(new StoreUnavailable({ operation: "saveAcknowledged", cause: "down" }))
    ]
    return Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      yield* TestClock.adjust("2 seconds")
      yield* Effect.all([deliver("ada"), deliver("ada"), deliver("ada")])
      const { head } = yield* attach("ada", "s")
      for (const seq of [1, 2, 3]) {
        yield* mailboxes.acknowledge([{ key: ada, position: { epoch: head.epoch, seq } }])
        yield* TestClock.adjust("2 seconds")
      }
      assert.strictEqual(yield* acknowledged, 3)
    }).pipe(
      Effect.provide(
        layer({
          store: (store) => ({
            ...store,
            saveAcknowledged: (positions) => Effect.suspend(() => failures.shift() ?? store.saveAcknowledged(positions))
          })
        })
      )
    )
  })
})
