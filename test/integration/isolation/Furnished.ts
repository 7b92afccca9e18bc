/**
 * Gives a tenant something of everything that the API can make, and waits until nothing of it is still moving.
 */
import { Data, Effect, Schedule } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { tenantHeader } from "@beckon/domain/ports/EventBus"
import { bareSocket, call, token } from "../road/Road.ts"
import type { Answer, Call } from "../road/Road.ts"
import { authTokenOf } from "./Signed.ts"

export interface Place {
  readonly url: string
  readonly senders: string
  readonly sql: SqlClient
}

export interface Names {
  readonly tenant: string
  /** In every text of the tenant. */
  readonly mark: string
  /** In every text of its user Ada, besides. */
  readonly adas: string
}

export class Unexpected extends Data.TaggedError("Unexpected")<{ readonly what: string; readonly answer: unknown }> {
  override get message() {
    return `${this.what}: ${JSON.stringify(this.answer)}`
  }
}

/** Deliveries whose turn has come, notifications that have no plan yet, batches and events that are under way. */
const unsettled = (sql: SqlClient) => sql<{ readonly waiting: number }>`
  select ((select count(*) from deliveries where state in ('pending', 'sending', 'failed') and due_at < now() + interval '1 hour')
    + (select count(*) from notifications where plan_at < now() + interval '1 hour')
    + (select count(*) from batches where active) + (select count(*) from event_outbox))::int as waiting`

/** When no worker has anything left to do. */
export const settled = (sql: SqlClient) =>
  Effect.repeat(
    Effect.map(unsettled(sql), ([row]) => row?.waiting ?? 0),
    { until: (waiting) => waiting === 0, schedule: Schedule.spaced("100 millis") }
  )

export const later = () => new Date(Date.now() + 30 * 86_400_000).toISOString()

export const csvOf = (adas: string) => `user_id,name,priority\nada,${adas},5\n,${adas},5\nada,${adas},eleven\n`

const text = (mark: string) => ({ texts: { default: { title: mark, message: `${mark} {{ name }}` } } })

export const furnish = Effect.fnUntraced(function* ({ senders, sql, url }: Place, { adas, mark, tenant }: Names) {
  const admin = token({ sub: "boss", tenant, roles: ["admin"] })
  const service = token({ sub: "shop", tenant, roles: ["service"] })
  const platform = token({ sub: "root", tenant, roles: ["platform"] })
  const own = `only-${tenant}`
  const ada = token({ sub: "ada", tenant, roles: ["user", "driver"] })
  const bob = token({ sub: "bob", tenant })
  const asked = Effect.fnUntraced(function* (path: string, options: Call) {
    const answer = yield* call(url, path, options)
    if (answer.status >= 300) return yield* new Unexpected({ what: `${tenant} ${path}`, answer: answer.body })
    return answer.body
  })
  const api = (path: string, body?: unknown, as = admin, method?: string) =>
    Effect.map(
      asked(`/api/v1${path}`, { token: as, ...(method && { method }), ...(body === undefined ? {} : { body }) }),
      (answer): Answer["body"] => answer?.data
    )
  const both = `${mark} ${adas}`

  yield* api("/admin/tenants", { id: tenant, name: mark, settings: { time_zone: "Europe/Berlin" } }, platform)
  for (const user of ["ada", "bob", own]) {
    const name = user === "ada" ? both : mark
    yield* api("/users", {
      user_id: user,
      name,
      email: `${user}@${mark}.example`,
      phone: "+12025550123",
      roles: ["driver", own]
    })
  }
  yield* api("/users/me/preferences", { channels: {}, muted_types: [both] }, ada, "PUT")
  yield* api("/users/me/preferences", { channels: {}, muted_types: [mark] }, bob, "PUT")
  yield* api(`/users/${own}/preferences`, { channels: {}, muted_types: [mark] }, service, "PUT")
  yield* api("/users/me/devices", { platform: "ios", token: `device-${adas}` }, ada)
  for (const code of ["welcome", own]) yield* api("/admin/templates", { code, ...text(mark) })
  for (const code of ["shared", own]) {
    yield* api(`/admin/lookups/categories/${code}`, { labels: { en: mark } }, admin, "PUT")
  }
  yield* api("/admin/routing-policy", { policy: { categories: { [mark]: { critical: true } } } }, admin, "PUT")
  // It is kept when the users come from the directory again.
  const usersFrom = (recipients: object | null) => api("/admin/tenant", { settings: { recipients } }, admin, "PATCH")
  yield* usersFrom({ source: "external", url: senders })
  const recipients = { source: "external", url: `${senders}/people` }
  yield* api("/admin/tenant", { settings: { recipients } }, admin, "PATCH")
  yield* api("/admin/tenant/user-service/credential", { type: "bearer", token: mark }, admin, "PUT")
  yield* api("/admin/tenant", { settings: { recipients: null } }, admin, "PATCH")
  yield* usersFrom(null)
  const provider = yield* api("/admin/providers", {
    kind: "twilio",
    name: mark,
    settings: { account_sid: "AC1", from: "+12025550100", base_url: senders },
    credentials: { auth_token: authTokenOf(tenant) }
  })
  const hookOf = (name: string) =>
    api("/webhooks", {
      url: `${senders}/${name}`,
      description: mark,
      events: ["delivery.sent", "delivery.dead"]
    })
  const webhook = yield* hookOf(mark)
  const keys = [
    yield* api("/admin/api-keys", { name: mark, role: "service" }),
    yield* api("/admin/api-keys", { name: mark, role: "admin" })
  ]
  yield* api("/admin/revocations", { user_id: `gone-${own}` })

  const inApp = (user: string, title: string) =>
    api("/services/notifications/send", { user_id: user, type: "news", title, message: title }, service)
  const notifications = [yield* inApp("ada", both), yield* inApp("ada", both)]
  yield* inApp("bob", mark)
  const notify = (other: Record<string, unknown>) =>
    api("/notifications", { user_id: "ada", notification_type: "news", title: both, message: both, ...other }, service)
  const scheduled = yield* notify({ send_at: later(), cancel_key: "shared", request_id: "shared" })
  for (const mood of ["ok", "ok", "500", "500"]) yield* notify({ message: `${both} mood-${mood}`, channels: ["sms"] })
  const batch = yield* api(
    "/services/notifications/send-batch",
    {
      name: mark,
      request_id: "shared",
      content: { notification_type: "sale", title: both, message: both },
      recipients: [
        { user_id: "ada" },
        { user_id: both, template_code: "nowhere" },
        { user_id: adas, template_code: "nowhere" }
      ]
    },
    service
  )
  const open = yield* api(
    "/services/notifications/send-chunk",
    {
      name: mark,
      content: { notification_type: "sale", title: both, message: both },
      chunk_number: 1,
      recipients: [{ user_id: "ada" }]
    },
    service
  )
  yield* api(`/services/batches/${open.batch_id}/pause`, undefined, service, "POST")
  const upload = yield* Effect.map(
    asked(`/api/v1/services/notifications/bulk/csv?notification_type=sale&title=${adas}&message=${mark}&name=${mark}`, {
      token: service,
      contentType: "text/csv",
      body: csvOf(adas)
    }),
    ({ data }): Answer["body"] => data
  )
  yield* asked("/api/v1/events", {
    token: service,
    body: {
      eventId: "shared",
      eventType: "driver_assigned",
      orderId: own,
      customerId: "ada",
      driverId: own,
      driverName: both,
      timestamp: new Date().toISOString()
    }
  })
  const friends = (requesterId: string, recipientId: string) =>
    asked("/api/friendships/send-request", { token: service, body: { requesterId, recipientId } })
  const letter = { topic: "order-events", key: "k", headers: { [tenantHeader]: tenant }, value: both, reason: mark }
  yield* sql`insert into dead_letters (topic, tenant_id, letter, created_at)
    values ('order-events', ${tenant}, ${JSON.stringify(letter)}::text::json, now())`
  const pending = yield* friends("ada", own)
  const other = yield* friends("ada", `${own}-2`)
  yield* asked("/api/friendships/respond", {
    token: service,
    body: { friendshipId: other.friendshipId, responderId: `${own}-2`, accept: true }
  })
  yield* settled(sql)

  const deliveryIn = Effect.fnUntraced(function* (channel: string, state: string) {
    const [row] = yield* sql<{ readonly id: string }>`
      select id from deliveries where tenant_id = ${tenant} and channel = ${channel} and state = ${state} order by id limit 1`
    if (row === undefined) {
      const all = yield* sql`select channel, state, reason, detail from deliveries where tenant_id = ${tenant}`
      return yield* new Unexpected({ what: `no ${state} delivery on ${channel}`, answer: all })
    }
    return row.id
  })
  const socket = yield* bareSocket(url, ada)
  socket.send({ _tag: "Request", id: "s", tag: "Subscribe", payload: {}, headers: [] })

  return {
    tenant,
    mark,
    adas,
    /** A name that only this tenant uses: of a user, a template, a lookup, a role. */
    own,
    tokens: { admin, service, platform, ada, bob },
    ada: socket,
    notification: String(notifications[0].id),
    scheduled: String(scheduled.id),
    sent: yield* deliveryIn("sms", "sent"),
    dead: yield* deliveryIn("sms", "dead"),
    log: yield* deliveryIn("webhook", "sent"),
    batch: String(batch.batch_id),
    open: String(open.batch_id),
    upload: String(upload.batch_id),
    webhook: String(webhook.id),
    provider: String(provider.id),
    key: String(keys[0].api_key.id),
    secret: String(keys[0].key),
    pending: String(pending.friendshipId)
  }
})

export type Furnished = Effect.Success<ReturnType<typeof furnish>>
