import { assert, layer } from "@effect/vitest"
import { DateTime, Effect, Layer } from "effect"
import { HttpApi, HttpApiMiddleware } from "effect/http-api"
import { LookupAdminApi, LookupApi } from "@beckon/domain/api/LookupApi"
import { LookupStore } from "@beckon/domain/ports/LookupStore"
import * as MemoryAuditLog from "@beckon/infra/memory/MemoryAuditLog"
import * as MemoryLookupStore from "@beckon/infra/memory/MemoryLookupStore"
import * as MemoryTenantStore from "@beckon/infra/memory/MemoryTenantStore"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import * as LookupHandlers from "../../src/api/LookupHandlers.ts"
import { Audit } from "../../src/audit/Audit.ts"
import { Lookups } from "../../src/lookups/Lookups.ts"
import { platformLookups, revision } from "../../src/seeds/PlatformLookups.ts"
import { Tenants } from "../../src/tenants/Tenants.ts"
import { call, layerOf } from "./ApiServer.ts"

const api = HttpApi.make("beckon").add(LookupApi).add(LookupAdminApi).middleware(HttpApiMiddleware.ProblemDetails)

const layerSeeded = Layer.effectDiscard(
  LookupStore.use((store) => store.seed("platform", platformLookups, revision, DateTime.makeUnsafe(0)))
)

const served = layerOf(api, LookupHandlers.layer).pipe(
  Layer.provide(Lookups.layer),
  Layer.provide([Tenants.layer, Audit.layer, layerSeeded]),
  Layer.provide([MemoryLookupStore.layer, MemoryTenantStore.layer, MemoryTopicBus.layer, MemoryAuditLog.layer])
)

const path = "/api/v1/lookups/channels"
const admin = { tenant: "acme", user: "boss", role: "admin" }
const reader = { tenant: "acme", user: "ada" }
const other = { tenant: "other", user: "ada" }

const codesOf = (answer: { readonly body: { readonly data: ReadonlyArray<{ readonly code: string }> } }) =>
  answer.body.data.map(({ code }) => code)

layer(served, { excludeTestServices: true })("lookups over HTTP", (it) => {
  it.effect("are those of the deployment with the tenant's own over them, for everybody of the tenant", () =>
    Effect.gen(function* () {
      const first = yield* call(path, { as: reader })
      assert.deepStrictEqual(codesOf(first), ["in_app", "push", "email", "sms", "whatsapp", "webhook"])
      assert.deepInclude(first.body.data[2], { label: "Email", source: "platform", active: true, order: 30 })

      const put = (code: string, body: unknown, as = admin) =>
        call(`/api/v1/admin/lookups/channels/${code}`, { as, method: "PUT", body })
      const fax = yield* put("fax", { labels: { en: "Fax", de: "Telefax" }, order: 5, attributes: { old: true } })
      assert.deepStrictEqual([fax.status, fax.body.data.source], [200, "tenant"])
      assert.strictEqual((yield* put("sms", { labels: { en: "SMS" }, active: false })).status, 200)
      const own = yield* call(path, { as: reader })
      assert.deepStrictEqual(codesOf(own), ["fax", "in_app", "push", "email", "whatsapp", "webhook"])
      assert.include(codesOf(yield* call(`${path}?all=true`, { as: reader })), "sms")
      assert.deepStrictEqual(codesOf(yield* call(path, { as: other })), codesOf(first))

      const remove = call("/api/v1/admin/lookups/channels/sms", { as: admin, method: "DELETE" })
      assert.strictEqual((yield* remove).status, 204)
      assert.strictEqual((yield* remove).status, 404)
      assert.include(codesOf(yield* call(path, { as: reader })), "sms")
    })
  )

  it.effect("have labels in the language that is asked for, or the nearest", () =>
    Effect.gen(function* () {
      const labelIn = (language: string) =>
        Effect.map(call(`${path}?language=${language}`, { as: other }), ({ body }) => body.data[2].label)
      assert.deepStrictEqual(yield* Effect.forEach(["de", "de-AT", "DE", "fr", "en-GB"], labelIn), [
        "E-Mail",
        "E-Mail",
        "E-Mail",
        "Email",
        "Email"
      ])
    })
  )

  it.effect("are answered with 304 until something in them changes", () =>
    Effect.gen(function* () {
      const etag = (yield* call(path, { as: reader })).headers["etag"] ?? ""
      assert.match(etag, /^"[\w.-]+"$/)
      const again = call(path, { as: reader, headers: { "if-none-match": etag } })
      assert.strictEqual((yield* again).status, 304)
      const change = { as: admin, method: "PUT", body: { labels: { en: "Letter" } } } as const
      yield* call("/api/v1/admin/lookups/channels/letter", change)
      assert.strictEqual((yield* again).status, 200)
    })
  )

  it.effect("are changed by admins only, and within limits", () =>
    Effect.gen(function* () {
      const put = (code: string, body: unknown, as: { tenant: string; user: string; role?: string } = admin) =>
        call(`/api/v1/admin/lookups/${code}`, { as, method: "PUT", body })
      const labels = { en: "x" }
      assert.strictEqual((yield* put("channels/x", { labels }, reader)).status, 403)
      assert.strictEqual((yield* put("channels/x", { labels }, { ...admin, role: "service" })).status, 403)
      for (const [code, body] of [
        ["Not-A-Kind/x", { labels }],
        ["channels/x", { labels: {} }],
        ["channels/x", { labels: { en: "" } }],
        ["channels/x", { labels, order: 1.5 }],
        ["channels/x", { labels, attributes: { text: "x".repeat(20_000) } }]
      ] as const) {
        assert.isAtLeast((yield* put(code, body)).status, 400, JSON.stringify(body).slice(0, 60))
      }
      assert.deepStrictEqual((yield* call("/api/v1/lookups/nothing", { as: reader })).body.data, [])
    })
  )
})
