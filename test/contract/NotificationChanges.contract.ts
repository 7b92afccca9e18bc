import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Effect, Option } from "effect"
import { freshKey, hoursAfterNoon, noon, notification, notificationId, seqsOf } from "./Fixtures.ts"

const mailboxOf = Effect.fnUntraced(function* (size: number) {
  const store = yield* NotificationStore
  const key = freshKey()
  yield* store.load([key])
  const rows = Array.from({ length: size }, (_, index) => notification(key, index + 1))
  yield* store.append(rows)
  const ids = (...seqs: ReadonlyArray<number>) => seqs.map((seq) => rows[seq - 1]?.id ?? notificationId("?"))
  const state = Effect.map(store.load([key]), ([loaded]) => [loaded?.rev, loaded?.unread])
  return { store, key, rows, ids, state }
})

/** Read, unread, deleted, and the `rev` that counts them. */
export const notificationChangesContract = (it: Vitest.MethodsNonLive<NotificationStore>) => {
  it.effect("setRead stamps the rows that change with the next rev, once for the whole call", () =>
    Effect.gen(function* () {
      const { ids, key, state, store } = yield* mailboxOf(4)
      const readAt = hoursAfterNoon(1)
      const first = yield* store.setRead(key, [...ids(3, 1, 3), notificationId("unknown")], true, readAt)
      expect({ ...first, changes: seqsOf(first.changes) }).toEqual({ rev: 1, unread: 2, changes: [1, 3] })
      expect(first.changes[0]).toEqual({ id: ids(1)[0], seq: 1, readAt, deleted: false })
      const second = yield* store.setRead(key, ids(1, 2), true, hoursAfterNoon(2))
      expect({ ...second, changes: seqsOf(second.changes) }).toEqual({ rev: 2, unread: 1, changes: [2] })
      expect(yield* store.changedAfter(key, 0, 10, 10)).toEqual([...first.changes, ...second.changes])
      expect(yield* state).toEqual([2, 1])
    })
  )

  it.effect("a change that changes nothing leaves rev alone", () =>
    Effect.gen(function* () {
      const { ids, key, state, store } = yield* mailboxOf(2)
      yield* store.setRead(key, ids(1), true, noon)
      expect(yield* store.setRead(key, ids(1), true, noon)).toEqual({ rev: 1, unread: 1, changes: [] })
      expect(yield* store.setRead(key, ids(2), false, noon)).toEqual({ rev: 1, unread: 1, changes: [] })
      expect(yield* store.setRead(key, [], true, noon)).toEqual({ rev: 1, unread: 1, changes: [] })
      expect(yield* store.remove(key, [notificationId("unknown")], noon)).toEqual({ rev: 1, unread: 1, changes: [] })
      expect(yield* store.setAllRead(key, 1, noon)).toEqual({ rev: 1, unread: 1, changed: 0 })
      expect(yield* state).toEqual([1, 1])
    })
  )

  it.effect("a mailbox that was never loaded has nothing to change", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const key = freshKey()
      const row = notification(key, 1)
      yield* store.append([row])
      expect(yield* store.setRead(key, [row.id], true, noon)).toEqual({ rev: 0, unread: 1, changes: [] })
      expect(yield* store.setAllRead(key, 9, noon)).toEqual({ rev: 0, unread: 1, changed: 0 })
    })
  )

  it.effect("unread again: readAt is null and the notification counts", () =>
    Effect.gen(function* () {
      const { ids, key, store } = yield* mailboxOf(2)
      yield* store.setRead(key, ids(1, 2), true, noon)
      const result = yield* store.setRead(key, ids(2), false, noon)
      expect(result).toEqual({ rev: 2, unread: 1, changes: [{ id: ids(2)[0], seq: 2, readAt: null, deleted: false }] })
      expect(yield* store.unreadCount(key)).toBe(1)
      expect(seqsOf(yield* store.list(key, { status: "unread", limit: 9 }))).toEqual([2])
    })
  )

  it.effect("setAllRead reads everything up to a seq and nothing after it", () =>
    Effect.gen(function* () {
      const { ids, key, state, store } = yield* mailboxOf(5)
      yield* store.setRead(key, ids(2), true, noon)
      expect(yield* store.setAllRead(key, 4, hoursAfterNoon(1))).toEqual({ rev: 2, unread: 1, changed: 3 })
      expect(seqsOf(yield* store.changedAfter(key, 1, 5, 10))).toEqual([1, 3, 4])
      expect(Option.getOrThrow(yield* store.get(key, ids(2)[0] ?? notificationId("?"))).readAt).toEqual(noon)
      expect(Option.getOrThrow(yield* store.get(key, ids(4)[0] ?? notificationId("?"))).readAt).toEqual(
        hoursAfterNoon(1)
      )
      expect(yield* state).toEqual([2, 1])
    })
  )

  it.effect("remove takes notifications out of every reading, and their seq stays used", () =>
    Effect.gen(function* () {
      const { ids, key, store } = yield* mailboxOf(3)
      yield* store.setRead(key, ids(2), true, noon)
      const result = yield* store.remove(key, ids(2, 3), hoursAfterNoon(1))
      expect(result.changes).toEqual([
        { id: ids(2)[0], seq: 2, readAt: noon, deleted: true },
        { id: ids(3)[0], seq: 3, readAt: null, deleted: true }
      ])
      expect([result.rev, result.unread]).toEqual([2, 1])
      expect(seqsOf(yield* store.list(key, { status: "all", limit: 9 }))).toEqual([1])
      expect(seqsOf(yield* store.after(key, 0, 9, 9))).toEqual([1])
      expect(seqsOf(yield* store.recentUnread(key, noon, 9))).toEqual([1])
      expect(yield* store.get(key, ids(3)[0] ?? notificationId("?"))).toEqual(Option.none())
      expect(yield* store.setRead(key, ids(2, 3), false, noon)).toEqual({ rev: 2, unread: 1, changes: [] })
      expect(yield* store.remove(key, ids(3), noon)).toEqual({ rev: 2, unread: 1, changes: [] })
      expect((yield* store.load([key]))[0]).toMatchObject({ seq: 3, rev: 2, unread: 1 })
      expect((yield* Effect.flip(store.append([notification(key, 3)])))._tag).toBe("SeqConflict")
    })
  )

  it.effect(
    "changedAfter gives the latest state of each notification in the order of rev, up to a seq, at most limit",
    () =>
      Effect.gen(function* () {
        const { ids, key, store } = yield* mailboxOf(5)
        yield* store.setRead(key, ids(5, 1), true, noon)
        yield* store.setRead(key, ids(3), true, noon)
        yield* store.remove(key, ids(1), noon)
        const after = (rev: number, upto: number, limit: number) =>
          Effect.map(store.changedAfter(key, rev, upto, limit), (changes) =>
            changes.map(({ deleted, seq }) => [seq, deleted])
          )
        expect(yield* after(0, 9, 9)).toEqual([
          [5, false],
          [3, false],
          [1, true]
        ])
        expect(yield* after(1, 9, 9)).toEqual([
          [3, false],
          [1, true]
        ])
        expect(yield* after(0, 3, 1)).toEqual([[3, false]])
        expect(yield* after(3, 9, 9)).toEqual([])
      })
  )

  it.effect("changes at the same time take revs one after another and lose none", () =>
    Effect.gen(function* () {
      const { ids, key, state, store } = yield* mailboxOf(40)
      const changes = Array.from({ length: 30 }, (_, index) =>
        ids(...[0, 1, 2, 3, 4].map((step) => ((index * 3 + step * 7) % 20) + 1))
      )
      const results = yield* Effect.forEach(
        changes,
        (listed, index) =>
          index % 2 === 0 ? store.setRead(key, listed, true, noon) : store.remove(key, listed.toReversed(), noon),
        { concurrency: "unbounded" }
      )
      // Each notification is read at most once and removed at most once, and not read after it was removed.
      const history = new Map<number, Array<string>>()
      for (const { changes: done } of results.toSorted((left, right) => left.rev - right.rev)) {
        for (const { deleted, seq } of done)
          history.set(seq, [...(history.get(seq) ?? []), deleted ? "removed" : "read"])
      }
      for (const steps of history.values()) expect(["read", "removed", "read,removed"]).toContain(steps.join())
      const revs = results.filter((result) => result.changes.length > 0).map(({ rev }) => rev)
      expect(new Set(revs).size).toBe(revs.length)
      expect(Math.max(...revs)).toBe(revs.length)
      const rest = (yield* store.recentUnread(key, noon, 100)).length
      expect(yield* state).toEqual([revs.length, rest])
      expect(yield* countChanged(key)).toBe(new Set(results.flatMap((result) => seqsOf(result.changes))).size)
    })
  )
}

const countChanged = Effect.fnUntraced(function* (key: MailboxKey) {
  const store = yield* NotificationStore
  return (yield* store.changedAfter(key, 0, 100, 100)).length
})
