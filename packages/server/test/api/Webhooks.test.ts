import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpApi, HttpApiMiddleware } from "effect/http-api"
import { WebhookApi } from "@beckon/domain/api/WebhookApi"
import * as MemoryWebhookEndpointStore from "@beckon/infra/memory/MemoryWebhookEndpointStore"
import { OutboundPost } from "@beckon/infra/webhook/OutboundPost"
import * as WebhookHandlers from "../../src/api/WebhookHandlers.ts"
import { Endpoints } from "../../src/delivery/Endpoints.ts"
import { Nudges } from "../../src/delivery/Nudges.ts"
import { layer as fakeDeliveries } from "../delivery/FakeDeliveries.ts"
import { call, layerOf } from "./ApiServer.ts"

const api = HttpApi.make("beckon").add(WebhookApi).middleware(HttpApiMiddleware.ProblemDetails)

const served = layerOf(api, WebhookHandlers.layer).pipe(
  Layer.provide(Endpoints.layer),
  Layer.provide([MemoryWebhookEndpointStore.layer, fakeDeliveries, Nudges.layer, OutboundPost.layer()])
)

const webhooks = "/api/v1/webhooks"
const url = "https://hooks.example.com/beckon"
const elsewhere = { tenant: "other" }

layer(served, { excludeTestServices: true })("webhooks over HTTP", (it) => {
  it.effect("are made, shown without their secret, changed and removed", () =>
    Effect.gen(function* () {
      const made = yield* call(webhooks, { body: { url, events: ["delivery.dead"], types: ["order_created"] } })
      assert.strictEqual(made.status, 201)
      const { created_at, id, secret, ...rest } = made.body.data
      assert.match(secret, /^whsec_/)
      assert.isString(created_at)
      const shown = {
        url,
        description: null,
        events: ["delivery.dead"],
        types: ["order_created"],
        enabled: true,
        disabled_reason: null,
        failing_since: null
      }
      assert.deepStrictEqual(rest, shown)
      const one = yield* call(`${webhooks}/${id}`)
      assert.deepStrictEqual(one.body, { data: { id, created_at, ...shown } })
      const list = yield* call(webhooks)
      assert.deepStrictEqual(list.body, {
        data: [{ id, created_at, ...shown }],
        meta: { limit: 50, next_cursor: null }
      })
      const off = yield* call(`${webhooks}/${id}`, { method: "PATCH", body: { enabled: false, description: "orders" } })
      assert.deepInclude(off.body.data, { enabled: false, disabled_reason: "admin", description: "orders", url })
      const refused = yield* call(`${webhooks}/${id}/test`, { method: "POST" })
      assert.deepStrictEqual([refused.status, refused.body.detail], [409, "enabled: the endpoint is switched off"])
      const on = yield* call(`${webhooks}/${id}`, { method: "PATCH", body: { enabled: true } })
      assert.deepInclude(on.body.data, { enabled: true, disabled_reason: null })
      for (const { text } of [one, list, off, on]) assert.notInclude(text, "whsec_")
      assert.strictEqual((yield* call(`${webhooks}/${id}`, { method: "DELETE" })).status, 204)
      assert.strictEqual((yield* call(`${webhooks}/${id}`, { method: "DELETE" })).status, 404)
      assert.deepStrictEqual((yield* call(webhooks)).body.data, [])
    })
  )

  it.effect("get a new secret, and say until when the former one signs", () =>
    Effect.gen(function* () {
      const { id, secret } = (yield* call(webhooks, { body: { url } })).body.data
      const hours = (until: string) => Math.round((Date.parse(until) - Date.now()) / 3_600_000)
      const rotated = yield* call(`${webhooks}/${id}/rotate`, { body: {} })
      assert.strictEqual(rotated.status, 200)
      assert.match(rotated.body.data.secret, /^whsec_/)
      assert.notStrictEqual(rotated.body.data.secret, secret)
      assert.strictEqual(hours(rotated.body.data.former_until), 24)
      const short = yield* call(`${webhooks}/${id}/rotate`, { body: { overlap_seconds: 7_200 } })
      assert.strictEqual(hours(short.body.data.former_until), 2)
      const long = yield* call(`${webhooks}/${id}/rotate`, { body: { overlap_seconds: 604_801 } })
      assert.strictEqual(long.status, 400)
    })
  )

  it.effect("are pinged, and list what was sent to them", () =>
    Effect.gen(function* () {
      const { id } = (yield* call(webhooks, { body: { url } })).body.data
      const pings: Array<string> = []
      for (let count = 0; count < 3; count++) {
        const ping = yield* call(`${webhooks}/${id}/test`, { method: "POST" })
        assert.strictEqual(ping.status, 202)
        pings.unshift(ping.body.data.delivery_id)
      }
      const first = yield* call(`${webhooks}/${id}/deliveries?limit=2&state=pending&state=sent`)
      assert.deepInclude(first.body.data[0], { id: pings[0], channel: "webhook", endpoint_id: id, user_id: null })
      assert.strictEqual(first.body.meta.limit, 2)
      const cursor = encodeURIComponent(first.body.meta.next_cursor)
      const second = yield* call(`${webhooks}/${id}/deliveries?limit=2&cursor=${cursor}`)
      assert.deepStrictEqual(
        [...first.body.data, ...second.body.data].map((one: { id: string }) => one.id),
        pings
      )
      assert.strictEqual(second.body.meta.next_cursor, null)
      assert.deepStrictEqual((yield* call(`${webhooks}/${id}/deliveries?state=dead`)).body.data, [])
      assert.strictEqual((yield* call(`${webhooks}/${id}/deliveries?cursor=AAAA`)).status, 422)
    })
  )

  it.effect("are refused with the field and the rule", () =>
    Effect.gen(function* () {
      const detailOf = (wrong: string) =>
        Effect.map(call(webhooks, { body: { url: wrong } }), ({ body }) => body.detail)
      assert.strictEqual(yield* detailOf("http://example.com/"), "url: only https")
      assert.strictEqual(yield* detailOf("https://169.254.169.254/latest"), "url: not a public address")
      assert.strictEqual(yield* detailOf("https://2130706433/"), "url: not a public address")
      assert.strictEqual((yield* call(webhooks, { body: { url: "https://10.0.0.1/" } })).status, 422)
      assert.strictEqual((yield* call(webhooks, { body: { url, events: [] } })).status, 400)
      assert.strictEqual((yield* call(webhooks, { body: { url, events: ["order.created"] } })).status, 400)
      assert.strictEqual(
        (yield* call(webhooks, { body: { url: `https://example.com/${"x".repeat(2_048)}` } })).status,
        400
      )
    })
  )

  it.effect("belong to their tenant's services and admins", () =>
    Effect.gen(function* () {
      const { id } = (yield* call(webhooks, { body: { url }, as: { role: "admin" } })).body.data
      const one = `${webhooks}/${id}`
      for (const [method, path, body] of [
        ["GET", one],
        ["PATCH", one, { enabled: false }],
        ["POST", `${one}/rotate`, {}],
        ["POST", `${one}/test`],
        ["GET", `${one}/deliveries`],
        ["DELETE", one]
      ] as const) {
        assert.strictEqual((yield* call(path, { method, body, as: elsewhere })).status, 404, path)
        const refused = yield* call(path, { method, body, as: { user: "ann" } })
        const needed = method === "GET" ? "webhooks:read" : "webhooks:write"
        assert.strictEqual(refused.status, 403)
        assert.include(
          refused.body.detail,
          `scope: this needs ${needed}, which the roles service, admin, platform have`
        )
        assert.strictEqual((yield* call(path, { method, body, as: null })).status, 401, path)
      }
      for (const as of [{ user: "ann" }, null]) {
        assert.notStrictEqual((yield* call(webhooks, { as })).status, 200)
        assert.notStrictEqual((yield* call(webhooks, { body: { url }, as })).status, 201)
      }
      assert.deepStrictEqual((yield* call(webhooks, { as: elsewhere })).body.data, [])
      assert.deepInclude((yield* call(one)).body.data, { id, enabled: true })
    })
  )
})
