import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Effect, Option } from "effect"
import { freshKey, freshTenant, hoursAfterNoon, noon, notification, notificationId, seqsOf, user } from "./Fixtures.ts"

const everything = { status: "all", limit: 1_000 } as const

/** Appending and reading. Changes of state are in `NotificationChanges.contract.ts`. */
export const notificationStoreContract = (it: Vitest.MethodsNonLive<NotificationStore>) => {
  it.effect("load makes missing mailboxes, each with its own epoch, and answers in the order of the keys", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const [ada, bob, cleo] = [freshKey("ada"), freshKey("bob"), freshKey("cleo")]
      const [first] = yield* store.load([bob])
      yield* store.append([notification(cleo, 1), notification(cleo, 2)])
      const states = yield* store.load([ada, bob, cleo])
      expect(states.map(({ seq, unread }) => [seq, unread])).toEqual([
        [0, 0],
        [0, 0],
        [2, 2]
      ])
      expect(states[1]).toEqual(first)
      expect(new Set(states.map(({ epoch }) => epoch)).size).toBe(3)
      expect(states[0]).toMatchObject({ floor: 0, rev: 0, acknowledged: 0 })
      expect(states[0]?.epoch.length).toBeGreaterThan(8)
      expect(yield* store.load([cleo, cleo, ada])).toEqual([states[2], states[2], states[0]])
      expect(yield* store.load([])).toEqual([])
    })
  )

  it.effect("two loads of a new mailbox at the same time agree on its epoch", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const keys = [freshKey("ada"), freshKey("bob")]
      const loads = yield* Effect.all(
        [store.load(keys), store.load(keys.toReversed()), store.load([keys[0] ?? freshKey(), keys[0] ?? freshKey()])],
        { concurrency: "unbounded" }
      )
      expect(new Set(loads.flatMap((states) => states.map(({ epoch }) => epoch))).size).toBe(2)
    })
  )

  it.effect("what is appended comes back as it was, to the millisecond and the code point", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const key = { ...freshKey(), userId: user("Ærøskøbing 👩‍🚀 \"';--{},\\") }
      const text = 'שלום, 日本語 👩‍👩‍👧‍👦 z̸̢ \\N "quoted", {curly},NULL\n\t\'; drop table notifications; --'
      const row = notification(key, 7, {
        title: text,
        message: "",
        type: "custom.type/1",
        priority: "high",
        data: { text, nested: [1.5, -0.1, 1e21, null, true, { "": "", null: "null" }], orderId: "9007199254740993" },
        push: "always",
        dedupeKey: text,
        source: "order-events",
        createdAt: hoursAfterNoon(1.5)
      })
      const bare = notification(key, 8, { data: {} })
      yield* store.append([row, bare])
      expect(yield* store.list(key, everything)).toEqual([bare, row])
      expect(yield* store.after(key, 6, 7, 10)).toEqual([row])
      expect((yield* store.list(key, everything))[1]?.createdAt.epochMilliseconds).toBe(
        noon.epochMilliseconds + 5_400_000
      )
    })
  )

  it.effect("a notification of 4,096 characters and 16 KB of data is kept whole", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const key = freshKey()
      const row = notification(key, 1, { message: "€".repeat(4_096), data: { blob: "x".repeat(16_000) } })
      yield* store.append([row])
      expect(yield* store.list(key, everything)).toEqual([row])
    })
  )

  it.effect("500 notifications of 500 users are appended at once", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const tenantId = freshTenant()
      const rows = Array.from({ length: 500 }, (_, index) =>
        notification({ tenantId, userId: user(`user-${index}`) }, 1, { data: { index }, dedupeKey: `key-${index}` })
      )
      yield* store.append(rows)
      const states = yield* store.load(rows)
      expect(states.every(({ seq, unread }) => seq === 1 && unread === 1)).toBe(true)
      expect(yield* store.list({ tenantId, userId: user("user-499") }, everything)).toEqual([rows[499]])
      const known = yield* store.findDuplicates(
        rows.map((row) => ({ tenantId, userId: row.userId, dedupeKey: row.dedupeKey ?? "" })),
        noon
      )
      expect(known.map(({ notificationId: id }) => id)).toEqual(rows.map(({ id }) => id))
    })
  )

  it.effect("a seq that is taken fails with SeqConflict and nothing of the batch is written", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const [ada, bob] = [freshKey("ada"), freshKey("bob")]
      const first = notification(ada, 1)
      yield* store.append([first])
      const error = yield* Effect.flip(store.append([notification(bob, 1), notification(ada, 1), notification(ada, 2)]))
      expect(error._tag).toBe("SeqConflict")
      const twice = yield* Effect.flip(store.append([notification(bob, 1), notification(bob, 1)]))
      expect(twice._tag).toBe("SeqConflict")
      expect(yield* store.list(ada, everything)).toEqual([first])
      expect(yield* store.list(bob, everything)).toEqual([])
    })
  )

  it.effect("of two owners that write one seq at the same time, one writes and one gets SeqConflict", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const key = freshKey()
      const batch = () => Array.from({ length: 20 }, (_, index) => notification(key, index + 1))
      const [one, two] = [batch(), batch()]
      const tags = yield* Effect.all(
        [one, two].map((rows) =>
          Effect.match(store.append(rows), { onFailure: ({ _tag }) => _tag, onSuccess: () => "saved" })
        ),
        { concurrency: "unbounded" }
      )
      expect(tags.toSorted()).toEqual(["SeqConflict", "saved"])
      expect(yield* store.after(key, 0, 100, 100)).toEqual(tags[0] === "saved" ? one : two)
    })
  )

  it.effect("an id that is taken is not a conflict of owners", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const key = freshKey()
      const row = notification(key, 1)
      yield* store.append([row])
      const error = yield* Effect.flip(
        store.append([notification(key, 2), notification({ ...key, userId: user("bob") }, 1, { id: row.id })])
      )
      expect(error).toMatchObject({ _tag: "StoreUnavailable", operation: "NotificationStore.append" })
      expect(seqsOf(yield* store.list(key, everything))).toEqual([1])
      yield* store.append([notification(freshKey(), 1, { id: row.id })])
    })
  )

  it.effect("mailboxes do not see each other: same user of another tenant, another user of the same tenant", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const ada = freshKey("ada")
      const [bob, otherAda] = [{ ...ada, userId: user("bob") }, { ...freshKey("ada") }]
      const row = notification(ada, 1, { dedupeKey: "key" })
      yield* store.load([ada, bob, otherAda])
      yield* store.append([row, notification(otherAda, 5)])
      for (const other of [bob, otherAda]) {
        expect(yield* store.get(other, row.id)).toEqual(Option.none())
        expect(yield* store.findDuplicates([{ ...other, dedupeKey: "key" }], noon)).toEqual([])
        expect((yield* store.setRead(other, [row.id], true, noon)).changes).toEqual([])
        expect((yield* store.remove(other, [row.id], noon)).changes).toEqual([])
      }
      expect(yield* store.list(bob, everything)).toEqual([])
      expect(seqsOf(yield* store.list(otherAda, everything))).toEqual([5])
      yield* store.setAllRead(otherAda, 100, noon)
      expect(yield* store.get(ada, row.id)).toEqual(Option.some(row))
      expect((yield* store.load([ada]))[0]).toMatchObject({ seq: 1, unread: 1, rev: 0 })
    })
  )

  it.effect("findDuplicates finds what was made at or after the given time, the first one, deleted ones too", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const key = freshKey()
      yield* store.load([key])
      const old = notification(key, 1, { dedupeKey: "order:1" })
      const next = notification(key, 2, { dedupeKey: "order:1", createdAt: hoursAfterNoon(24) })
      const last = notification(key, 3, { dedupeKey: "order:1", createdAt: hoursAfterNoon(25) })
      yield* store.append([old, next, last, notification(key, 4, { dedupeKey: "Order:1" })])
      const find = (since: number, ...keys: ReadonlyArray<string>) =>
        Effect.map(
          store.findDuplicates(
            keys.map((dedupeKey) => ({ ...key, dedupeKey })),
            hoursAfterNoon(since)
          ),
          (found) => found.map(({ dedupeKey, seq }) => [dedupeKey, seq])
        )
      expect(yield* find(0, "order:1")).toEqual([["order:1", 1]])
      expect(yield* find(0.001, "order:1")).toEqual([["order:1", 2]])
      expect(yield* find(26, "order:1")).toEqual([])
      yield* store.remove(key, [next.id], noon)
      expect(yield* find(1, "absent", "order:1", "Order:1")).toEqual([["order:1", 2]])
      expect(yield* store.findDuplicates([{ ...key, dedupeKey: "order:1" }], noon)).toEqual([
        { ...key, dedupeKey: "order:1", notificationId: old.id, seq: 1 }
      ])
    })
  )

  it.effect("after reads a window, oldest first, without deleted ones, at most limit", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const key = freshKey()
      yield* store.load([key])
      const rows = Array.from({ length: 10 }, (_, index) => notification(key, index + 1))
      yield* store.append(rows.toReversed())
      yield* store.remove(key, [rows[4]?.id ?? notificationId("?")], noon)
      expect(seqsOf(yield* store.after(key, 2, 8, 100))).toEqual([3, 4, 6, 7, 8])
      expect(seqsOf(yield* store.after(key, 2, 8, 3))).toEqual([3, 4, 6])
      expect(yield* store.after(key, 10, 20, 5)).toEqual([])
    })
  )

  it.effect("recentUnread gives the newest unread ones since a time, oldest first", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const key = freshKey()
      yield* store.load([key])
      const rows = Array.from({ length: 8 }, (_, index) =>
        notification(key, index + 1, { createdAt: hoursAfterNoon(index) })
      )
      yield* store.append(rows)
      yield* store.setRead(key, [rows[6]?.id ?? notificationId("?")], true, noon)
      expect(seqsOf(yield* store.recentUnread(key, hoursAfterNoon(2), 100))).toEqual([3, 4, 5, 6, 8])
      expect(seqsOf(yield* store.recentUnread(key, hoursAfterNoon(2), 2))).toEqual([6, 8])
    })
  )

  it.effect("list filters, newest first, and goes on from a cursor", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const key = freshKey()
      yield* store.load([key])
      const types = ["a", "b", "c"]
      const rows = Array.from({ length: 9 }, (_, index) =>
        notification(key, index + 1, {
          type: types[index % 3] ?? "",
          priority: index < 5 ? "low" : "high",
          createdAt: hoursAfterNoon(index)
        })
      )
      yield* store.append(rows)
      yield* store.setRead(
        key,
        rows.slice(0, 2).map(({ id }) => id),
        true,
        noon
      )
      const list = (filter: object) => Effect.map(store.list(key, { ...everything, ...filter }), seqsOf)
      expect(yield* list({})).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1])
      expect(yield* list({ limit: 4 })).toEqual([9, 8, 7, 6])
      expect(yield* list({ limit: 4, beforeSeq: 6 })).toEqual([5, 4, 3, 2])
      expect(yield* list({ status: "read" })).toEqual([2, 1])
      expect(yield* list({ status: "unread", priority: "low" })).toEqual([5, 4, 3])
      expect(yield* list({ types: ["a", "c"], beforeSeq: 7 })).toEqual([6, 4, 3, 1])
      expect(yield* list({ types: [] })).toEqual([])
      expect(yield* list({ since: hoursAfterNoon(3), until: hoursAfterNoon(5) })).toEqual([6, 5, 4])
    })
  )

  it.effect("find is the sender's: by tenant and id, also what is deleted, with whether a device has it", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const key = freshKey()
      yield* store.load([key])
      const [first, second] = [notification(key, 1), notification(key, 2)]
      yield* store.append([first, second])
      yield* store.saveAcknowledged([{ ...key, seq: 1 }])
      yield* store.remove(key, [first.id], noon)
      const found = (id: typeof first.id) => store.find(key.tenantId, id)
      expect(yield* found(first.id)).toEqual(Option.some({ notification: first, acknowledged: true }))
      expect(yield* found(second.id)).toEqual(Option.some({ notification: second, acknowledged: false }))
      expect(yield* store.find(freshTenant(), second.id)).toEqual(Option.none())
      expect(yield* found(notificationId("nothing"))).toEqual(Option.none())
    })
  )

  it.effect("saveAcknowledged raises many positions at once and never lowers one", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const [ada, bob, unknown] = [freshKey("ada"), freshKey("bob"), freshKey("nobody")]
      const [made] = yield* store.load([ada, bob])
      const acknowledged = Effect.map(store.load([ada, bob]), (states) => states.map((state) => state.acknowledged))
      yield* store.saveAcknowledged([
        { ...ada, seq: 3 },
        { ...bob, seq: 4 },
        { ...unknown, seq: 9 },
        { ...ada, seq: 2 }
      ])
      expect(yield* acknowledged).toEqual([3, 4])
      yield* store.saveAcknowledged([
        { ...ada, seq: 1 },
        { ...bob, seq: 2 ** 40 }
      ])
      expect(yield* acknowledged).toEqual([3, 2 ** 40])
      yield* store.saveAcknowledged([])
      expect((yield* store.load([ada]))[0]?.epoch).toBe(made?.epoch)
      expect((yield* store.load([unknown]))[0]?.acknowledged).toBe(0)
    })
  )
}
