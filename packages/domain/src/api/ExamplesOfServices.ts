/**
 * Examples of what services call: users, notifications, batches, uploads, events, what became of deliveries, webhooks.
 */
import type { Examples } from "./Example.ts"

const as = "service"

export const users: Examples = {
  "users.create": {
    as,
    body: {
      user_id: "bea",
      name: "Bea Quist",
      email: "bea@shop.example",
      phone: "+4915112345678",
      language: "de-AT",
      time_zone: "Europe/Vienna",
      image: "https://shop.example/people/bea.png",
      roles: ["customer", "driver"]
    }
  },
  "users.list": { as, query: { role: "driver", limit: "20" } },
  "users.get": { as, path: { id: "bea" } },
  "users.update": { as, path: { id: "bea" }, body: { email: "bea.quist@shop.example", image: null } },
  "users.preferences": { as, path: { id: "bea" }, keeps: { user_preferences_tag: "etag" } },
  "users.setPreferences": {
    as,
    path: { id: "bea" },
    headers: { "If-Match": "{user_preferences_tag}" },
    body: {
      channels: { sms: false },
      muted_types: ["newsletter"],
      quiet_hours: { start: "22:00", end: "07:00", days: [1, 2, 3, 4, 5] },
      time_zone: "Europe/Vienna"
    }
  },
  "users.devices": { as, path: { id: "bea" } },
  "presence.get": { as, path: { userId: "bea" } },
  "presence.query": { as, body: { user_ids: ["ada", "bea"] } }
}

export const notifications: Examples = {
  "services.send": {
    as,
    headers: { "Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "X-Correlation-Id": "checkout-17" },
    body: {
      user_id: "ada",
      type: "order_created",
      title: "New order",
      message: "Order 4711 is waiting for you.",
      priority: "high",
      data: { order_id: 4711 },
      dedupe_key: "order-4711-created"
    },
    keeps: { notification_id: "data.id" }
  },
  "notifications.send": {
    as,
    body: {
      user_id: "bea",
      notification_type: "parcel",
      title: "Your parcel",
      message: "It comes tomorrow.",
      priority: 7,
      channels: ["in_app", "push", "email"],
      push_options: { sound: "default", badge: 1, ttl_seconds: 3_600 },
      send_at: "{next_week}",
      cancel_key: "parcel-4711",
      request_id: "parcel-4711-tomorrow"
    },
    keeps: { scheduled_id: "data.id" }
  },
  "notifications.broadcast": {
    as,
    body: {
      notification_type: "maintenance",
      title: "Tonight",
      message: "The shop is closed from 2 to 3.",
      audience: { role: "driver" },
      request_id: "maintenance-2027-01"
    }
  },
  "notifications.status": { as, path: { id: "{notification_id}" } },
  "notifications.cancel": { as, path: { id: "{scheduled_id}" } },
  "notifications.cancelAll": { as, body: { cancel_key: "parcel-4711" } },
  "events.ingest": {
    as,
    body: {
      specversion: "1.0",
      id: "event-1",
      source: "/orders",
      type: "example.shop.order_accepted",
      time: "{this_moment}",
      data: { orderId: 4711, customerId: "ada", driverId: "bea", driverName: "Bea" }
    }
  }
}

export const batches: Examples = {
  "batches.sendBatch": {
    as,
    body: {
      name: "January offer",
      content: { notification_type: "offer", title: "For you", message: "Ten per cent off." },
      request_id: "offer-2027-01",
      send_at: "{next_week}",
      recipients: [{ user_id: "ada" }, { user_id: "bea", title: "For you, Bea", priority: 8 }]
    },
    keeps: { batch_id: "data.batch_id" }
  },
  "batches.sendChunk": {
    as,
    body: {
      content: { notification_type: "offer", title: "For you", message: "Ten per cent off." },
      request_id: "offer-2027-02",
      chunk_number: 1,
      recipients: [{ user_id: "ada" }],
      final: true
    }
  },
  "bulk.upload": {
    as,
    query: { notification_type: "offer", title: "For you", message: "Ten per cent off.", sha256: "{file_sha256}" },
    text: { contentType: "text/csv", body: "user_id,name\nada,Ada\nbea,Bea\n" }
  },
  "batches.list": { as, query: { kind: "batch", limit: "10" } },
  "batches.get": { as, path: { id: "{batch_id}" } },
  "batches.errors": { as, path: { id: "{batch_id}" } },
  "bulk.errors": { as, path: { id: "{batch_id}" } },
  "batches.pause": { as, path: { id: "{batch_id}" } },
  "batches.resume": { as, path: { id: "{batch_id}" } },
  "batches.cancel": { as, path: { id: "{batch_id}" } }
}

export const webhooks: Examples = {
  "webhooks.create": {
    as,
    body: {
      url: "https://hooks.shop.example/beckon",
      description: "What became of parcels",
      events: ["notification.created", "delivery.dead"],
      types: ["parcel"]
    },
    keeps: { webhook_id: "data.id" }
  },
  "webhooks.list": { as },
  "webhooks.get": { as, path: { id: "{webhook_id}" } },
  "webhooks.update": { as, path: { id: "{webhook_id}" }, body: { events: ["delivery.sent", "delivery.dead"] } },
  "webhooks.test": { as, path: { id: "{webhook_id}" }, keeps: { delivery_id: "data.delivery_id" } },
  "webhooks.deliveries": { as, path: { id: "{webhook_id}" }, query: { limit: "10" } },
  "webhooks.replay": { as, path: { id: "{webhook_id}" }, body: { ids: ["{delivery_id}"] } },
  "webhooks.rotate": { as, path: { id: "{webhook_id}" }, body: { overlap_seconds: 3_600 } },
  "webhooks.remove": { as, path: { id: "{webhook_id}" } }
}

export const deliveries: Examples = {
  "pushTopics.subscribe": { as, path: { topic: "weather.vienna" }, body: { user_ids: ["bea"] } },
  "pushTopics.send": {
    as,
    path: { topic: "weather.vienna" },
    body: { title: "Storm", message: "From 18:00.", data: { level: "orange" }, push_options: { ttl_seconds: 3_600 } }
  },
  "pushTopics.unsubscribe": { as, path: { topic: "weather.vienna" }, body: { user_ids: ["bea"] } },
  "deliveries.list": { as, query: { channel: "webhook", state: "sent", limit: "10" } },
  "deliveries.get": { as, path: { id: "{delivery_id}" } },
  "deliveries.counts": { as },
  "deliveries.reconciliation": { as },
  "deadLetters.list": { as, query: { channel: "sms", limit: "10" }, keeps: { dead_delivery_id: "data.0.id" } },
  "deadLetters.get": { as, path: { id: "{dead_delivery_id}" } },
  "deadLetters.events": { as, query: { limit: "10" } },
  "deadLetters.replay": { as, body: { ids: ["{dead_delivery_id}"] } },
  "deadLetters.discard": { as, body: { all: true, channel: "sms", limit: 100 } }
}
