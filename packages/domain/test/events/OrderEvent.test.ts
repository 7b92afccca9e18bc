import { Schema } from "effect"
import { assert, describe, it } from "vitest"
import { Event, toDrafts } from "../../src/events/Event.ts"
import { maxNearbyDrivers } from "../../src/events/OrderEvent.ts"
import { TenantId } from "../../src/Identifiers.ts"
import { Draft } from "../../src/Notification.ts"

const decode = Schema.decodeUnknownSync(Event)
const decodeExit = Schema.decodeUnknownExit(Event)
const tenantId = TenantId.make("acme")

const source = {
  eventId: "e1",
  eventType: "order_created",
  orderId: 42,
  customerId: 7,
  timestamp: "2026-01-31T10:00:00Z"
}

describe("a new order", () => {
  it("calls each nearby driver, with the distance", () => {
    const drafts = toDrafts(
      tenantId,
      decode({
        ...source,
        nearbyDrivers: [
          { driverId: 1, distanceKm: 2.44 },
          { driverId: "d2", distanceKm: 3 },
          { driverId: 3, distanceKm: 0.04 }
        ]
      })
    )
    assert.deepStrictEqual(
      drafts.map(({ message, priority, title, type, userId }) => ({
        message,
        priority,
        title,
        type,
        userId: String(userId)
      })),
      [
        {
          message: "Order #42 is 2.4km away. Accept now!",
          priority: "high",
          title: "New Order",
          type: "order_created",
          userId: "1"
        },
        {
          message: "Order #42 is 3km away. Accept now!",
          priority: "high",
          title: "New Order",
          type: "order_created",
          userId: "d2"
        },
        {
          message: "Order #42 is 0km away. Accept now!",
          priority: "high",
          title: "New Order",
          type: "order_created",
          userId: "3"
        }
      ]
    )
    assert.deepStrictEqual(drafts[0]?.data, { orderId: "42", customerId: "7", distanceKm: 2.44 })
    assert.isTrue(drafts.every(({ dedupeKey }) => dedupeKey === "order:e1"))
  })

  it("without drivers calls nobody", () => {
    assert.deepStrictEqual(toDrafts(tenantId, decode(source)), [])
    assert.deepStrictEqual(toDrafts(tenantId, decode({ ...source, nearbyDrivers: [] })), [])
  })

  it("calls at most 500 drivers", () => {
    const drivers = (count: number) => Array.from({ length: count }, (_, index) => ({ driverId: index, distanceKm: 1 }))
    assert.strictEqual(toDrafts(tenantId, decode({ ...source, nearbyDrivers: drivers(maxNearbyDrivers) })).length, 500)
    assert.strictEqual(decodeExit({ ...source, nearbyDrivers: drivers(maxNearbyDrivers + 1) })._tag, "Failure")
  })

  it.each([-1, 20_041, "2", null])("refuses the distance %j", (distanceKm) => {
    assert.strictEqual(decodeExit({ ...source, nearbyDrivers: [{ driverId: 1, distanceKm }] })._tag, "Failure")
  })
})

describe("a change of an order", () => {
  it.each([
    ["order_accepted", "Order Accepted", "Your order #42 was accepted", "medium"],
    ["order_picked_up", "Order Picked Up", "Your order #42 is on its way", "medium"],
    ["order_delivered", "Order Delivered", "Your order #42 was delivered", "high"],
    ["order_cancelled", "Order Cancelled", "Your order #42 was cancelled", "high"],
    ["driver_assigned", "Driver Assigned", "Dan takes care of your order #42", "medium"],
    ["driver_nearby", "Driver Nearby", "Dan is about to arrive with your order #42", "high"],
    ["payment_received", "Payment Received", "We received the payment for your order #42", "low"]
  ])("%s tells the customer", (eventType, title, message, priority) => {
    const event = decode({
      ...source,
      eventType,
      driverId: 9,
      driverName: "Dan",
      nearbyDrivers: [{ driverId: 1, distanceKm: 1 }]
    })
    const [draft, ...more] = toDrafts(tenantId, event)
    assert.deepStrictEqual(more, [])
    assert.deepInclude(draft ?? {}, {
      type: eventType,
      userId: "7",
      title,
      message,
      priority,
      dedupeKey: "order:e1",
      source: "order-events"
    })
    assert.deepStrictEqual(draft?.data, { orderId: "42", customerId: "7", driverId: "9" })
    assert.isTrue(Schema.is(Draft)(draft))
  })

  it.each([undefined, null])("speaks of the customer's driver when his name is %j", (driverName) => {
    const event = decode({ ...source, eventType: "driver_nearby", ...(driverName === undefined ? {} : { driverName }) })
    assert.strictEqual(toDrafts(tenantId, event)[0]?.message, "Your driver is about to arrive with your order #42")
  })
})
