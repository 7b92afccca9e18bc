import { assert, describe, it } from "@effect/vitest"
import { DateTime, Schema } from "effect"
import * as fc from "fast-check"
import { OrderEvent } from "../../src/events/OrderEvent.ts"
import { folded, replaces, trackingChange } from "../../src/events/OrderTracking.ts"
import type { TrackingChange } from "../../src/events/OrderTracking.ts"
import { UserId } from "../../src/Identifiers.ts"

const decode = Schema.decodeUnknownSync(OrderEvent)
const changeOf = (eventType: string, other: Record<string, unknown> = {}) =>
  trackingChange(
    decode({ eventId: 1, eventType, orderId: 7, customerId: 3, timestamp: "2026-01-31T10:00:00Z", ...other })
  )

describe("what an order's event means for its followers", () => {
  it("an order with a driver lets its customer follow him for a day", () => {
    for (const type of ["order_accepted", "driver_assigned", "order_picked_up", "driver_nearby"]) {
      const change = changeOf(type, { driverId: 9 })
      assert(change)
      assert.strictEqual(change.driverId, UserId.make("9"))
      assert.strictEqual(change.customerId, UserId.make("3"))
      assert.strictEqual(DateTime.formatIso(change.until), "2026-02-01T10:00:00.000Z")
      assert.isUndefined(changeOf(type))
      assert.isUndefined(changeOf(type, { driverId: null }))
    }
  })

  it("a delivered or cancelled order ends it; a new or a paid one changes nothing", () => {
    for (const type of ["order_delivered", "order_cancelled"]) {
      const change = changeOf(type, { driverId: 9 })
      assert.isDefined(change)
      assert.isUndefined(change?.driverId)
    }
    for (const type of ["order_created", "payment_received"]) assert.isUndefined(changeOf(type, { driverId: 9 }))
  })
})

describe("many changes of one order", () => {
  const change = (at: number, driver: string | undefined): TrackingChange => ({
    orderId: "1",
    customerId: UserId.make("c"),
    driverId: driver === undefined ? undefined : UserId.make(driver),
    at: DateTime.makeUnsafe(at),
    until: DateTime.makeUnsafe(at + 1)
  })
  const changes = fc.uniqueArray(
    fc.record({ at: fc.nat(50), driver: fc.option(fc.constantFrom("d", "e"), { nil: undefined, freq: 4 }) }),
    { selector: ({ at }) => at, minLength: 1, maxLength: 12 }
  )

  it("leave the same in any order and any repetition: an end, else the newest", () => {
    fc.assert(
      fc.property(changes, fc.infiniteStream(fc.nat()), (list, chance) => {
        const all = list.map(({ at, driver }) => change(at, driver))
        const shuffled = [...all, ...all]
          .map((one) => [chance.next().value ?? 0, one] as const)
          .toSorted(([one], [other]) => one - other)
          .map(([, one]) => one)
        const [left] = folded(shuffled)
        const isEnded = all.some(({ driverId }) => driverId === undefined)
        assert.strictEqual(left?.driverId === undefined, isEnded)
        if (!isEnded) assert.strictEqual(Number(left?.at.epochMilliseconds), Math.max(...list.map(({ at }) => at)))
        for (const one of all) assert.isFalse(left !== undefined && left.driverId === undefined && replaces(left, one))
      })
    )
  })
})
