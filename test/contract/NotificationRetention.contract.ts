import { idBefore } from "@beckon/domain/TimeOrderedId"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import type { TenantFilter } from "@beckon/domain/ports/NotificationStore"
import { assert } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { freshTenant, hoursAfterNoon, notification, notificationId, seqsOf, user } from "./Fixtures.ts"

/** What leaves by age and by request, and what a mailbox says of it. */
export const notificationRetentionContract = (it: Vitest.MethodsNonLive<NotificationStore>) => {
  const filled = Effect.fnUntraced(function* () {
    const store = yield* NotificationStore
    const tenantId = freshTenant()
    const [ada, bob, eve] = ["ada", "bob", "eve"].map((name) => ({ tenantId, userId: user(name) }))
    assert(ada !== undefined && bob !== undefined && eve !== undefined)
    yield* store.load([ada, bob, eve])
    yield* store.append(
      [ada, bob].flatMap((key) =>
        Array.from({ length: 6 }, (_, index) =>
          notification(key, index + 1, { createdAt: hoursAfterNoon(index), dedupeKey: `key-${index}` })
        )
      )
    )
    return { store, tenantId, ada, bob, eve }
  })

  it.effect("aged mailboxes come by user, with the newest of what is old", () =>
    Effect.gen(function* () {
      const { ada, bob, store, tenantId } = yield* filled()
      const all = yield* store.aged(tenantId, hoursAfterNoon(3), { limit: 10 })
      assert.deepStrictEqual(all, {
        mailboxes: [
          { ...ada, uptoSeq: 3 },
          { ...bob, uptoSeq: 3 }
        ],
        next: undefined
      })
      assert.deepStrictEqual((yield* store.aged(tenantId, hoursAfterNoon(0), { limit: 10 })).mailboxes, [])
      assert.deepStrictEqual((yield* store.aged(freshTenant(), hoursAfterNoon(99), { limit: 10 })).mailboxes, [])
    })
  )

  it.effect("looking page by page passes over no mailbox", () =>
    Effect.gen(function* () {
      const { ada, bob, eve, store, tenantId } = yield* filled()
      const first = yield* store.aged(tenantId, hoursAfterNoon(9), { limit: 1 })
      assert.deepStrictEqual(first, { mailboxes: [{ ...ada, uptoSeq: 6 }], next: ada.userId })
      const second = yield* store.aged(tenantId, hoursAfterNoon(9), { afterUserId: ada.userId, limit: 2 })
      assert.deepStrictEqual(second, { mailboxes: [{ ...bob, uptoSeq: 6 }], next: eve.userId })
      const last = yield* store.aged(tenantId, hoursAfterNoon(9), { afterUserId: eve.userId, limit: 2 })
      assert.deepStrictEqual(last, { mailboxes: [], next: undefined })
    })
  )

  it.effect("trimming raises the floor at once, and takes the oldest first", () =>
    Effect.gen(function* () {
      const { ada, bob, store } = yield* filled()
      assert.deepStrictEqual(yield* store.trim(ada, 4, 3), { trimmed: 3, unread: 3 })
      const [state] = yield* store.load([ada])
      assert.deepInclude(state, { seq: 6, floor: 4, unread: 3 })
      assert.deepStrictEqual(seqsOf(yield* store.after(ada, 0, 6, 10)), [4, 5, 6])
      assert.deepStrictEqual(yield* store.trim(ada, 4, 3), { trimmed: 1, unread: 2 })
      assert.deepStrictEqual(yield* store.trim(ada, 4, 3), { trimmed: 0, unread: 2 })
      assert.deepStrictEqual(yield* store.findDuplicates([{ ...ada, dedupeKey: "key-0" }], hoursAfterNoon(-1)), [])
      assert.strictEqual((yield* store.after(bob, 0, 6, 10)).length, 6)
    })
  )

  it.effect("a mailbox that was trimmed to its end goes on with the next number", () =>
    Effect.gen(function* () {
      const { ada, store } = yield* filled()
      yield* store.trim(ada, 6, 100)
      const [state] = yield* store.load([ada])
      assert.deepInclude(state, { seq: 6, floor: 6, unread: 0 })
    })
  )

  it.effect("what waits for its deliveries stays until they are planned", () =>
    Effect.gen(function* () {
      const { eve, store } = yield* filled()
      yield* store.append([
        notification(eve, 1, { planAt: hoursAfterNoon(1) }),
        notification(eve, 2),
        notification(eve, 3)
      ])
      assert.deepStrictEqual(yield* store.trim(eve, 2, 100), { trimmed: 1, unread: 2 })
      assert.deepStrictEqual(seqsOf(yield* store.after(eve, 0, 3, 10)), [1, 3])
    })
  )

  it.effect("a tenant's notifications are listed newest first, whosever they are, page by page", () =>
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const tenantId = freshTenant()
      const [ada, bob] = ["ada", "bob"].map((name) => ({ tenantId, userId: user(name) }))
      assert(ada !== undefined && bob !== undefined)
      yield* store.load([ada, bob])
      const idAt = (hours: number) => notificationId(`${idBefore(hoursAfterNoon(hours))}-7${hours}-${tenantId}`)
      const rows = Array.from({ length: 9 }, (_, index) =>
        notification(index % 3 === 0 ? bob : ada, index + 1, {
          id: idAt(index),
          type: index % 2 === 0 ? "even" : "odd",
          priority: index === 4 ? "high" : "low"
        })
      )
      yield* store.append(rows)
      yield* store.append([notification({ tenantId: freshTenant(), userId: ada.userId }, 1)])
      yield* store.saveAcknowledged([{ ...ada, seq: 5 }])
      yield* store.setRead(ada, [idAt(4)], true, hoursAfterNoon(9))
      yield* store.remove(ada, [idAt(5)], hoursAfterNoon(9))
      const numbers = (filter: Partial<TenantFilter>) =>
        Effect.map(store.listAll(tenantId, { status: "all", limit: 100, ...filter }), (found) =>
          found.map(({ notification }) => notification.seq - 1)
        )
      assert.deepStrictEqual(yield* numbers({}), [8, 7, 6, 5, 4, 3, 2, 1, 0])
      assert.deepStrictEqual(yield* numbers({ limit: 2 }), [8, 7])
      assert.deepStrictEqual(yield* numbers({ limit: 2, beforeId: idAt(7) }), [6, 5])
      assert.deepStrictEqual(yield* numbers({ userId: bob.userId }), [6, 3, 0])
      assert.deepStrictEqual(yield* numbers({ userId: bob.userId, beforeId: idAt(3) }), [0])
      assert.deepStrictEqual(yield* numbers({ type: "odd" }), [7, 5, 3, 1])
      assert.deepStrictEqual(yield* numbers({ priority: "high" }), [4])
      assert.deepStrictEqual(yield* numbers({ status: "read" }), [4])
      assert.deepStrictEqual(yield* numbers({ status: "unread", type: "even" }), [8, 6, 2, 0])
      assert.deepStrictEqual(yield* numbers({ since: hoursAfterNoon(2), until: hoursAfterNoon(4) }), [4, 3, 2])
      assert.deepStrictEqual(yield* store.listAll(freshTenant(), { status: "all", limit: 10 }), [])
      const all = yield* store.listAll(tenantId, { status: "all", limit: 100 })
      assert.deepStrictEqual(
        all.flatMap(({ deleted, notification }) => (deleted ? [notification.id] : [])),
        [idAt(5)]
      )
      assert.deepStrictEqual(
        all.flatMap(({ acknowledged, notification }) => (acknowledged ? [notification.seq - 1] : [])),
        [4, 2, 1]
      )
    })
  )

  it.effect("an erased mailbox begins anew under another epoch", () =>
    Effect.gen(function* () {
      const { ada, bob, store } = yield* filled()
      const [before] = yield* store.load([ada])
      yield* store.setRead(
        ada,
        [(yield* store.after(ada, 0, 1, 1))[0]?.id].flatMap((id) => id ?? []),
        true,
        hoursAfterNoon(1)
      )
      assert.strictEqual(yield* store.erase(ada), 6)
      assert.strictEqual(yield* store.erase(ada), 0)
      const [after] = yield* store.load([ada])
      assert.deepInclude(after, { seq: 0, floor: 0, rev: 0, unread: 0, acknowledged: 0 })
      assert.notStrictEqual(after?.epoch, before?.epoch)
      yield* store.append([notification(ada, 1)])
      assert.strictEqual((yield* store.after(bob, 0, 6, 10)).length, 6)
    })
  )
}
