import { assert, describe, layer } from "@effect/vitest"
import { DateTime, Duration, Effect, Layer } from "effect"
import { HttpApi, HttpApiMiddleware } from "effect/http-api"
import { NotificationApi } from "@beckon/domain/api/NotificationApi"
import { NotificationId, UserId } from "@beckon/domain/Identifiers"
import type { NewDelivery } from "@beckon/domain/Delivery"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import { RoutingPolicyStore } from "@beckon/domain/ports/RoutingPolicyStore"
import { ScheduleStore } from "@beckon/domain/ports/ScheduleStore"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import * as NotificationHandlers from "../../src/api/NotificationHandlers.ts"
import { Templates } from "../../src/templates/Templates.ts"
import { Mailboxes } from "../../src/mailbox/Mailboxes.ts"
import { layerNotifications } from "./NotificationServices.ts"
import type { Answer } from "./ApiServer.ts"
import { call, layerOf } from "./ApiServer.ts"
import { tenantId } from "../mailbox/Fixture.ts"

const api = HttpApi.make("beckon").add(NotificationApi).middleware(HttpApiMiddleware.ProblemDetails)

const served = layerOf(api, NotificationHandlers.layer).pipe(Layer.provideMerge(layerNotifications))

const path = "/api/v1/notifications"
const elsewhere = { tenant: "other" }

const send = (user: string, other: object = {}, options: object = {}) =>
  call(path, {
    body: { notification_type: "order_created", user_id: user, title: "New Order", message: "Accept now!", ...other },
    ...options
  })

const statusOf = (id: string) => Effect.map(call(`${path}/${id}`), ({ body }) => body.data)

const stored = (id: string) =>
  Effect.flatMap(NotificationStore, (store) => store.find(tenantId, NotificationId.make(id)))

const detailOf = ({ body, status }: Answer) => [status, body.errors?.[0]?.message ?? body.detail]

layer(served, { excludeTestServices: true, timeout: "60 seconds" })("notifications over HTTP", (it) => {
  describe("POST /api/v1/notifications", () => {
    it.effect("accepts a literal notification once for a request_id", () =>
      Effect.gen(function* () {
        const first = yield* send("ann", { request_id: "r1", priority: 9 })
        assert.strictEqual(first.status, 202)
        const { id } = first.body.data
        assert.deepStrictEqual(first.body, { data: { id, status: "accepted", user_id: "ann", duplicate: false } })
        const again = yield* send("ann", { request_id: "r1" })
        assert.deepStrictEqual(again.body, { data: { id, status: "accepted", user_id: "ann", duplicate: true } })
        const other = yield* send("bob", { request_id: "r1" })
        assert.isFalse(other.body.data.duplicate)
        assert.deepInclude(yield* statusOf(id), {
          id,
          status: "accepted",
          user_id: "ann",
          notification_type: "order_created",
          title: "New Order",
          priority: 9,
          channels: { in_app: { state: "sent" } },
          history: [],
          read_at: null,
          send_at: null
        })
      })
    )

    it.effect("renders a template in the user's language, and keeps the version for the other channels", () =>
      Effect.gen(function* () {
        const templates = yield* Templates
        const directory = yield* UserDirectory
        const preferences = yield* PreferenceStore
        const policies = yield* RoutingPolicyStore
        const now = yield* DateTime.now
        const text = (title: string) => ({ title, message: "{{ id }}" })
        yield* templates.put(
          tenantId,
          "order",
          {
            texts: { default: text("Order"), de: text("Bestellung"), pt: text("Pedido"), fr: text("Commande") },
            variables: { type: "object", properties: { id: { type: "integer" } }, required: ["id"] }
          },
          true
        )
        const [wishing, known, unknown] = ["wishing", "known", "unknown"].map((name) => UserId.make(name))
        if (wishing === undefined || known === undefined || unknown === undefined) return assert.fail()
        yield* directory.create(tenantId, wishing, { language: "fr" }, now)
        yield* directory.create(tenantId, known, { language: "pt-BR" }, now)
        yield* preferences.set({ tenantId, userId: wishing }, { channels: {}, mutedTypes: [], language: "de-AT" })
        const titleFor = (user: string, other: object = {}) =>
          Effect.gen(function* () {
            const body = {
              notification_type: "order_created",
              user_id: user,
              template_code: "order",
              variables: { id: 7 }
            }
            const answer = yield* call(path, { body: { ...body, ...other } })
            assert.strictEqual(answer.status, 202, answer.text)
            const found = yield* stored(answer.body.data.id)
            return found._tag === "Some"
              ? [found.value.notification.title, found.value.notification.options?.template?.language]
              : []
          })
        assert.deepStrictEqual(yield* titleFor("wishing"), ["Bestellung", "de-AT"])
        assert.deepStrictEqual(yield* titleFor("wishing", { language: "pt" }), ["Pedido", "pt"])
        assert.deepStrictEqual(yield* titleFor("known"), ["Pedido", "pt-BR"])
        assert.deepStrictEqual(yield* titleFor("unknown"), ["Order", undefined])
        yield* policies.set(tenantId, { language: "fr" })
        assert.deepStrictEqual(yield* titleFor("unknown"), ["Commande", "fr"])
        yield* policies.set(tenantId, {})

        const mail = yield* call(path, {
          body: { notification_type: "email", user_id: "unknown", template_code: "order", variables: { id: 7 } },
          headers: { "x-correlation-id": "trace-1" }
        })
        const found = yield* stored(mail.body.data.id)
        if (found._tag === "None") return assert.fail()
        assert.deepInclude(found.value.notification, { type: "order", hidden: true })
        assert.deepStrictEqual(found.value.notification.options, {
          channels: ["email"],
          template: { code: "order", version: 1, variables: { id: 7 } },
          correlationId: "trace-1"
        })
        assert.deepStrictEqual((yield* statusOf(mail.body.data.id)).channels, {})
      })
    )

    it.effect("refuses what does not fit together, with the field and its limit", () =>
      Effect.gen(function* () {
        const refused = (other: object) => Effect.map(send("ann", other), detailOf)
        const bare = { title: undefined, message: undefined }
        assert.deepStrictEqual(yield* refused(bare), [422, "title: needed where there is no template_code"])
        const [status, unknown] = yield* refused({ ...bare, template_code: "nothing" })
        assert.strictEqual(status, 422)
        assert.match(unknown, /^template_code: .*nothing/)
        const [, variable] = yield* refused({ ...bare, template_code: "order", variables: { id: "seven" } })
        assert.match(variable, /id/)
        assert.deepStrictEqual(yield* refused({ template_code: "order" }), [
          422,
          "title: not together with template_code"
        ])
        assert.deepStrictEqual(yield* refused({ priority: 11 }), [400, "Expected a value between 1 and 10"])
        assert.match((yield* refused({ priority: 1.5 }))[1], /integer/)
        assert.match((yield* refused({ title: "x".repeat(257) }))[1], /at most 256/)
        assert.match((yield* refused({ to: { phone: "0151" } }))[1], /E\.164/)
        assert.match((yield* refused({ channels: [] }))[1], /at least 1/)
        assert.match((yield* refused({ data: { blob: "x".repeat(17_000) } }))[1], /16384 bytes/)
        assert.deepStrictEqual(yield* refused({ push: "always", data: { blob: "x".repeat(4_096) } }), [
          422,
          "data: the push data has 4111 bytes, and the limit is 4096"
        ])
        const tooLate = DateTime.formatIso(DateTime.add(yield* DateTime.now, { days: 400 }))
        assert.deepStrictEqual(yield* refused({ send_at: tooLate }), [422, "send_at: at most 366 days ahead"])
        assert.strictEqual((yield* send("ann", {}, { as: { user: "ann" } })).status, 403)
        assert.strictEqual((yield* send("ann", {}, { as: null })).status, 401)
      })
    )
  })

  describe("scheduled notifications", () => {
    const inAnHour = Effect.map(DateTime.now, (now) => DateTime.formatIso(DateTime.add(now, { hours: 1 })))

    it.effect("wait with the id that they will have, once for a request_id", () =>
      Effect.gen(function* () {
        const send_at = yield* inAnHour
        const first = yield* send("ann", { send_at, request_id: "later", cancel_key: "order-7" })
        const { id } = first.body.data
        assert.deepStrictEqual(first.body.data, { id, status: "scheduled", user_id: "ann", duplicate: false })
        const again = yield* send("ann", { send_at, request_id: "later" })
        assert.deepStrictEqual(again.body.data, { id, status: "scheduled", user_id: "ann", duplicate: true })
        assert.deepInclude(yield* statusOf(id), { id, status: "scheduled", send_at, title: "New Order", channels: {} })
        assert.strictEqual((yield* call(`${path}/${id}`, { as: elsewhere })).status, 404)

        const schedule = yield* ScheduleStore
        const mailboxes = yield* Mailboxes
        const due = DateTime.add(yield* DateTime.now, { hours: 2 })
        const [entry] = yield* schedule.claim(10, due, Duration.minutes(1))
        if (entry === undefined) return assert.fail()
        yield* mailboxes.deliver([entry.draft])
        yield* schedule.remove([entry.id])
        assert.deepInclude(yield* statusOf(id), { id, status: "accepted", send_at: null })
        const late = yield* send("ann", { send_at, request_id: "later" })
        assert.deepStrictEqual(late.body.data, { id, status: "accepted", user_id: "ann", duplicate: true })
        assert.deepStrictEqual(yield* schedule.claim(10, due, Duration.minutes(1)), [])
      })
    )

    it.effect("are sent at once when their time is past", () =>
      Effect.gen(function* () {
        const sent = yield* send("ann", { send_at: "2020-01-01T00:00:00" })
        assert.strictEqual(sent.body.data.status, "accepted")
      })
    )

    it.effect("are cancelled by id and by key, by their tenant alone", () =>
      Effect.gen(function* () {
        const send_at = yield* inAnHour
        const { id } = (yield* send("cid", { send_at })).body.data
        const cancel = (as = {}) => call(`${path}/${id}/cancel`, { method: "POST", as })
        assert.strictEqual((yield* cancel(elsewhere)).status, 404)
        assert.deepStrictEqual((yield* cancel()).body, { data: { scheduled: 1, deliveries: 0 } })
        assert.strictEqual((yield* cancel()).status, 404)
        assert.strictEqual((yield* call(`${path}/${id}`)).status, 404)

        for (const user of ["a", "b", "c"]) yield* send(user, { send_at, cancel_key: "sale" })
        const cancelAll = (as = {}) => call(`${path}/cancel`, { body: { cancel_key: "sale" }, as })
        assert.deepStrictEqual((yield* cancelAll(elsewhere)).body, { data: { scheduled: 0, deliveries: 0 } })
        assert.deepStrictEqual((yield* cancelAll()).body, { data: { scheduled: 3, deliveries: 0 } })
        assert.deepStrictEqual((yield* cancelAll()).body, { data: { scheduled: 0, deliveries: 0 } })
      })
    )
  })

  describe("GET /api/v1/notifications/{id}", () => {
    it.effect("tells the state on every channel, and every try", () =>
      Effect.gen(function* () {
        const deliveries = yield* DeliveryStore
        const store = yield* NotificationStore
        const { id } = (yield* send("dan")).body.data
        const now = DateTime.add(yield* DateTime.now, { seconds: 1 })
        const planned = (channel: "email" | "push"): NewDelivery => ({
          channel,
          target: { _tag: "User" },
          condition: "always",
          urgency: 5,
          dueAt: now
        })
        yield* deliveries.plan(100, now, ({ notificationId }) =>
          notificationId === id ? [planned("email"), { ...planned("push"), skipped: "switched_off" }] : []
        )
        const claimed = yield* deliveries.claim({
          channels: ["email"],
          limit: 10,
          now,
          lease: Duration.minutes(1),
          worker: "test"
        })
        const [mail] = claimed
        if (mail === undefined) return assert.fail()
        const attempt = {
          provider: "smtp",
          outcome: "transient",
          code: "421",
          detail: "busy",
          durationMs: 12.5,
          at: now
        } as const
        const retryAt = DateTime.add(now, { minutes: 1 })
        yield* deliveries.report(
          [
            {
              id: mail.delivery.id,
              attempt: mail.attempt,
              attempts: [attempt],
              result: { _tag: "Failed", retryAt, reason: "421", detail: "busy" }
            }
          ],
          now
        )
        yield* store.saveAcknowledged([{ tenantId, userId: UserId.make("dan"), seq: 1 }])
        const status = yield* statusOf(id)
        const at = DateTime.formatIso(now)
        assert.deepStrictEqual(status.channels, {
          in_app: { state: "delivered" },
          email: { state: "failed", reason: "421", attempts: 1, provider: "smtp", updated_at: at },
          push: { state: "skipped", reason: "switched_off", attempts: 0, provider: null, updated_at: at }
        })
        assert.deepStrictEqual(status.history, [
          {
            kind: "attempt",
            attempt: 1,
            provider: "smtp",
            outcome: "transient",
            code: "421",
            detail: "busy",
            duration_ms: 12.5,
            at
          }
        ])
        assert.strictEqual((yield* call(`${path}/${id}`, { as: elsewhere })).status, 404)
        assert.strictEqual((yield* call(`${path}/${id}`, { as: { user: "dan" } })).status, 403)
        const cancelled = yield* call(`${path}/${id}/cancel`, { method: "POST" })
        assert.deepStrictEqual(cancelled.body, { data: { scheduled: 0, deliveries: 1 } })
        assert.strictEqual((yield* statusOf(id)).channels.email.state, "cancelled")
      })
    )
  })
})
