import type { TrackingChange } from "@beckon/domain/events/OrderTracking"
import { TrackingGrants } from "@beckon/domain/ports/TrackingGrants"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { freshTenant, hoursAfterNoon, noon, user } from "./Fixtures.ts"

const following = (customer: string, driver: string) => ({ customerId: user(customer), driverId: user(driver) })

/** At so many hours after noon; until a day later. */
const change = (orderId: string, customer: string, driver: string | undefined, hours = 0): TrackingChange => ({
  orderId,
  customerId: user(customer),
  driverId: driver === undefined ? undefined : user(driver),
  at: hoursAfterNoon(hours),
  until: hoursAfterNoon(hours + 24)
})

export const trackingGrantsContract = (it: Vitest.MethodsNonLive<TrackingGrants>) => {
  it.effect("a customer follows the driver of his order, and nobody else does, in no other tenant", () =>
    Effect.gen(function* () {
      const grants = yield* TrackingGrants
      const [tenantId, other] = [freshTenant(), freshTenant()]
      expect(yield* grants.apply(tenantId, [])).toEqual([])
      expect(yield* grants.apply(tenantId, [change("o1", "ada", "dan"), change("o2", "zoë 👋", "dan")])).toEqual([])
      const asked = [
        following("ada", "dan"),
        following("bob", "dan"),
        following("zoë 👋", "dan"),
        following("ada", "eve")
      ]
      expect(yield* grants.areGranted(tenantId, asked, noon)).toEqual([true, false, true, false])
      expect(yield* grants.areGranted(other, asked, noon)).toEqual([false, false, false, false])
      expect(yield* grants.areGranted(tenantId, [], noon)).toEqual([])
    })
  )

  it.effect("the end of an order tells who followed, and is final", () =>
    Effect.gen(function* () {
      const grants = yield* TrackingGrants
      const tenantId = freshTenant()
      const ask = grants.areGranted(tenantId, [following("ada", "dan")], noon)
      yield* grants.apply(tenantId, [change("o1", "ada", "dan"), change("o2", "ada", "dan")])
      // An end counts even with an older time than the last event.
      expect(yield* grants.apply(tenantId, [change("o1", "ada", undefined, -1)])).toEqual([following("ada", "dan")])
      // The other order is still under way.
      expect(yield* ask).toEqual([true])
      expect(yield* grants.apply(tenantId, [change("o2", "ada", undefined, 1)])).toEqual([following("ada", "dan")])
      expect(yield* ask).toEqual([false])
      expect(yield* grants.apply(tenantId, [change("o1", "ada", "dan", 5), change("o2", "ada", undefined, 6)])).toEqual(
        []
      )
      expect(yield* ask).toEqual([false])
      // An end that comes first leaves nothing to open.
      yield* grants.apply(tenantId, [change("o3", "ada", undefined)])
      yield* grants.apply(tenantId, [change("o3", "ada", "dan", 1)])
      expect(yield* ask).toEqual([false])
    })
  )

  it.effect("another driver takes the place of the one before, unless the event is older", () =>
    Effect.gen(function* () {
      const grants = yield* TrackingGrants
      const tenantId = freshTenant()
      const ask = grants.areGranted(tenantId, [following("ada", "dan"), following("ada", "eve")], noon)
      yield* grants.apply(tenantId, [change("o1", "ada", "dan", 1)])
      expect(yield* grants.apply(tenantId, [change("o1", "ada", "eve", 0)])).toEqual([])
      expect(yield* ask).toEqual([true, false])
      expect(yield* grants.apply(tenantId, [change("o1", "ada", "eve", 2)])).toEqual([following("ada", "dan")])
      expect(yield* ask).toEqual([false, true])
      // The same driver again: nobody loses anything.
      expect(yield* grants.apply(tenantId, [change("o1", "ada", "eve", 3)])).toEqual([])
      // Changes of one order in one call count one after the other.
      expect(yield* grants.apply(tenantId, [change("o1", "ada", "dan", 5), change("o1", "ada", undefined, 4)])).toEqual(
        [following("ada", "eve")]
      )
      expect(yield* ask).toEqual([false, false])
    })
  )

  it.effect("a grant ends by time, and is removed later", () =>
    Effect.gen(function* () {
      const grants = yield* TrackingGrants
      const tenantId = freshTenant()
      yield* grants.apply(tenantId, [change("o1", "ada", "dan"), change("o2", "bob", undefined)])
      const asked = [following("ada", "dan")]
      expect(yield* grants.areGranted(tenantId, asked, hoursAfterNoon(23))).toEqual([true])
      expect(yield* grants.areGranted(tenantId, asked, hoursAfterNoon(24))).toEqual([false])
      // Those of other tests end later or are removed with them.
      while ((yield* grants.reap(hoursAfterNoon(25), 1)) > 0);
      expect(yield* grants.reap(hoursAfterNoon(25), 1)).toBe(0)
      // Nothing is remembered of the order, so that it may begin again.
      yield* grants.apply(tenantId, [change("o2", "bob", "dan")])
      expect(yield* grants.areGranted(tenantId, [following("bob", "dan")], noon)).toEqual([true])
    })
  )

  it.effect("of many who end the same order at once one is told who followed", () =>
    Effect.gen(function* () {
      const grants = yield* TrackingGrants
      const tenantId = freshTenant()
      const orders = Array.from({ length: 20 }, (_, index) => `o${index}`)
      yield* grants.apply(
        tenantId,
        orders.map((order) => change(order, order, "dan"))
      )
      const ended = yield* Effect.forEach(
        [orders, orders.toReversed(), orders],
        (some) =>
          grants.apply(
            tenantId,
            some.map((order) => change(order, order, undefined, 1))
          ),
        { concurrency: "unbounded" }
      )
      expect(ended.flat()).toHaveLength(20)
      expect(new Set(ended.flat().map(({ customerId }) => customerId)).size).toBe(20)
    })
  )
}
