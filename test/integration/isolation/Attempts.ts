/**
 * How each operation of the API is tried with what is somebody else's: who may call it at all, with what, and what he gets
 * then.
 *
 * **Details**
 *
 * `least` is written down here once more, and not read from the scopes: it is what the scopes are compared with. An answer
 * with a status that is not named fails the test.
 */
import type { Furnished } from "./Furnished.ts"

/** The least of roles that may call it; `nobody`'s operations have no credential at all. */
export type Least = "user" | "driver" | "service" | "admin" | "platform" | "nobody"

export interface Attempt {
  readonly params?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, string>>
  /** What a caller with the right gets. */
  readonly answers: ReadonlyArray<number>
  /** What a caller gets who is no more than a user, where that is something else. */
  readonly users?: ReadonlyArray<number>
}

export interface Operation {
  readonly least: Least
  readonly attempts: (their: Furnished) => ReadonlyArray<Attempt>
  /** As another user of the same tenant with what is Ada's; the same when absent. */
  readonly asBob?: (their: Furnished) => ReadonlyArray<Attempt>
}

type Fields = Omit<Attempt, "answers">

/** Not there, for whoever asks. */
const absent = (least: Least, fields: (their: Furnished) => Fields): Operation => ({
  least,
  attempts: (their) => [{ ...fields(their), answers: [404] }]
})

/** Done or answered, for the caller's own tenant. */
const own = (least: Least, fields: (their: Furnished) => Fields = () => ({}), ...answers: ReadonlyArray<number>) => ({
  least,
  attempts: (their: Furnished) => [{ ...fields(their), answers: answers.length === 0 ? [200] : answers }]
})

const idOf = (id: string, body?: unknown): Fields => ({ params: { id }, ...(body === undefined ? {} : { body }) })

const idsOf = (their: Furnished) => [their.notification, their.scheduled]

const preferences = { channels: {}, muted_types: ["of-a-stranger"] }

const recipients = (their: Furnished) => [{ user_id: their.own }]

const content = { notification_type: "stolen", title: "Of a stranger", message: "Of a stranger" }

const users: Readonly<Record<string, Operation>> = {
  "me.list": own("user", () => ({ query: { limit: "100" } })),
  "me.get": absent("user", ({ notification }) => idOf(notification)),
  "me.unreadCount": own("user"),
  "me.markRead": own("user", (their) => ({ body: { ids: idsOf(their) } })),
  "me.markUnread": own("user", (their) => ({ body: { ids: idsOf(their) } })),
  "me.remove": own("user", (their) => ({ body: { ids: idsOf(their) } })),
  "me.preferences": own("user"),
  "me.setPreferences": own("user", () => ({ body: preferences })),
  "me.registerDevice": own("user", () => ({ body: { platform: "ios", token: "of-a-stranger" } }), 204),
  "me.devices": own("user"),
  "me.removeDevice": absent("user", ({ adas }) => ({ body: { token: `device-${adas}` } })),
  "location.tell": own("driver", () => ({ body: { latitude: 1, longitude: 2 } }), 204),
  "presence.get": {
    least: "user",
    attempts: (their) => [{ params: { userId: their.own }, answers: [200], users: [403] }],
    asBob: () => [{ params: { userId: "ada" }, answers: [403] }]
  },
  "presence.query": {
    least: "user",
    attempts: (their) => [{ body: { user_ids: [their.own] }, answers: [200], users: [403] }],
    asBob: () => [{ body: { user_ids: ["bob", "ada"] }, answers: [403] }]
  },
  "friendships.sendRequest": own(
    "user",
    ({ own: name }) => ({ body: { requesterId: name, recipientId: "ada" }, users: [403] }),
    201,
    409
  ),
  "friendships.respond": {
    least: "user",
    attempts: (their) => [
      {
        body: { friendshipId: their.pending, responderId: their.own, accept: true },
        answers: [404],
        users: [403, 404]
      },
      { body: { friendshipId: their.pending, responderId: "ada", accept: true }, answers: [404], users: [403, 404] }
    ],
    asBob: (their) => [
      { body: { friendshipId: their.pending, responderId: their.own, accept: true }, answers: [403] },
      { body: { friendshipId: their.pending, responderId: "bob", accept: true }, answers: [403, 404] }
    ]
  },
  "friendships.cancel": {
    least: "user",
    attempts: (their) => [
      { body: { friendshipId: their.pending, requesterId: "ada" }, answers: [404], users: [403, 404] }
    ],
    asBob: (their) => [
      { body: { friendshipId: their.pending, requesterId: "ada" }, answers: [403] },
      { body: { friendshipId: their.pending, requesterId: "bob" }, answers: [403, 404] }
    ]
  },
  "friendships.list": own("user"),
  "lookups.list": own("user", () => ({ params: { kind: "categories" }, query: { all: "true" } }))
}

const services: Readonly<Record<string, Operation>> = {
  "users.create": own("service", (their) => ({ body: { user_id: their.own, name: "Of a stranger" } }), 201, 409),
  "users.list": {
    least: "service",
    attempts: (their) => [{ answers: [200] }, { query: { role: their.own }, answers: [200] }]
  },
  // After `users.create` there is one of that name in the stranger's tenant too.
  "users.get": own("service", (their) => idOf(their.own), 200),
  "users.update": own("service", (their) => idOf(their.own, { name: "Of a stranger" }), 200),
  "users.preferences": own("service", (their) => idOf(their.own)),
  "users.setPreferences": own("service", (their) => idOf(their.own, preferences)),
  "users.devices": own("service", () => idOf("ada")),
  "users.remove": own("service", (their) => idOf(their.own), 204, 404),
  "services.send": own(
    "service",
    (their) => ({ body: { user_id: their.own, type: "stolen", title: "Of a stranger", message: "" } }),
    202
  ),
  "notifications.send": {
    least: "service",
    attempts: (their) => [
      { body: { ...content, user_id: "ada", request_id: "shared" }, answers: [202] },
      { body: { notification_type: "stolen", user_id: "ada", template_code: their.own }, answers: [422] },
      {
        body: { notification_type: "stolen", user_id: "ada", template_code: "welcome", variables: { name: "Ada" } },
        answers: [202]
      }
    ]
  },
  "notifications.cancelAll": own("service", () => ({ body: { cancel_key: "shared" } })),
  "notifications.broadcast": own(
    "service",
    (their) => ({ body: { ...content, request_id: "stolen", audience: { role: their.own } } }),
    202
  ),
  "notifications.status": {
    least: "service",
    attempts: (their) => idsOf(their).map((id) => ({ params: { id }, answers: [404] }))
  },
  "notifications.cancel": {
    least: "service",
    attempts: (their) => idsOf(their).map((id) => ({ params: { id }, answers: [404] }))
  },
  "batches.sendBatch": own(
    "service",
    (their) => ({ body: { content, recipients: recipients(their), request_id: "shared" } }),
    202,
    409
  ),
  "batches.sendChunk": absent("service", (their) => ({
    body: { batch_id: their.open, chunk_number: 2, recipients: recipients(their), final: true }
  })),
  "batches.list": own("service"),
  "batches.get": absent("service", ({ batch }) => idOf(batch)),
  "batches.errors": absent("service", ({ upload }) => idOf(upload)),
  "batches.cancel": absent("service", ({ open }) => idOf(open)),
  "batches.pause": absent("service", ({ open }) => idOf(open)),
  "batches.resume": absent("service", ({ open }) => idOf(open)),
  "bulk.upload": own(
    "service",
    (their) => ({
      query: { ...content },
      contentType: "text/csv",
      body: `user_id\n${their.own}\n`
    }),
    202,
    409
  ),
  "bulk.errors": absent("service", ({ upload }) => idOf(upload)),
  "deliveries.list": {
    least: "service",
    attempts: (their) => [{ answers: [200] }, { query: { user_id: their.own }, answers: [200] }]
  },
  "deliveries.counts": own("service"),
  "deliveries.reconciliation": own("service"),
  "deliveries.get": absent("service", ({ sent }) => idOf(sent)),
  "deadLetters.list": own("service"),
  "deadLetters.events": own("service", () => ({ query: { limit: "100" } })),
  "deadLetters.get": absent("service", ({ dead }) => idOf(dead)),
  "deadLetters.replay": own("service", ({ dead }) => ({ body: { ids: [dead] } })),
  "deadLetters.discard": own("service", ({ dead }) => ({ body: { ids: [dead] } })),
  "routing.get": own("service"),
  "routing.set": own("service", () => ({ body: { policy: {} } })),
  "templates.list": own("service"),
  "templates.create": own(
    "service",
    (their) => ({ body: { code: `${their.own}-2`, texts: { default: content } } }),
    201,
    409,
    400
  ),
  "templates.get": absent("service", ({ own: code }) => ({ params: { code } })),
  "templates.versions": absent("service", ({ own: code }) => ({ params: { code } })),
  "templates.activate": absent("service", ({ own: code }) => ({ params: { code }, body: { version: 1 } })),
  "templates.preview": absent("service", ({ own: code }) => ({ params: { code }, body: { variables: {} } })),
  "templates.remove": absent("service", ({ own: code }) => ({ params: { code } })),
  "templates.put": own("service", () => ({
    params: { code: "welcome" },
    body: { texts: { default: { title: "Of a stranger", message: "" } } }
  })),
  "webhooks.create": own("service", () => ({ body: { url: "http://127.0.0.1:9999/of-a-stranger" } }), 201, 409),
  "webhooks.list": own("service"),
  "webhooks.get": absent("service", ({ webhook }) => idOf(webhook)),
  "webhooks.update": absent("service", ({ webhook }) => idOf(webhook, { description: "Of a stranger" })),
  "webhooks.remove": absent("service", ({ webhook }) => idOf(webhook)),
  "webhooks.rotate": absent("service", ({ webhook }) => idOf(webhook, {})),
  "webhooks.test": absent("service", ({ webhook }) => idOf(webhook)),
  "webhooks.deliveries": absent("service", ({ webhook }) => idOf(webhook)),
  "webhooks.replay": absent("service", ({ log, webhook }) => idOf(webhook, { ids: [log] })),
  "pushTopics.send": own(
    "service",
    () => ({ params: { topic: "shared" }, body: { title: "Of a stranger", message: "" } }),
    202
  ),
  "pushTopics.subscribe": own(
    "service",
    (their) => ({ params: { topic: "shared" }, body: { user_ids: [their.own] } }),
    200,
    422,
    503
  ),
  "pushTopics.unsubscribe": own(
    "service",
    (their) => ({ params: { topic: "shared" }, body: { user_ids: [their.own] } }),
    200,
    422,
    503
  ),
  "admin.notifications": {
    least: "service",
    attempts: (their) => [{ answers: [200] }, { query: { user_id: their.own }, answers: [200] }]
  },
  "events.ingest": own(
    "service",
    (their) => ({
      body: {
        eventId: "shared",
        eventType: "order_delivered",
        orderId: their.own,
        customerId: "ada",
        driverId: their.own,
        timestamp: new Date().toISOString()
      }
    }),
    202
  )
}

const tenant = { name: "Of a stranger" }

const admins: Readonly<Record<string, Operation>> = {
  "providers.list": own("admin"),
  "providers.create": own("admin", () => ({ body: { kind: "log", name: "Of a stranger" } }), 201, 409),
  "providers.get": absent("admin", ({ provider }) => idOf(provider)),
  "providers.update": absent("admin", ({ provider }) => idOf(provider, { name: "Of a stranger" })),
  "providers.remove": absent("admin", ({ provider }) => idOf(provider)),
  "providers.test": absent("admin", ({ provider }) => idOf(provider, { to: "+12025550123" })),
  "personalData.export": own("admin", () => idOf("ada")),
  "personalData.erase": own("admin", (their) => idOf(their.own)),
  "apiKeys.create": own("admin", () => ({ body: { name: "Of a stranger" } }), 201),
  "apiKeys.list": own("admin"),
  "apiKeys.get": absent("admin", ({ key }) => idOf(key)),
  "apiKeys.rotate": absent("admin", ({ key }) => idOf(key, {})),
  "apiKeys.revoke": absent("admin", ({ key }) => idOf(key)),
  "revocations.create": own("admin", (their) => ({ body: { user_id: their.own } }), 201),
  "tenant.get": own("admin"),
  "tenant.update": own("admin", () => ({ body: tenant })),
  "tenant.credential": own("admin"),
  "tenant.setCredential": own("admin", () => ({ body: { type: "bearer", token: "of-a-stranger" } }), 200, 422),
  "tenant.removeCredential": own("admin", () => ({}), 204, 404),
  "tenant.testUserService": own("admin", () => ({ body: { user_id: "ada" } }), 200, 409),
  "audit.list": {
    least: "admin",
    attempts: (their) => [
      { query: { limit: "100" }, answers: [200] },
      { query: { target: `template/${their.own}` }, answers: [200] }
    ]
  },
  "lookupAdmin.put": own("admin", () => ({
    params: { kind: "categories", code: "shared" },
    body: { labels: { en: "Of a stranger" } }
  })),
  "lookupAdmin.remove": absent("admin", ({ own: code }) => ({ params: { kind: "categories", code } })),
  "tenants.list": own("platform"),
  "tenants.create": own("platform", (their) => ({ body: { id: their.tenant } }), 409),
  "tenants.get": own("platform", (their) => idOf(their.tenant)),
  "tenants.update": own("platform", (their) => idOf(their.tenant, tenant)),
  "tenants.suspend": own("platform", (their) => idOf(their.tenant)),
  "tenants.activate": own("platform", (their) => idOf(their.tenant)),
  "tenants.remove": own("platform", (their) => idOf(their.tenant), 204),
  "metrics.metrics": own("platform")
}

/** Nobody shows who he is here: what a callback tells has to be signed, which has a test of its own. */
const unauthenticated: Readonly<Record<string, Operation>> = {
  "callbacks.sendgrid": absent("nobody", () => ({ body: [] })),
  "callbacks.twilio": absent("nobody", () => ({ body: {} })),
  "callbacks.whatsapp": absent("nobody", () => ({ body: {} })),
  "callbacks.whatsappChallenge": absent("nobody", () => ({})),
  "callbacks.push": own("nobody", () => ({ body: {} }), 401, 422),
  "callbacks.account": {
    least: "nobody",
    attempts: (their) => [
      { params: { provider: "twilio", tenant: their.tenant, account: their.provider }, body: {}, answers: [401, 422] },
      { params: { provider: "twilio", tenant: "beta", account: their.provider }, body: {}, answers: [404] },
      { params: { provider: "sendgrid", tenant: their.tenant, account: their.provider }, body: {}, answers: [404] }
    ]
  },
  "callbacks.accountChallenge": absent("nobody", (their) => ({
    params: { tenant: their.tenant, account: their.provider }
  })),
  "health.live": own("nobody"),
  "health.ready": own("nobody"),
  // Only with the embedded database.
  "dev.token": absent("nobody", (their) => ({ body: { sub: "ada", tenant: their.tenant } }))
}

/** By `group.operation`, as OpenAPI names them. */
export const operations: Readonly<Record<string, Operation>> = { ...users, ...services, ...admins, ...unauthenticated }
