import { assert, layer } from "@effect/vitest"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import { DateTime, Effect, Layer } from "effect"
import { HttpApi, HttpApiMiddleware } from "effect/http-api"
import { AuditApi } from "@beckon/domain/api/AuditApi"
import { TenantApi, TenantsApi } from "@beckon/domain/api/TenantApi"
import { TenantId } from "@beckon/domain/Identifiers"
import { asSystem } from "@beckon/domain/ports/RowAccess"
import { TenantStore } from "@beckon/domain/ports/TenantStore"
import * as MemoryAuditLog from "@beckon/infra/memory/MemoryAuditLog"
import * as MemoryTenantSecretStore from "@beckon/infra/memory/MemoryTenantSecretStore"
import * as MemoryTenantStore from "@beckon/infra/memory/MemoryTenantStore"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import * as MemoryUserDirectory from "@beckon/infra/memory/MemoryUserDirectory"
import { ExternalUsers } from "@beckon/infra/users/ExternalUsers"
import { OutboundPost } from "@beckon/infra/webhook/OutboundPost"
import * as AuditHandlers from "../../src/api/AuditHandlers.ts"
import * as TenantHandlers from "../../src/api/TenantHandlers.ts"
import { Audit } from "../../src/audit/Audit.ts"
import { TenantAdmin } from "../../src/tenants/TenantAdmin.ts"
import { Tenants } from "../../src/tenants/Tenants.ts"
import { Recipients } from "../../src/users/Recipients.ts"
import { UserServiceAccounts } from "../../src/users/UserServiceAccounts.ts"
import { UserServices } from "../../src/users/UserServices.ts"
import * as PreparedService from "../users/PreparedService.ts"
import { call, layerOf } from "./ApiServer.ts"

const api = HttpApi.make("beckon")
  .add(TenantsApi)
  .add(TenantApi)
  .add(AuditApi)
  .middleware(HttpApiMiddleware.ProblemDetails)

const services = Layer.merge(TenantAdmin.layer, UserServiceAccounts.layer).pipe(
  Layer.provideMerge(Recipients.layer),
  Layer.provideMerge(UserServices.layer),
  Layer.provide(ExternalUsers.layer),
  Layer.provideMerge(Layer.merge(Tenants.layer, Audit.layer)),
  Layer.provideMerge(
    Layer.mergeAll(
      MemoryTenantStore.layer,
      MemoryTenantSecretStore.layer,
      MemoryAuditLog.layer,
      MemoryUserDirectory.layer,
      MemoryTopicBus.layer,
      CircuitBreaker.layerStoreMemory(),
      OutboundPost.layer({ allowInsecure: true, allowedNetworks: ["127.0.0.0/8"] })
    )
  )
)

const served = layerOf(api, Layer.merge(TenantHandlers.layer, AuditHandlers.layer)).pipe(Layer.provideMerge(services))

const root = "/api/v1/admin/tenants"
const own = "/api/v1/admin/tenant"
const operator = { tenant: "operators", user: "root", role: "platform" }
const adminOf = (tenant: string) => ({ tenant, user: "boss", role: "admin" })

layer(served, { excludeTestServices: true })("tenants over HTTP", (it) => {
  it.effect("are set up, listed, changed, suspended and removed by those who run the deployment", () =>
    Effect.gen(function* () {
      const as = operator
      const settings = { time_zone: "Europe/Berlin", rate_limits: { tenant: { per_second: 5, burst: 10 } } }
      const made = yield* call(root, { as, body: { id: "alpha", name: "Alpha", settings } })
      assert.deepStrictEqual([made.status, made.headers["etag"]], [201, '"1"'])
      const { created_at, updated_at, ...rest } = made.body.data
      assert.isString(created_at)
      assert.isString(updated_at)
      assert.deepStrictEqual(rest, { id: "alpha", name: "Alpha", status: "active", settings, version: 1 })
      assert.strictEqual((yield* call(root, { as, body: { id: "alpha" } })).status, 409)
      yield* call(root, { as, body: { id: "beta" } })

      const page = yield* call(`${root}?limit=1`, { as })
      assert.deepStrictEqual(
        page.body.data.map(({ id }: { id: string }) => id),
        ["alpha"]
      )
      const next = yield* call(`${root}?limit=1&cursor=${page.body.meta.next_cursor}`, { as })
      assert.deepStrictEqual([next.body.data[0].id, next.body.meta.next_cursor], ["beta", null])

      const patch = { settings: { time_zone: null, default_language: "de" } }
      const changed = yield* call(`${root}/alpha`, { as, method: "PATCH", body: patch })
      assert.deepStrictEqual(changed.body.data.settings, {
        default_language: "de",
        rate_limits: settings.rate_limits
      })
      assert.strictEqual(changed.headers["etag"], '"2"')

      assert.strictEqual((yield* call(`${root}/alpha`, { as, method: "DELETE" })).status, 409)
      const suspended = yield* call(`${root}/alpha/suspend`, { as, method: "POST" })
      assert.deepStrictEqual([suspended.status, suspended.body.data.status], [200, "suspended"])
      const tenants = yield* Tenants
      assert.strictEqual((yield* tenants.get(TenantId.make("alpha"))).status, "suspended")
      const listed = yield* call(`${root}?status=suspended`, { as })
      assert.deepStrictEqual([listed.body.data.length, listed.body.data[0].id], [1, "alpha"])
      assert.strictEqual((yield* call(`${root}/alpha`, { as, method: "DELETE" })).status, 204)
      assert.strictEqual((yield* call(`${root}/alpha`, { as })).status, 404)
      assert.strictEqual((yield* call(`${root}/alpha/activate`, { as, method: "POST" })).status, 404)
      assert.strictEqual((yield* call(root, { as, body: { id: "alpha" } })).status, 409)
      // Without its row the tenant would have the defaults, and be active.
      assert.strictEqual((yield* tenants.get(TenantId.make("alpha"))).status, "suspended")
    })
  )

  it.effect("with If-Match only the version that the caller has seen is changed", () =>
    Effect.gen(function* () {
      const as = operator
      yield* call(root, { as, body: { id: "gamma" } })
      const patch = (header: string, name: string) =>
        call(`${root}/gamma`, { as, method: "PATCH", body: { name }, headers: { "if-match": header } })
      const late = yield* patch('"7"', "Late")
      assert.deepStrictEqual([late.status, late.body.type], [412, "urn:beckon:problem:precondition-failed"])
      assert.strictEqual((yield* patch('W/"1"', "Weak")).status, 412)
      assert.strictEqual((yield* patch("1", "Bare")).status, 400)
      assert.strictEqual((yield* patch('"1"', "First")).status, 200)
      assert.strictEqual((yield* patch("*", "Second")).body.data.version, 3)
      const names = yield* Effect.forEach(["a", "b", "c", "d"], (name) => patch('"3"', name), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(names.map(({ status }) => String(status)).toSorted(), ["200", "412", "412", "412"])
      const known = yield* call(`${root}/gamma`, { as, headers: { "if-none-match": '"4"' } })
      assert.strictEqual(known.status, 304)
    })
  )

  it.effect("are nobody else's, and nobody shuts himself out", () =>
    Effect.gen(function* () {
      for (const role of ["user", "service", "admin"]) {
        const as = { tenant: "beta", user: "eve", role }
        assert.strictEqual((yield* call(root, { as })).status, 403, role)
        assert.strictEqual((yield* call(`${root}/beta`, { as, method: "PATCH", body: {} })).status, 403, role)
      }
      yield* call(root, { as: operator, body: { id: operator.tenant } })
      for (const path of [`${root}/operators/suspend`, `${root}/operators`]) {
        const method = path.endsWith("suspend") ? "POST" : "DELETE"
        assert.strictEqual((yield* call(path, { as: operator, method })).status, 409)
      }
      const bad = yield* call(root, {
        as: operator,
        body: { id: "bad", settings: { recipients: { source: "external", url: "http://10.0.0.1/" } } }
      })
      assert.deepStrictEqual([bad.status, bad.body.detail], [422, "settings.recipients.url: not a public address"])
    })
  )

  it.effect("an admin changes the settings of his own tenant, and neither its status nor its limits", () =>
    Effect.gen(function* () {
      const as = adminOf("delta")
      const first = yield* call(own, { as })
      assert.deepStrictEqual(
        [first.status, first.headers["etag"], first.body.data.version, first.body.data.settings],
        [200, '"0"', 0, {}]
      )
      const early = { "if-match": '"1"' }
      assert.strictEqual((yield* call(own, { as, method: "PATCH", body: {}, headers: early })).status, 412)
      const made = yield* call(own, {
        as,
        method: "PATCH",
        body: { name: "Delta", settings: { allowed_origins: ["https://app.example.com"] } },
        headers: { "if-match": '"0"' }
      })
      assert.deepStrictEqual([made.status, made.headers["etag"]], [200, '"1"'])
      assert.strictEqual((yield* call(own, { as })).body.data.name, "Delta")
      for (const settings of [
        { rate_limits: { tenant: { per_second: 1_000, burst: 1_000 } } },
        { sockets: null },
        { retention: { audit: 1 } }
      ]) {
        assert.strictEqual((yield* call(own, { as, method: "PATCH", body: { settings } })).status, 403)
      }
      yield* call(own, { as, method: "PATCH", body: { status: "suspended", settings: { retention: { batches: 3 } } } })
      const after = (yield* call(own, { as })).body.data
      assert.deepStrictEqual([after.status, after.settings.retention], ["active", { batches: 3 }])
      assert.strictEqual((yield* call(own, { as: { tenant: "delta", user: "ada" } })).status, 403)
      const origin = { settings: { allowed_origins: ["https://app.example.com/path"] } }
      assert.strictEqual((yield* call(own, { as, method: "PATCH", body: origin })).status, 400)
    })
  )

  it.effect("each change is in the audit log of the tenant that it is about, with its caller and what it was", () =>
    Effect.gen(function* () {
      const as = operator
      yield* call(root, { as, body: { id: "epsilon", name: "Epsilon" }, headers: { "x-correlation-id": "corr-1" } })
      yield* call(`${root}/epsilon`, { as, method: "PATCH", body: { name: "Renamed" } })
      yield* call(`${root}/epsilon/suspend`, { as, method: "POST" })
      yield* call(`${root}/epsilon`, { as, method: "DELETE" })
      const path = "/api/v1/admin/audit"
      const log = yield* call(path, { as: adminOf("epsilon") })
      assert.deepStrictEqual(
        log.body.data.map(({ action, actor, target }: Record<string, unknown>) => [action, actor, target]),
        ["remove", "suspend", "update", "create"].map((verb) => [
          `tenant.${verb}`,
          { kind: "user", id: "root", roles: ["platform"] },
          "tenant/epsilon"
        ])
      )
      const [, , update, create] = log.body.data
      assert.deepStrictEqual([update.before.name, update.after.name], ["Epsilon", "Renamed"])
      assert.deepStrictEqual([create.before, create.after], [null, { name: "Epsilon", status: "active", settings: {} }])
      assert.deepStrictEqual([create.address, create.correlation_id], ["127.0.0.1", "corr-1"])

      const page = yield* call(`${path}?limit=3`, { as: adminOf("epsilon") })
      const rest = yield* call(`${path}?limit=3&cursor=${page.body.meta.next_cursor}`, { as: adminOf("epsilon") })
      assert.deepStrictEqual([rest.body.data.length, rest.body.data[0].id], [1, create.id])
      const updates = yield* call(`${path}?action=tenant.update&actor=root`, { as: adminOf("epsilon") })
      assert.strictEqual(updates.body.data.length, 1)
      const since = yield* call(`${path}?since=2999-01-01T00:00:00Z`, { as: adminOf("epsilon") })
      assert.deepStrictEqual(since.body.data, [])
      assert.strictEqual((yield* call(path, { as: { tenant: "epsilon", user: "ada" } })).status, 403)
      assert.strictEqual((yield* call(path, { as: adminOf("zeta") })).body.data.length, 0)
    })
  )

  it.effect("the user service of a tenant gets its service account, which nobody sees again", () =>
    Effect.gen(function* () {
      const service = yield* PreparedService.start
      const as = adminOf("eta")
      const path = `${own}/user-service`
      const test = call(`${path}/test`, { as, body: { user_id: "ada" } })
      assert.strictEqual((yield* test).status, 409)
      const recipients = { source: "external", url: `${service.url}/v1/` }
      const set = yield* call(own, { as, method: "PATCH", body: { settings: { recipients } } })
      assert.deepStrictEqual([set.status, set.body.data.settings.recipients], [200, recipients])

      service.prepare(200, JSON.stringify({ data: [{ user_id: "ada", email: "ada@example.com", phone: "no phone" }] }))
      const bare = yield* test
      assert.deepStrictEqual([bare.status, bare.body.data.failure], [200, null])
      assert.deepInclude(bare.body.data.user, { user_id: "ada", email: "ada@example.com", phone: null, roles: [] })
      assert.deepStrictEqual(
        [service.seen[0]?.path, service.seen[0]?.headers["authorization"]],
        ["/v1/users?ids=ada", undefined]
      )

      const credential = `${path}/credential`
      assert.deepStrictEqual((yield* call(credential, { as })).body.data, { set: false, updated_at: null })
      const planted = "a-planted-token-7f3a"
      const put = yield* call(credential, { as, method: "PUT", body: { type: "bearer", token: planted } })
      assert.deepStrictEqual([put.status, put.body.data.set], [200, true])
      service.prepare(401, `no: ${planted}`)
      const refused = yield* test
      assert.deepStrictEqual(refused.body.data, { failure: "it answered 401", user: null })
      assert.strictEqual(service.seen[1]?.headers["authorization"], `Bearer ${planted}`)

      yield* call(credential, { as, method: "PUT", body: { type: "basic", username: "beckon", password: planted } })
      service.prepare(200, JSON.stringify({ data: [] }))
      assert.deepStrictEqual((yield* test).body.data, { failure: null, user: null })
      assert.strictEqual(
        service.seen[2]?.headers["authorization"],
        `Basic ${Buffer.from(`beckon:${planted}`).toString("base64")}`
      )
      const state = yield* call(credential, { as })
      const log = yield* call("/api/v1/admin/audit", { as })
      for (const { text } of [put, refused, state, log, yield* call(own, { as })]) assert.notInclude(text, planted)
      assert.strictEqual(log.body.data[0].action, "user_service_credential.set")

      // It goes nowhere else: not by another URL, nor by one after the directory.
      const other = yield* PreparedService.start
      const moveTo = (url: string) =>
        call(own, { as, method: "PATCH", body: { settings: { recipients: { source: "external", url } } } })
      const refuse = `settings.recipients.url: the service account was given for ${service.url}; remove it first, and give the one for this origin afterwards`
      const moved = yield* moveTo(`${other.url}/`)
      assert.deepStrictEqual([moved.status, moved.body.detail], [422, refuse])
      yield* call(own, { as, method: "PATCH", body: { settings: { recipients: null } } })
      const unplaced = yield* call(credential, { as, method: "PUT", body: { type: "bearer", token: planted } })
      assert.deepStrictEqual([unplaced.status, unplaced.body.detail.split(":")[0]], [422, "settings.recipients.url"])
      assert.strictEqual((yield* moveTo(`${other.url}/`)).status, 422)
      assert.strictEqual((yield* moveTo(`${service.url}/v2/`)).status, 200)
      // Even where the URL came into the store past that check.
      const store = yield* TenantStore
      const elsewhere = { source: "external", url: `${other.url}/` } as const
      yield* asSystem(
        store.update(TenantId.make("eta"), { settings: { recipients: elsewhere } }, undefined, yield* DateTime.now)
      )
      yield* Effect.flatMap(Tenants, (tenants) => tenants.changed(TenantId.make("eta")))
      other.prepare(200, JSON.stringify({ data: [] }))
      yield* test
      assert.deepStrictEqual(
        other.seen.map(({ headers, path: at }) => [at, headers["authorization"]]),
        [["/users?ids=ada", undefined]]
      )
      assert.strictEqual((yield* call(credential, { as, method: "DELETE" })).status, 204)
      assert.strictEqual((yield* call(credential, { as, method: "DELETE" })).status, 404)
    }).pipe(Effect.scoped)
  )
})
