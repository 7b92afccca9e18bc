import type { Draft } from "@beckon/domain/Notification"
import { ScheduleStore } from "@beckon/domain/ports/ScheduleStore"
import type { Scheduled } from "@beckon/domain/ports/ScheduleStore"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Duration, Effect } from "effect"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { freshKey, freshTenant, hoursAfterNoon, noon, notificationId } from "./Fixtures.ts"

let ids = 0
const lease = Duration.minutes(1)

const scheduled = (key: MailboxKey, hours: number, draft: Partial<Draft> = {}): Scheduled => ({
  id: notificationId(`scheduled-${String(++ids).padStart(6, "0")}`),
  draft: {
    ...key,
    type: "reminder",
    title: "Soon",
    message: "Your table is ready",
    priority: "medium",
    ...draft
  },
  sendAt: hoursAfterNoon(hours),
  createdAt: noon
})

const idsOf = (entries: ReadonlyArray<Scheduled>) => entries.map(({ id }) => id)

const drain = Effect.gen(function* () {
  const store = yield* ScheduleStore
  const take = Effect.flatMap(store.claim(1_000, hoursAfterNoon(9_999), lease), (due) =>
    Effect.as(store.remove(idsOf(due)), due.length)
  )
  while ((yield* take) > 0);
  return store
})

export const scheduleStoreContract = (it: Vitest.MethodsNonLive<ScheduleStore>) => {
  it.effect("what is due is taken, the earliest first, and comes back unless it is removed", () =>
    Effect.gen(function* () {
      const store = yield* drain
      const key = freshKey()
      const options = { category: "ø 👋", cancelKey: "c" }
      const entries = [3, 1, 2, 9].map((hours) => scheduled(key, hours, { data: { hours }, options, urgency: 7 }))
      const [three, one, two] = entries
      expect(yield* store.add(entries)).toEqual(idsOf(entries))
      expect(yield* store.add([])).toEqual([])
      expect(yield* store.claim(10, noon, lease)).toEqual([])
      expect(yield* store.claim(2, hoursAfterNoon(3), lease)).toEqual([one, two])
      expect(yield* store.claim(10, hoursAfterNoon(3), lease)).toEqual([three])
      expect(yield* store.claim(10, hoursAfterNoon(3), lease)).toEqual([])
      yield* store.remove(idsOf([one, three].filter((entry) => entry !== undefined)))
      yield* store.remove([])
      expect(yield* store.claim(10, hoursAfterNoon(4), lease)).toEqual([two])
    })
  )

  it.effect("workers that claim at once never get the same", () =>
    Effect.gen(function* () {
      const store = yield* drain
      const entries = Array.from({ length: 60 }, () => scheduled(freshKey(), 0))
      yield* store.add(entries)
      const claims = yield* Effect.all(
        Array.from({ length: 8 }, () => store.claim(10, noon, lease)),
        { concurrency: "unbounded" }
      )
      const taken = idsOf([...claims.flat(), ...(yield* store.claim(99, noon, lease))])
      expect(taken.toSorted()).toEqual(idsOf(entries))
    })
  )

  it.effect("the same dedupe key waits once", () =>
    Effect.gen(function* () {
      const store = yield* drain
      const key = freshKey()
      const [first, again, other, bare] = [
        scheduled(key, 1, { dedupeKey: "k" }),
        scheduled(key, 2, { dedupeKey: "k" }),
        scheduled(freshKey(), 3, { dedupeKey: "k" }),
        scheduled(key, 4)
      ]
      expect(yield* store.add([first, again, other, bare])).toEqual([first.id, first.id, other.id, bare.id])
      const third = scheduled(key, 5, { dedupeKey: "k" })
      expect(yield* store.add([bare, third].slice(1))).toEqual([first.id])
      expect(yield* store.get(key.tenantId, first.id)).toEqual(first)
      expect(yield* store.get(key.tenantId, third.id)).toBeUndefined()
      yield* store.remove([first.id])
      expect(yield* store.add([third])).toEqual([third.id])
    })
  )

  it.effect("all are saved or none", () =>
    Effect.gen(function* () {
      const store = yield* drain
      const [taken, fresh] = [scheduled(freshKey(), 1), scheduled(freshKey(), 1)]
      yield* store.add([taken])
      expect(yield* Effect.flip(store.add([fresh, taken]))).toMatchObject({ _tag: "StoreUnavailable" })
      expect(yield* store.get(fresh.draft.tenantId, fresh.id)).toBeUndefined()
    })
  )

  it.effect("what waits is cancelled by its id or its key; what is being sent is not", () =>
    Effect.gen(function* () {
      const store = yield* drain
      const key = freshKey()
      const options = { cancelKey: "order-1" }
      const [one, two, three, other] = [
        scheduled(key, 1, { options }),
        scheduled(key, 2, { options }),
        scheduled(key, 3),
        scheduled(freshKey(), 4, { options })
      ]
      yield* store.add([one, two, three, other])
      expect(yield* store.claim(1, hoursAfterNoon(1), lease)).toEqual([one])
      expect(yield* store.cancel(key.tenantId, options, hoursAfterNoon(1))).toBe(1)
      expect(yield* store.cancel(freshTenant(), { id: three.id }, noon)).toBe(0)
      expect(yield* store.cancel(key.tenantId, { id: three.id }, noon)).toBe(1)
      // The lease of the first is over: nobody is sending it.
      expect(yield* store.cancel(key.tenantId, options, hoursAfterNoon(2))).toBe(1)
      expect(yield* store.claim(9, hoursAfterNoon(9), lease)).toEqual([other])
      expect(yield* store.get(key.tenantId, other.id)).toBeUndefined()
    })
  )
}
