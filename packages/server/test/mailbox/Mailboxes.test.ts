import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Layer, Option } from "effect"
import type { DateTime } from "effect"
import { EntityId, ShardId, Sharding } from "effect/cluster"
import fc from "fast-check"
import { partitionOf } from "@beckon/domain/MailboxKey"
import type { Draft, StoredNotification } from "@beckon/domain/Notification"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { DeliveryTiming } from "../../src/mailbox/DeliveryTiming.ts"
import { Mailboxes } from "../../src/mailbox/Mailboxes.ts"
import * as PartitionIds from "../../src/mailbox/PartitionIds.ts"
import { attach, decodeFrames, draft, keyOf, layer, Recorder, seqsOf, session } from "./Fixture.ts"

const dense = (count: number, from = 1) => Array.from({ length: count }, (_, index) => from + index)

/** Calls of a test run: who gets how many drafts, and which dedupe key the first of them has. */
const calls = fc.array(
  fc.record({
    users: fc.array(fc.constantFrom("ada", "bob", "eve", "dan"), { minLength: 1, maxLength: 6 }),
    key: fc.option(fc.constantFrom("k1", "k2", "k3"), { nil: undefined })
  }),
  { minLength: 1, maxLength: 60 }
)

describe("Mailboxes.deliver", () => {
  it.live("plans deliveries by whether the user listens, and does not show what is for other channels only", () => {
    const seen: Array<{ readonly title: string; readonly online: boolean }> = []
    const saved: Array<string> = []
    const timing = Layer.succeed(DeliveryTiming, {
      of: () =>
        Effect.succeed((one: Draft, online: boolean, now: DateTime.Utc) => {
          seen.push({ title: one.title, online })
          return { planAt: online ? null : now, fallbackAt: now }
        }),
      saved: (rows: ReadonlyArray<StoredNotification>) => void saved.push(...rows.map(({ title }) => title))
    })
    return Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      const recorder = yield* Recorder
      const store = yield* NotificationStore
      yield* mailboxes.deliver([draft("ada", { title: "offline" })])
      yield* attach("ada", "ada-1")
      yield* mailboxes.deliver([
        draft("ada", { title: "by mail", options: { channels: ["email"] } }),
        draft("ada", { title: "online" })
      ])
      assert.deepStrictEqual(seen, [
        { title: "offline", online: false },
        { title: "by mail", online: true },
        { title: "online", online: true }
      ])
      assert.deepStrictEqual(saved, ["offline", "by mail", "online"])
      const [hidden, shown] = recorder.framesOf(session("ada-1"))
      assert.deepStrictEqual(hidden, { json: "", seq: 2 })
      assert.deepStrictEqual(
        [...decodeFrames(shown === undefined ? [] : [shown])].map((one) => "unread" in one && one.unread),
        [2]
      )
      assert.strictEqual(yield* store.unreadCount(keyOf("ada")), 2)
      const again = yield* attach("ada", "ada-2", { epoch: (yield* attach("ada", "ada-3")).head.epoch, seq: 0 })
      assert.deepStrictEqual(seqsOf(again.frames), [1, 3])
      assert.deepStrictEqual([again.head.seq, again.unread], [3, 2])
    }).pipe(Effect.provide(layer({ timing })))
  })

  it.live("gives every user one order, the same on all of his sessions, whatever comes at once", () =>
    Effect.forEach(
      fc.sample(calls, { numRuns: 12, seed: 20260131 }),
      (plan) =>
        Effect.gen(function* () {
          const mailboxes = yield* Mailboxes
          const recorder = yield* Recorder
          const store = yield* NotificationStore
          const users = ["ada", "bob", "eve", "dan"]
          yield* Effect.forEach(users, (user) => Effect.all([attach(user, `${user}-1`), attach(user, `${user}-2`)]))
          const answers = yield* Effect.forEach(
            plan,
            ({ key, users }, call) =>
              mailboxes.deliver(
                users.map((user, index) =>
                  draft(user, {
                    title: `${call}/${index}`,
                    ...(index === 0 && key !== undefined ? { dedupeKey: key } : {})
                  })
                )
              ),
            { concurrency: "unbounded" }
          )
          for (const user of users) {
            const rows = (yield* store.list(keyOf(user), { status: "all", limit: 1_000 })).toReversed()
            assert.deepStrictEqual(
              rows.map(({ seq }) => seq),
              dense(rows.length)
            )
            const frames = recorder.framesOf(session(`${user}-1`))
            assert.deepStrictEqual(seqsOf(frames), dense(rows.length))
            assert.deepStrictEqual(frames, recorder.framesOf(session(`${user}-2`)))
            assert.deepStrictEqual(
              decodeFrames(frames).map((frame) => (frame._tag === "Notification" ? frame.unread : -1)),
              dense(rows.length)
            )
            const byId = new Map(rows.map((row) => [row.id, row]))
            const keysMade = new Set(rows.flatMap(({ dedupeKey }) => dedupeKey ?? []))
            assert.strictEqual(keysMade.size, rows.filter(({ dedupeKey }) => dedupeKey !== null).length)
            // Every answer names a row of that user, in the order of its call; only duplicates name another call's row.
            plan.forEach(({ users }, call) => {
              const mine = users.flatMap((name, index) => {
                const answer = answers[call]?.[index]
                return name === user && answer !== undefined ? [{ answer, title: `${call}/${index}` }] : []
              })
              for (const { answer, title } of mine) {
                assert.strictEqual(byId.get(answer.notificationId)?.seq, answer.seq)
                if (!answer.duplicate) assert.strictEqual(byId.get(answer.notificationId)?.title, title)
              }
              const fresh = mine.filter(({ answer }) => !answer.duplicate).map(({ answer }) => answer.seq)
              assert.deepStrictEqual(
                fresh,
                fresh.toSorted((one, other) => one - other)
              )
            })
          }
        }).pipe(Effect.provide(layer(), { local: true })),
      { discard: true }
    )
  )

  it.live("answers in the order of the drafts, over all partitions", () =>
    Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      const users = Array.from({ length: 500 }, (_, index) => `user-${index % 400}`)
      assert.strictEqual(new Set(users.map((user) => partitionOf(keyOf(user)))).size, 64)
      const answers = yield* mailboxes.deliver(users.map((user) => draft(user)))
      assert.deepStrictEqual(
        answers.map(({ seq }) => seq),
        users.map((_, index) => (index < 400 ? 1 : 2))
      )
      assert.deepStrictEqual(yield* mailboxes.deliver([]), [])
    }).pipe(Effect.provide(layer()))
  )

  it.live("makes one notification of a key that is sent again", () =>
    Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      const recorder = yield* Recorder
      yield* attach("ada", "s")
      const once = mailboxes.deliver([draft("ada", { dedupeKey: "k" })])
      const [first] = yield* once
      const [again] = yield* once
      assert.deepStrictEqual([first?.duplicate, again?.duplicate], [false, true])
      assert.strictEqual(again?.notificationId, first?.notificationId)
      assert.deepStrictEqual(seqsOf(recorder.framesOf(session("s"))), [1])
    }).pipe(Effect.provide(layer()))
  )
})

describe("Mailboxes.attach", () => {
  const filled = (count: number) =>
    Effect.flatMap(Mailboxes, (mailboxes) =>
      mailboxes.deliver(Array.from({ length: count }, (_, index) => draft("ada", { title: `n${index + 1}` })))
    )

  it.live("without a position starts with the newest unread notifications, oldest first", () =>
    Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      yield* filled(60)
      const { frames, head, more, recovered, unread } = yield* attach("ada", "s")
      assert.deepStrictEqual(
        { recovered, more, unread, seq: head.seq },
        { recovered: false, more: false, unread: 60, seq: 60 }
      )
      assert.deepStrictEqual(seqsOf(frames), dense(50, 11))
      yield* mailboxes.changeState(keyOf("ada"), { _tag: "SetAllRead" })
      assert.deepStrictEqual((yield* attach("ada", "s")).frames, [])
    }).pipe(Effect.provide(layer()))
  )

  it.live("with a position brings exactly what was missed, in pages", () =>
    Effect.gen(function* () {
      const { head } = yield* attach("ada", "s")
      yield* filled(35)
      for (const [seq, pages] of [
        [0, 4],
        [5, 3],
        [14, 3],
        [15, 2],
        [25, 1],
        [30, 1],
        [35, 1]
      ] as const) {
        const reply = yield* attach("ada", "t", { epoch: head.epoch, seq })
        assert.isTrue(reply.recovered)
        assert.deepStrictEqual(seqsOf(reply.frames), dense(35 - seq, seq + 1))
        assert.strictEqual(reply.pages, pages, `from ${seq}`)
      }
    }).pipe(Effect.provide(layer({ settings: { resumePage: 10 } })))
  )

  it.live("pages over notifications that were deleted meanwhile", () =>
    Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      const { head } = yield* attach("ada", "s")
      const answers = yield* filled(30)
      const leaving = answers.filter(({ seq }) => seq % 3 !== 0).map(({ notificationId }) => notificationId)
      yield* mailboxes.changeState(keyOf("ada"), { _tag: "Remove", ids: leaving })
      const reply = yield* attach("ada", "t", { epoch: head.epoch, seq: 0 })
      assert.deepStrictEqual(seqsOf(reply.frames), [3, 6, 9, 12, 15, 18, 21, 24, 27, 30])
      assert.deepStrictEqual([reply.recovered, reply.head.seq, reply.unread], [true, 30, 10])
    }).pipe(Effect.provide(layer({ settings: { resumePage: 4 } })))
  )

  it.live("brings the changes since the client's rev, of what the client has", () =>
    Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      const key = keyOf("ada")
      const ids = (yield* filled(4)).map(({ notificationId }) => notificationId)
      const [first, second, third, fourth] = ids
      if (first === undefined || second === undefined || third === undefined || fourth === undefined)
        return assert.fail()
      const { head } = yield* attach("ada", "s")
      yield* mailboxes.changeState(key, { _tag: "SetRead", ids: [first], read: true })
      const known = yield* attach("ada", "s")
      yield* mailboxes.changeState(key, { _tag: "Remove", ids: [second] })
      yield* mailboxes.changeState(key, { _tag: "SetRead", ids: [fourth], read: true })

      const all = yield* attach("ada", "t", { epoch: head.epoch, seq: 3, rev: head.rev ?? 0 })
      const changes = decodeFrames(all.frames).flatMap((frame) => (frame._tag === "Changed" ? frame.changes : []))
      assert.deepStrictEqual(
        changes.map(({ deleted, id, readAt }) => [id, deleted, readAt !== null]),
        [
          [first, false, true],
          [second, true, false]
        ]
      )
      assert.deepStrictEqual(seqsOf(all.frames), [4])
      assert.strictEqual(all.unread, 1)

      const some = yield* attach("ada", "t", { epoch: head.epoch, seq: 4, rev: known.head.rev ?? 0 })
      const later = decodeFrames(some.frames).flatMap((frame) =>
        frame._tag === "Changed" ? frame.changes.map(({ id }) => id) : []
      )
      assert.deepStrictEqual(later, [second, fourth])
      assert.strictEqual(some.frames.at(-1)?.rev, some.head.rev)

      const none = yield* attach("ada", "t", { epoch: head.epoch, seq: 4 })
      assert.deepStrictEqual(none.frames, [])
    }).pipe(Effect.provide(layer()))
  )

  it.live("says truthfully that it cannot recover", () =>
    Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      const ids = (yield* filled(6)).map(({ notificationId }) => notificationId)
      const { head } = yield* attach("ada", "s")
      const rev = head.rev ?? 0
      for (const position of [
        { epoch: "another life", seq: 3, rev },
        { epoch: head.epoch, seq: 7, rev },
        { epoch: head.epoch, seq: 3, rev: rev + 1 }
      ]) {
        const reply = yield* attach("ada", "t", position)
        assert.isFalse(reply.recovered, JSON.stringify(position))
        assert.deepStrictEqual(seqsOf(reply.frames), dense(6))
      }
      yield* mailboxes.changeState(keyOf("ada"), { _tag: "SetRead", ids, read: true })
      const tooManyChanges = yield* attach("ada", "t", { epoch: head.epoch, seq: 6, rev })
      assert.isFalse(tooManyChanges.recovered)
      assert.deepStrictEqual(tooManyChanges.frames, [])
    }).pipe(Effect.provide(layer({ settings: { resumeChanges: 5 } })))
  )

  it.live("leaves no gap and no repeat between what was missed and what comes, under load", () =>
    Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      const recorder = yield* Recorder
      const { head } = yield* attach("ada", "first")
      const load = Effect.forEach(dense(300), () => mailboxes.deliver([draft("ada")]), {
        concurrency: 16,
        discard: true
      })
      const comeAndGo = Effect.forEach(
        dense(30),
        (round) =>
          Effect.gen(function* () {
            const name = `round-${round}`
            const { frames } = yield* attach("ada", name, { epoch: head.epoch, seq: 0 })
            yield* mailboxes.deliver([draft("ada")])
            yield* mailboxes.detach(keyOf("ada"), session(name))
            const got = seqsOf([...frames, ...recorder.framesOf(session(name))])
            assert.deepStrictEqual(got, dense(got.length))
          }),
        { discard: true }
      )
      yield* Effect.all([load, comeAndGo], { concurrency: "unbounded" })
      assert.deepStrictEqual(seqsOf(recorder.framesOf(session("first"))), dense(330))
    }).pipe(Effect.provide(layer({ settings: { resumePage: 7 } })))
  )
})

describe("Mailboxes.changeState", () => {
  it.live("tells every session, with the new count, and passes over the ids of others", () =>
    Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      const recorder = yield* Recorder
      const answers = yield* mailboxes.deliver([draft("ada"), draft("ada"), draft("ada"), draft("bob")])
      const [one, two, three, bobs] = answers.map(({ notificationId }) => notificationId)
      if (one === undefined || two === undefined || three === undefined || bobs === undefined) return assert.fail()
      yield* Effect.all([attach("ada", "phone"), attach("ada", "laptop"), attach("bob", "bob")])
      const key = keyOf("ada")
      const change = (request: Parameters<typeof mailboxes.changeState>[1]) => mailboxes.changeState(key, request)
      assert.deepStrictEqual(yield* change({ _tag: "SetRead", ids: [one, bobs], read: true }), {
        changed: 1,
        unread: 2
      })
      assert.deepStrictEqual(yield* change({ _tag: "SetRead", ids: [one], read: true }), { changed: 0, unread: 2 })
      assert.deepStrictEqual(yield* change({ _tag: "SetRead", ids: [one], read: false }), { changed: 1, unread: 3 })
      assert.deepStrictEqual(yield* change({ _tag: "Remove", ids: [two, bobs] }), { changed: 1, unread: 2 })
      assert.deepStrictEqual(yield* change({ _tag: "SetAllRead" }), { changed: 2, unread: 0 })
      assert.deepStrictEqual(yield* change({ _tag: "SetAllRead" }), { changed: 0, unread: 0 })
      const frames = decodeFrames(recorder.framesOf(session("phone")))
      assert.deepStrictEqual(
        frames.map((frame) =>
          frame._tag === "Changed"
            ? [
                frame.rev,
                frame.unread,
                frame.changes.map(({ deleted, readAt, seq }) => [seq, readAt !== null, deleted])
              ]
            : frame._tag === "AllRead"
              ? [frame.rev, frame.unread, frame.upToSeq]
              : frame._tag
        ),
        [
          [1, 2, [[1, true, false]]],
          [2, 3, [[1, false, false]]],
          [3, 2, [[2, false, true]]],
          [4, 0, 3]
        ]
      )
      assert.deepStrictEqual(recorder.framesOf(session("laptop")), recorder.framesOf(session("phone")))
      assert.deepStrictEqual(recorder.framesOf(session("bob")), [])
      const store = yield* NotificationStore
      const bob = yield* store.get(keyOf("bob"), bobs)
      assert.deepStrictEqual(
        Option.map(bob, ({ readAt }) => readAt),
        Option.some(null)
      )
    }).pipe(Effect.provide(layer()))
  )
})

describe("PartitionIds", () => {
  it.live("gives each of the 64 partitions a shard of its own", () =>
    Effect.gen(function* () {
      const sharding = yield* Sharding.Sharding
      const ids = PartitionIds.forSharding(sharding)
      assert.strictEqual(new Set(ids).size, 64)
      const shards = ids.map((id) => ShardId.toString(sharding.getShardId(EntityId.make(id), "default")))
      assert.strictEqual(new Set(shards).size, 64)
      assert.deepStrictEqual(PartitionIds.forSharding(sharding), ids)
    }).pipe(Effect.provide(layer()))
  )
})

describe("Mailboxes", () => {
  it.live("answers Unavailable, in time, when the store hangs", () =>
    Effect.gen(function* () {
      const mailboxes = yield* Mailboxes
      const exit = yield* Effect.exit(mailboxes.deliver([draft("ada")]))
      assert.strictEqual(Option.getOrUndefined(Exit.findErrorOption(exit))?._tag, "Unavailable")
    }).pipe(
      Effect.provide(
        layer({
          settings: { callTimeout: Duration.millis(100) },
          store: (store) => ({ ...store, append: () => Effect.never })
        })
      )
    )
  )
})
