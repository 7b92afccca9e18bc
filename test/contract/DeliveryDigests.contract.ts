import type { NewDelivery } from "@beckon/domain/Delivery"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { DateTime, Duration, Effect } from "effect"
import {
  accept,
  claimOf,
  drain,
  email,
  planAll,
  planned,
  push,
  reportOf,
  secondsAfterNoon,
  sent
} from "./DeliveryFixtures.ts"
import type { DeliveryServices } from "./DeliveryStore.contract.ts"
import { freshKey, noon, notification, seqsOf, user } from "./Fixtures.ts"

const window = Duration.minutes(10)

/** A window later than its item, as a plan asks for. */
const gathered = (maxItems = 100, key = "user"): NewDelivery => ({
  ...email,
  dueAt: DateTime.addDuration(noon, window),
  digest: { key, window, maxItems }
})

const limited = (limit: number, other: Partial<NewDelivery> = {}): NewDelivery => ({
  ...push,
  throttle: { key: "push:user", limit, window },
  ...other
})

export const deliveryDigestsContract = (it: Vitest.MethodsNonLive<DeliveryServices>) => {
  it.effect("a digest is wanted as long as one of its items is: the widest of their conditions holds", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const notifications = yield* NotificationStore
      const key = freshKey()
      const conditionOf = Effect.map(store.list(key.tenantId, { limit: 9 }), (all) => all.map((one) => one.condition))
      yield* planned(key, [{ ...gathered(), condition: "unacknowledged" }])
      expect(yield* conditionOf).toEqual(["unacknowledged"])
      yield* notifications.append([notification(key, 2, { planAt: noon }), notification(key, 3, { planAt: noon })])
      yield* planAll(({ seq }) => [{ ...gathered(), condition: seq === 2 ? "always" : "unseen" }])
      expect(yield* conditionOf).toEqual(["always"])
    })
  )

  it.effect("what gathers under a key of a user goes out as one, when the window of the first ends", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const notifications = yield* NotificationStore
      const key = freshKey()
      const rows = yield* planned(key, [gathered()], 3)
      const other = { ...key, userId: user("bob") }
      yield* planned(other, [gathered()])
      yield* notifications.append([notification(key, 4, { planAt: noon })])
      const later = { ...gathered(), dueAt: secondsAfterNoon(900), urgency: 8 }
      yield* planAll(() => [later, { ...gathered(), key: "user" }, gathered(100, "other")])
      const listed = yield* store.list(key.tenantId, { userId: key.userId, limit: 9 })
      expect(listed).toMatchObject([
        { items: 4, state: "pending", notificationId: null, urgency: 8, dueAt: secondsAfterNoon(600), userId: "ada" }
      ])
      expect(yield* claimOf(key, { now: secondsAfterNoon(599) })).toEqual([])
      const claims = yield* claimOf(key, { now: secondsAfterNoon(600) })
      expect(claims.map((one) => [one.delivery.userId, seqsOf(one.notifications)])).toEqual([
        ["ada", [1, 2, 3, 4]],
        ["bob", [1]]
      ])
      expect(claims[0]?.notifications[0]).toEqual({ ...rows[0], planAt: null })
      const found = yield* store.ofNotification(key.tenantId, rows[1]?.id ?? noId)
      expect(found).toMatchObject([{ id: claims[0]?.delivery.id, items: 4, history: [] }])
    })
  )

  it.effect("one that was taken gathers no more, and what is full goes out at once", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      yield* planned(key, [gathered(3)], 8)
      const items = Effect.map(store.list(key.tenantId, { limit: 9 }), (rows) =>
        rows.map((row) => row.items).toReversed()
      )
      expect(yield* items).toEqual([3, 3, 2])
      const full = yield* claimOf(key)
      expect(full.map((one) => seqsOf(one.notifications))).toEqual([
        [1, 2, 3],
        [4, 5, 6]
      ])
      yield* (yield* DeliveryStore).report(
        full.map((one) => reportOf(one, sent())),
        noon
      )
      expect(yield* claimOf(key, { now: secondsAfterNoon(600) })).toMatchObject([{ delivery: { items: 2 } }])
      const notifications = yield* NotificationStore
      yield* notifications.append([notification(key, 9, { planAt: noon })])
      yield* planAll(() => [gathered(3)])
      expect(yield* items).toEqual([3, 3, 2, 1])
    })
  )

  it.effect("a full one that waits for the end of a silence does not break it", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const notifications = yield* NotificationStore
      const morning = DateTime.add(noon, { hours: 9 })
      // The silence begins before the window ends: full before that, it goes at once.
      const early = freshKey()
      yield* planned(early, [{ ...gathered(2), dueAt: morning }], 2)
      expect(yield* claimOf(early)).toMatchObject([{ delivery: { items: 2 } }])
      // Full while it is silent, it waits for the morning.
      const late = freshKey()
      const quiet = { key: "user", window, maxItems: 2, notBefore: morning }
      yield* planned(late, [{ ...gathered(2), dueAt: morning }])
      yield* notifications.append([notification(late, 2, { planAt: noon })])
      yield* planAll(() => [{ ...gathered(2), dueAt: morning, digest: quiet }], secondsAfterNoon(60))
      expect(yield* claimOf(late, { now: DateTime.subtract(morning, { seconds: 1 }) })).toEqual([])
      expect(yield* claimOf(late, { now: morning })).toMatchObject([{ delivery: { items: 2 } }])
      // What was due before stays due.
      const due = freshKey()
      yield* planned(due, [gathered(2)])
      yield* notifications.append([notification(due, 2, { planAt: noon })])
      yield* planAll(() => [{ ...gathered(2), dueAt: morning, digest: quiet }], secondsAfterNoon(60))
      expect(yield* store.list(due.tenantId, { limit: 9 })).toMatchObject([{ items: 2, dueAt: secondsAfterNoon(600) }])
    })
  )

  it.effect("a digest brings only what is unseen, and says when nothing is left to say", () =>
    Effect.gen(function* () {
      yield* drain
      const notifications = yield* NotificationStore
      const key = freshKey()
      const options = { correlationId: "c" }
      const rows = yield* planned(key, [gathered()], 3, { options })
      yield* notifications.saveAcknowledged([{ ...key, seq: 3 }])
      yield* notifications.setRead(
        key,
        rows.slice(0, 2).map(({ id }) => id),
        true,
        noon
      )
      const [some] = yield* claimOf(key, { now: secondsAfterNoon(600) })
      expect(some).toMatchObject({ acknowledged: true, seen: false, options, delivery: { items: 3 } })
      expect(seqsOf(some?.notifications ?? [])).toEqual([3])
      yield* notifications.setRead(
        key,
        rows.map(({ id }) => id),
        true,
        noon
      )
      const [none] = yield* claimOf(key, { now: secondsAfterNoon(700) })
      expect(none).toMatchObject({ acknowledged: true, seen: true, notifications: [], options: undefined })
    })
  )

  it.effect("beyond the limit of a window, deliveries are kept as skipped", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const notifications = yield* NotificationStore
      const key = freshKey()
      yield* planned(key, [limited(3)], 2)
      yield* planned({ ...key, userId: user("bob") }, [limited(3)], 2)
      yield* notifications.append([3, 4, 5].map((seq) => notification(key, seq, { planAt: noon })))
      // Another window, another counter, not wanted anyway: none of them counts here.
      const others = [
        limited(3, { dueAt: DateTime.addDuration(noon, window) }),
        limited(3, { throttle: { key: "other", limit: 3, window } }),
        limited(3, { skipped: "muted" })
      ]
      yield* planAll((due) => [limited(3), ...(due.seq === 3 ? others : [])])
      const fates = Effect.map(store.list(key.tenantId, { userId: key.userId, limit: 99 }), (rows) =>
        rows.map((row) => row.reason ?? row.state).toSorted()
      )
      expect(yield* fates).toEqual([
        "muted",
        "pending",
        "pending",
        "pending",
        "pending",
        "pending",
        "throttled",
        "throttled"
      ])
      expect(yield* claimOf(key)).toHaveLength(6)
    })
  )

  it.effect("what a plan lost to a defect is gathered and counted when it comes again", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      yield* accept(key, 3)
      yield* planAll((due) => {
        if (due.seq === 2) throw new Error("defect")
        return [gathered(), limited(2)]
      })
      yield* planAll(() => [gathered(), limited(2)], secondsAfterNoon(60))
      const rows = yield* store.list(key.tenantId, { limit: 9 })
      expect(rows.filter(({ channel }) => channel === "email")).toMatchObject([{ items: 3 }])
      expect(
        rows
          .filter(({ channel }) => channel === "push")
          .map(({ state }) => state)
          .toSorted()
      ).toEqual(["pending", "pending", "skipped"])
    })
  )
}

const noId = notification(freshKey(), 1).id
