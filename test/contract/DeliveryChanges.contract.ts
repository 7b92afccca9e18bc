import { DeliveryId } from "@beckon/domain/Delivery"
import type { NewDelivery } from "@beckon/domain/Delivery"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Duration, Effect, Option } from "effect"
import {
  accept,
  claimOf,
  dead,
  direct,
  drain,
  email,
  eventOf,
  failed,
  planAll,
  planned,
  push,
  reportOf,
  secondsAfterNoon,
  sent,
  tryOf
} from "./DeliveryFixtures.ts"
import type { DeliveryServices } from "./DeliveryStore.contract.ts"
import { freshKey, freshTenant, noon, notification, seqsOf } from "./Fixtures.ts"

const gathered: NewDelivery = { ...email, digest: { key: "user", window: Duration.minutes(10), maxItems: 100 } }
const patience = Duration.minutes(1)

export const deliveryChangesContract = (it: Vitest.MethodsNonLive<DeliveryServices>) => {
  it.effect("a delivery without a notification carries its own content", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      const ids = yield* store.add([direct(key), direct(key, { userId: key.userId, cancelKey: "c" })], noon)
      expect(yield* store.add([], noon)).toEqual([])
      const claims = yield* claimOf(key)
      expect(claims.map(({ delivery }) => delivery.id)).toEqual(ids)
      expect(claims[0]).toMatchObject({
        content: { title: "News" },
        notifications: [],
        acknowledged: false,
        seen: false,
        delivery: { userId: null, notificationId: null, target: { _tag: "Topic", topic: "news" }, items: 0 }
      })
    })
  )

  it.effect("cancel takes back what waits, and leaves what was begun", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      const options = { cancelKey: "order-1" }
      yield* planned(key, [push, email], 1, { options })
      const [busy] = yield* claimOf(key, { channels: ["push"] })
      yield* store.add([direct(key, { cancelKey: "order-1" }), direct(key, { cancelKey: "order-2" })], noon)
      expect(yield* store.cancel(freshTenant(), options, noon)).toBe(0)
      expect(yield* store.cancel(key.tenantId, options, secondsAfterNoon(1))).toBe(2)
      expect(yield* store.cancel(key.tenantId, options, noon)).toBe(0)
      expect(yield* store.list(key.tenantId, { states: ["cancelled"], limit: 9 })).toMatchObject([
        { reason: "cancelled", updatedAt: secondsAfterNoon(1) },
        { reason: "cancelled" }
      ])
      if (busy === undefined) return expect.unreachable()
      yield* store.report([reportOf(busy, failed(secondsAfterNoon(5)))], noon)
      const id = busy.delivery.notificationId
      if (id === null) return expect.unreachable()
      expect(yield* store.cancel(key.tenantId, { notificationId: id }, noon)).toBe(1)
      expect((yield* claimOf(key, { now: secondsAfterNoon(9) })).map(({ content }) => content)).toEqual([
        { title: "News" }
      ])
    })
  )

  it.effect("cancel reaches what is not planned yet and what waits in a digest", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const notifications = yield* NotificationStore
      const key = freshKey()
      const options = { cancelKey: "order-1" }
      const rows = yield* planned(key, [gathered], 2)
      yield* notifications.append([
        notification(key, 3, { planAt: noon, options }),
        notification(key, 4, { planAt: noon, options })
      ])
      yield* planAll(() => [gathered])
      yield* notifications.append([notification(key, 5, { planAt: noon, options })])
      expect(yield* store.cancel(key.tenantId, options, noon)).toBe(3)
      expect(yield* planAll(() => [push])).toMatchObject({ notifications: 0 })
      expect(yield* store.list(key.tenantId, { limit: 9 })).toMatchObject([{ items: 2, state: "pending" }])
      for (const { id } of rows) expect(yield* store.cancel(key.tenantId, { notificationId: id }, noon)).toBe(1)
      expect(yield* store.list(key.tenantId, { limit: 9 })).toMatchObject([{ items: 0, state: "cancelled" }])
      // It gathers no more: a new one opens.
      yield* notifications.append([notification(key, 6, { planAt: noon })])
      yield* planAll(() => [gathered])
      expect((yield* claimOf(key)).map((one) => seqsOf(one.notifications))).toEqual([[6]])
    })
  )

  it.effect("a dead delivery is sent again once, as a new one that is wanted whatever has happened", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      const [row] = yield* planned(key, [push, { ...gathered, dueAt: noon }], 1, { options: { cancelKey: "c" } })
      yield* store.add([direct(key)], noon)
      const claims = yield* claimOf(key)
      yield* store.report(
        claims.map((one) => reportOf(one, { ...failed(noon), progress: ["hash"] })),
        noon
      )
      yield* store.report(
        (yield* claimOf(key)).map((one) => reportOf(one, dead, [tryOf("fcm", { outcome: "permanent" })])),
        noon
      )
      const ids = claims.map(({ delivery }) => delivery.id)
      expect(yield* store.list(key.tenantId, { unresolved: true, limit: 9 })).toHaveLength(3)
      expect(yield* store.replay(freshTenant(), { _tag: "Ids", ids }, noon)).toEqual([])
      const again = secondsAfterNoon(10)
      const answers = yield* Effect.all(
        [
          store.replay(key.tenantId, { _tag: "Ids", ids }, again),
          store.replay(key.tenantId, { _tag: "Ids", ids }, again)
        ],
        { concurrency: "unbounded" }
      )
      const pairs = answers.flat()
      expect(pairs.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
      expect(yield* store.list(key.tenantId, { unresolved: true, limit: 9 })).toEqual([])
      expect(yield* store.list(key.tenantId, { states: ["dead"], limit: 9 })).toMatchObject(
        ids.map(() => ({ resolution: "replayed", updatedAt: again }))
      )
      const replays = yield* claimOf(key, { now: again })
      expect(replays).toHaveLength(3)
      for (const one of replays) {
        const former = claims.find(({ delivery }) => delivery.id === one.delivery.replayOf)
        if (former === undefined) return expect.unreachable()
        const { channel, items, notificationId, target, userId } = former.delivery
        expect(one).toMatchObject({
          delivery: { channel, items, notificationId, target, userId, condition: "always", failures: 0 },
          attempt: 1,
          since: again,
          content: former.content,
          notifications: former.notifications,
          progress: ["hash"]
        })
      }
      const fates = yield* store.ofNotification(key.tenantId, row?.id ?? noId)
      expect(fates.map(({ state }) => state).toSorted()).toEqual(["dead", "dead", "sending", "sending"])
      expect(fates.map(({ id }) => id)).toEqual(fates.map(({ id }) => id).toSorted())
      expect(yield* store.reconcile(again, patience)).toMatchObject({ strayItems: 0 })
    })
  )

  it.effect("a webhook without a notification keeps one id, however often it is sent again", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      const target = { _tag: "Endpoint", endpointId: "w" } as const
      const delivery: NewDelivery = { ...push, channel: "webhook", target, condition: "always" }
      const ids = yield* store.add(
        [
          direct(key, { delivery, content: { type: "delivery.sent" } }),
          direct(key, { delivery, content: { type: "test", id: "msg_own" } }),
          direct(key)
        ],
        noon
      )
      const expected = [
        { type: "delivery.sent", id: `msg_${ids[0]}` },
        { type: "test", id: "msg_own" },
        { title: "News" }
      ]
      for (let round = 0; round < 2; round++) {
        yield* store.report(
          (yield* claimOf(key)).map((one) => reportOf(one, dead)),
          noon
        )
        expect(yield* store.replay(key.tenantId, { _tag: "All", limit: 9 }, noon)).toHaveLength(3)
        const contents = yield* claimOf(key, { now: noon })
        expect(contents.map(({ content }) => content)).toEqual(expect.arrayContaining(expected))
        yield* store.report(
          contents.map((one) => reportOf(one, failed(noon))),
          noon
        )
      }
    })
  )

  it.effect("what an endpoint was told is told again as often as one asks, and nothing of another endpoint", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      const to = (endpointId: string) =>
        direct(key, {
          delivery: { ...push, channel: "webhook", target: { _tag: "Endpoint", endpointId }, condition: "always" },
          content: { type: "test", id: `msg_${endpointId}` }
        })
      const ids = yield* store.add([to("w"), to("w"), to("other")], noon)
      const claims = yield* claimOf(key)
      const [told = "", died = ""] = ids
      yield* store.report(
        claims.map((one) => reportOf(one, one.delivery.id === died ? dead : sent())),
        noon
      )
      const again = { _tag: "Ids", ids, endpointId: "w" } as const
      const stranger = yield* store.replay(freshKey().tenantId, again, noon)
      expect(stranger).toEqual([])
      expect((yield* store.replay(key.tenantId, again, noon)).map(({ id }) => id)).toEqual([told, died])
      // The dead one is done with; the other one may be told a third time.
      expect((yield* store.replay(key.tenantId, again, noon)).map(({ id }) => id)).toEqual([told])
      expect(yield* store.replay(key.tenantId, { _tag: "Ids", ids }, noon)).toEqual([])
      const contents = (yield* claimOf(key, { now: noon })).map(({ content }) => content)
      expect(contents).toEqual([1, 2, 3].map(() => ({ type: "test", id: "msg_w" })))
      expect(
        (yield* store.list(key.tenantId, { endpointId: "w", states: ["sent"], limit: 9 })).map(({ id }) => id)
      ).toEqual([told])
    })
  )

  it.effect("dead deliveries are discarded, and all of a channel is resolved so many at a time", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      yield* planned(key, [push, email], 3)
      yield* store.report(
        (yield* claimOf(key)).map((one) => reportOf(one, dead)),
        noon
      )
      const [first] = yield* store.list(key.tenantId, { channel: "email", limit: 1 })
      if (first === undefined) return expect.unreachable()
      expect(yield* store.discard(key.tenantId, { _tag: "Ids", ids: [first.id, DeliveryId.make("x")] }, noon)).toBe(1)
      expect(yield* store.discard(key.tenantId, { _tag: "Ids", ids: [first.id] }, noon)).toBe(0)
      expect(yield* store.replay(key.tenantId, { _tag: "Ids", ids: [first.id] }, noon)).toEqual([])
      expect(yield* store.replay(key.tenantId, { _tag: "All", channel: "push", limit: 2 }, noon)).toHaveLength(2)
      expect(yield* store.replay(key.tenantId, { _tag: "All", channel: "push", limit: 2 }, noon)).toHaveLength(1)
      expect(yield* store.discard(key.tenantId, { _tag: "All", limit: 9 }, noon)).toBe(2)
      expect(yield* store.counts(key.tenantId)).toEqual([
        { channel: "email", state: "dead", count: 3 },
        { channel: "push", state: "dead", count: 3 },
        { channel: "push", state: "pending", count: 3 }
      ])
    })
  )

  it.effect("lists come newest first, by what is asked for, page by page", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      yield* planned(key, [push, email], 3)
      yield* store.add([direct(key)], noon)
      const all = yield* store.list(key.tenantId, { limit: 99 })
      expect(all.map(({ id }) => id)).toEqual(
        all
          .map(({ id }) => id)
          .toSorted()
          .toReversed()
      )
      expect(all).toHaveLength(7)
      const page = yield* store.list(key.tenantId, { limit: 3 })
      const before = page[2]?.id
      if (before === undefined) return expect.unreachable()
      expect([...page, ...(yield* store.list(key.tenantId, { limit: 99, before }))]).toEqual(all)
      expect(yield* store.list(key.tenantId, { channel: "email", limit: 99 })).toHaveLength(3)
      expect(yield* store.list(key.tenantId, { userId: key.userId, limit: 99 })).toHaveLength(6)
      expect(yield* store.list(key.tenantId, { states: ["sent", "dead"], limit: 99 })).toEqual([])
      expect(yield* store.list(freshTenant(), { limit: 99 })).toEqual([])
      expect(yield* store.get(freshTenant(), before)).toEqual(Option.none())
      expect(Option.getOrThrow(yield* store.get(key.tenantId, before))).toEqual({ ...page[2], history: [] })
    })
  )

  it.effect("a check finds what is late, and nothing else when all is well", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      const base = yield* store.reconcile(noon, patience)
      expect(base).toMatchObject({ unplanned: 0, overdue: 0, strayItems: 0, contradictions: 0 })
      yield* planned(key, [push, { ...gathered, dueAt: noon }], 2)
      yield* accept({ ...key, userId: freshKey("late").userId }, 2)
      const late = secondsAfterNoon(60)
      expect(yield* store.reconcile(secondsAfterNoon(59), patience)).toEqual({ ...base, open: base.open + 3 })
      expect(yield* store.reconcile(late, patience)).toEqual({ ...base, open: base.open + 3, unplanned: 2, overdue: 3 })
      yield* planAll(() => [])
      const claims = yield* claimOf(key)
      const [one, two] = claims.filter(({ delivery }) => delivery.channel === "push")
      if (one === undefined || two === undefined) return expect.unreachable()
      // A try that reached a device and one that did not: no contradiction.
      const tries = [tryOf("fcm"), tryOf("fcm", { outcome: "transient" })]
      yield* store.report([reportOf(one, failed(late), tries), reportOf(two, sent("m"), [tryOf("fcm")])], noon)
      yield* store.recordEvents([eventOf({ providerMessageId: "m", state: "dead", code: "bounce" })], noon)
      expect(yield* store.reconcile(noon, patience)).toEqual({ ...base, open: base.open + 2 })
    })
  )
}

const noId = notification(freshKey(), 1).id
