import type { NewDelivery } from "@beckon/domain/Delivery"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { DateTime, Duration, Effect } from "effect"
import {
  claimOf,
  dead,
  drain,
  email,
  failed,
  planned,
  push,
  reportOf,
  secondsAfterNoon,
  sent,
  tryOf,
  waitUntil
} from "./DeliveryFixtures.ts"
import type { DeliveryServices } from "./DeliveryStore.contract.ts"
import { freshKey, noon } from "./Fixtures.ts"

const gathered: NewDelivery = { ...email, digest: { key: "user", window: Duration.minutes(10), maxItems: 100 } }

const waits = waitUntil(secondsAfterNoon(10))

export const deliveryClaimsContract = (it: Vitest.MethodsNonLive<DeliveryServices>) => {
  it.effect("a delivery that waits for a provider does not use up a try, but the number of its claim", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      yield* planned(key, [push])
      const [one] = yield* claimOf(key)
      if (one === undefined) return expect.unreachable()
      const shown = Effect.map(store.list(key.tenantId, { limit: 9 }), (rows) => rows[0])
      yield* store.report([reportOf(one, waits)], noon)
      // The answer was lost, and the report comes again.
      yield* store.report([reportOf(one, waits)], noon)
      const due = { dueAt: secondsAfterNoon(10), reason: "breaker_open" }
      expect(yield* shown).toMatchObject({ state: "sending", attempts: 0, failures: 0, ...due })
      // Nobody holds it: a heartbeat that comes late does not make it wait longer.
      expect(yield* store.extend([{ id: one.delivery.id, attempt: 1 }], secondsAfterNoon(99))).toEqual([])
      const [two] = yield* claimOf(key, { now: secondsAfterNoon(10) })
      expect(two).toMatchObject({ attempt: 2, since: noon, delivery: { attempts: 1 } })
      if (two === undefined) return expect.unreachable()
      const claims = [one, two].map(({ attempt, delivery: { id } }) => ({ id, attempt }))
      expect(yield* store.extend(claims.slice(0, 1), secondsAfterNoon(99))).toEqual([])
      expect(yield* store.extend(claims, secondsAfterNoon(70))).toEqual([two.delivery.id])
      yield* store.report([reportOf(one, waits), reportOf(one, dead)], secondsAfterNoon(11))
      expect(yield* shown).toMatchObject({ state: "sending", attempts: 1, dueAt: secondsAfterNoon(70) })
      // A provider was asked: that was a try.
      const asked = tryOf("fcm", { outcome: "throttled" })
      yield* store.report([reportOf(two, waits, [asked])], secondsAfterNoon(12))
      yield* store.report([reportOf(two, waits, [asked])], secondsAfterNoon(12))
      expect(yield* shown).toMatchObject({ state: "sending", attempts: 1, failures: 0, ...due })
      const [three] = yield* claimOf(key, { now: secondsAfterNoon(12) })
      expect(three).toMatchObject({ attempt: 3, delivery: { attempts: 2 } })
      if (three === undefined) return expect.unreachable()
      yield* store.report([reportOf(three, sent("m"), [tryOf("fcm")])], secondsAfterNoon(13))
      const found = yield* store.get(key.tenantId, three.delivery.id)
      expect(found).toMatchObject({
        value: { state: "sent", attempts: 2, history: [{ attempt: 2 }, { attempt: 3 }] }
      })
    })
  )

  it.effect("claims that nobody reported on are counted, until one is reported on that was held", () =>
    Effect.gen(function* () {
      yield* drain
      const key = freshKey()
      const store = yield* DeliveryStore
      yield* planned(key, [push])
      const claimAt = (seconds: number) =>
        Effect.map(claimOf(key, { now: secondsAfterNoon(seconds) }), ([one]) => one ?? expect.unreachable())
      const first = yield* claimAt(0)
      expect(first.unreported).toBe(1)
      const second = yield* claimAt(60)
      expect(second.unreported).toBe(2)
      // Its lease is lost: it says nothing of the worker that has it now.
      yield* store.report([reportOf(first, failed(secondsAfterNoon(61)))], secondsAfterNoon(61))
      const third = yield* claimAt(120)
      expect(third).toMatchObject({ unreported: 3, attempt: 3 })
      yield* store.report([reportOf(third, waitUntil(secondsAfterNoon(130)))], secondsAfterNoon(121))
      const fourth = yield* claimAt(130)
      expect(fourth).toMatchObject({ unreported: 1, attempt: 4 })
      yield* claimAt(190)
      const sixth = yield* claimAt(250)
      expect(sixth).toMatchObject({ unreported: 3, attempt: 6 })
      yield* store.report([reportOf(sixth, failed(secondsAfterNoon(260)))], secondsAfterNoon(251))
      expect(yield* claimAt(260)).toMatchObject({ unreported: 1, attempt: 7 })
    })
  )

  it.effect("cancel also takes back what waits for a provider, alone and in a digest", () =>
    Effect.gen(function* () {
      yield* drain
      const store = yield* DeliveryStore
      const key = freshKey()
      const options = { cancelKey: "order-1" }
      const rows = yield* planned(key, [push, { ...push, channel: "sms" }, gathered], 2, { options })
      const claims = yield* claimOf(key)
      expect(claims).toHaveLength(5)
      expect(yield* store.cancel(key.tenantId, options, noon)).toBe(0)
      yield* store.report(
        claims.filter(({ delivery }) => delivery.channel !== "sms").map((one) => reportOf(one, waits)),
        noon
      )
      const target = { notificationId: rows[0]?.id ?? expect.unreachable() }
      expect(yield* store.cancel(key.tenantId, target, noon)).toBe(2)
      expect(yield* store.list(key.tenantId, { channel: "email", limit: 9 })).toMatchObject([
        { items: 1, state: "sending" }
      ])
      expect(yield* store.cancel(key.tenantId, options, noon)).toBe(2)
      const states = Effect.map(store.list(key.tenantId, { limit: 9 }), (all) =>
        all.map(({ channel, state }) => `${channel} ${state}`).toSorted()
      )
      const busy = ["sms sending", "sms sending"]
      const cancelled = ["email cancelled", "push cancelled", "push cancelled"]
      expect(yield* states).toEqual([...cancelled, ...busy])
      expect(yield* claimOf(key, { now: secondsAfterNoon(20) })).toEqual([])
      // What was taken again after a wait is a worker's once more.
      const sms = claims.filter(({ delivery }) => delivery.channel === "sms")
      yield* store.report(
        sms.map((one) => reportOf(one, waits)),
        noon
      )
      expect(yield* claimOf(key, { now: secondsAfterNoon(20) })).toHaveLength(2)
      expect(yield* store.cancel(key.tenantId, options, noon)).toBe(0)
      expect(yield* states).toEqual([...cancelled, ...busy])
      expect(yield* store.reconcile(DateTime.add(noon, { seconds: 21 }), Duration.minutes(1))).toMatchObject({
        strayItems: 0,
        contradictions: 0
      })
    })
  )
}
