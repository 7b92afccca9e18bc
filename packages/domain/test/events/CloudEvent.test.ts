import { Schema } from "effect"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { Event, toDrafts } from "../../src/events/Event.ts"
import { TenantId } from "../../src/Identifiers.ts"

const decode = Schema.decodeUnknownSync(Event)
const decodeExit = Schema.decodeUnknownExit(Event)
const tenantId = TenantId.make("acme")

const envelope = {
  specversion: "1.0",
  id: "ce-1",
  source: "https://shop.example/orders",
  type: "com.example.order_delivered",
  time: "2026-01-31T10:00:00Z",
  datacontenttype: "application/json",
  subject: "42",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
}
const data = { orderId: 42, customerId: 7 }

describe("a CloudEvent in structured mode", () => {
  it("lends its id, time and type to the event inside", () => {
    const plain = { ...data, eventId: "ce-1", eventType: "order_delivered", timestamp: "2026-01-31T10:00:00Z" }
    assert.deepStrictEqual(decode({ ...envelope, data }), decode(plain))
    assert.strictEqual(toDrafts(tenantId, decode({ ...envelope, data }))[0]?.dedupeKey, "order:ce-1")
  })

  it.each(["order_delivered", "com.example.order_delivered", "urn:example/v1/order_delivered"])(
    "understands the type %s",
    (type) => {
      assert.strictEqual(decode({ ...envelope, type, data }).eventType, "order_delivered")
    }
  )

  it("leaves what the event inside says itself", () => {
    const inside = { ...data, eventId: "inner", eventType: "order_cancelled", timestamp: "2026-02-01T00:00:00" }
    const event = decode({ ...envelope, data: inside })
    assert.deepStrictEqual(
      [event.eventId, event.eventType, event.timestamp.toJSON()],
      ["inner", "order_cancelled", "2026-02-01T00:00:00.000Z"]
    )
  })

  it("carries friend requests too", () => {
    const event = decode({
      ...envelope,
      type: "FRIEND_REQUEST_SENT",
      data: { friendshipId: 1, requesterId: 1, recipientId: 2, friendshipStatus: "PENDING" }
    })
    assert.strictEqual(toDrafts(tenantId, event)[0]?.message, "1 sent you a friend request")
  })

  it.each([
    ["another version", { specversion: "0.3" }],
    ["no id", { id: "" }],
    ["an unknown type", { type: "com.example.order_lost" }],
    ["data that is no object", { data: "text" }],
    ["data without what the event needs", { data: { orderId: 42 } }],
    ["a time that is none", { time: "soon" }]
  ])("is refused with %s", (_, wrong) => {
    assert.strictEqual(decodeExit({ ...envelope, data, ...wrong })._tag, "Failure")
  })
})

describe("Event", () => {
  it("takes or refuses any JSON, and never throws", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        assert.strictEqual(decodeExit(json)._tag, "Failure")
        assert.strictEqual(decodeExit({ ...envelope, data: json })._tag, "Failure")
      })
    )
  })
})
