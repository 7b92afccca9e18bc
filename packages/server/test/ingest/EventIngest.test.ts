import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { CallOrigin } from "@beckon/domain/CallOrigin"
import { Event } from "@beckon/domain/events/Event"
import { DeadLetters } from "@beckon/domain/ports/DeadLetters"
import { EventBus } from "@beckon/domain/ports/EventBus"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import * as InProcessEventBus from "@beckon/infra/memory/InProcessEventBus"
import * as MemoryDeadLetters from "@beckon/infra/memory/MemoryDeadLetters"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import * as MemoryTrackingGrants from "@beckon/infra/memory/MemoryTrackingGrants"
import { tenantHeader } from "@beckon/domain/ports/EventBus"
import { EventIngest } from "../../src/ingest/EventIngest.ts"
import { OrderTracking } from "../../src/orders/OrderTracking.ts"
import { TopicChecks } from "../../src/topics/TopicChecks.ts"
import * as Mailboxes from "../mailbox/Fixture.ts"

const layer = EventIngest.layerConsumers.pipe(
  Layer.provideMerge(EventIngest.layer),
  Layer.provideMerge(OrderTracking.layer),
  Layer.provide(TopicChecks.layer),
  Layer.provide(MemoryTopicBus.layer),
  Layer.provideMerge(MemoryTrackingGrants.layer),
  Layer.provideMerge(Mailboxes.layer()),
  Layer.provideMerge([InProcessEventBus.layer, MemoryDeadLetters.layer])
)

const order = (eventId: string, other: Record<string, unknown> = {}) => ({
  eventId,
  eventType: "order_delivered",
  orderId: 42,
  customerId: "ada",
  timestamp: "2026-01-31T10:00:00",
  ...other
})
const record = (value: unknown, headers: Record<string, string> = { [tenantHeader]: "acme" }) => ({
  topic: "order-events",
  key: "42",
  headers,
  value: typeof value === "string" ? value : JSON.stringify(value)
})

const titlesOf = (user: string) =>
  Effect.flatMap(NotificationStore, (store) =>
    Effect.map(store.list(Mailboxes.keyOf(user), { status: "all", limit: 100 }), (rows) =>
      rows.map(({ title }) => title).toReversed()
    )
  )

describe("EventIngest", () => {
  it.live("puts aside what it does not understand, with the reason, and goes on with what is behind", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const deadLetters = yield* DeadLetters
      const bad = [
        record("{"),
        record({ eventType: "order_lost" }),
        record(order("o2", { customerId: "" })),
        record(order("o3"), { [tenantHeader]: "\u0000" })
      ]
      yield* bus.publish([record(order("o1")), ...bad, record(order("o4", { eventType: "order_cancelled" }))])
      assert.deepStrictEqual(yield* titlesOf("ada"), ["Order Delivered", "Order Cancelled"])
      const letters = (yield* deadLetters.list({ limit: 10 })).toReversed()
      assert.deepStrictEqual(
        letters.map(({ value }) => value),
        bad.map(({ value }) => value)
      )
      for (const { reason } of letters) assert.notStrictEqual(reason, "")
      assert.match(letters[2]?.reason ?? "", /customerId/)
    }).pipe(Effect.provide(layer))
  )

  it.live("makes one notification of an event, however often it is published", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const twice = [record(order("o1")), record(order("o1"))]
      yield* bus.publish(twice)
      yield* bus.publish(twice)
      assert.deepStrictEqual(yield* titlesOf("ada"), ["Order Delivered"])
    }).pipe(Effect.provide(layer))
  )

  it.live("answers each event of a call with its own notifications, in order", () =>
    Effect.gen(function* () {
      const { ingest } = yield* EventIngest
      const decode = Schema.decodeUnknownSync(Event)
      const drivers = ["d1", "d2", "d1"].map((driverId) => ({ driverId, distanceKm: 1 }))
      const events = [
        decode(order("o1")),
        decode(order("o2", { eventType: "order_created" })),
        decode(order("o3", { eventType: "order_created", nearbyDrivers: drivers })),
        decode(order("o1"))
      ]
      const ingested = yield* ingest(Mailboxes.tenantId, events)
      assert.deepStrictEqual(
        ingested.map(({ eventId, notifications }) => [
          eventId,
          notifications.map(({ duplicate, seq, userId }) => [String(userId), seq, duplicate])
        ]),
        [
          ["o1", [["ada", 1, false]]],
          ["o2", []],
          [
            "o3",
            [
              ["d1", 1, false],
              ["d2", 1, false],
              ["d1", 1, true]
            ]
          ],
          ["o1", [["ada", 1, true]]]
        ]
      )
    }).pipe(Effect.provide(layer))
  )

  it.live("names notifications by the call that published their event, or that brought it", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const { ingest } = yield* EventIngest
      const store = yield* NotificationStore
      const headers = (id: string) => ({ [tenantHeader]: "acme", "x-correlation-id": id })
      yield* bus.publish([
        record(order("c1", { customerId: "cora" }), headers("published")),
        record(order("c2", { customerId: "cora" }), headers("\u0000")),
        record(order("c3", { customerId: "cora" }), headers("x".repeat(129)))
      ])
      const event = Schema.decodeUnknownSync(Event)(order("c4", { customerId: "cora" }))
      const origin = { address: null, correlationId: "called", traceparent: null }
      yield* Effect.provideService(ingest(Mailboxes.keyOf("cora").tenantId, [event]), CallOrigin, origin)
      const rows = yield* store.list(Mailboxes.keyOf("cora"), { status: "all", limit: 100 })
      assert.deepStrictEqual(rows.map(({ options }) => options?.correlationId).toReversed(), [
        "published",
        undefined,
        undefined,
        "called"
      ])
    }).pipe(Effect.provide(layer))
  )
})
