import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { HttpApi, HttpApiMiddleware } from "effect/http-api"
import { MeApi } from "@beckon/domain/api/MeApi"
import { RoutingApi } from "@beckon/domain/api/RoutingApi"
import { UserApi } from "@beckon/domain/api/UserApi"
import * as MemoryDeviceStore from "@beckon/infra/memory/MemoryDeviceStore"
import * as MemoryPreferenceStore from "@beckon/infra/memory/MemoryPreferenceStore"
import * as MemoryRoutingPolicyStore from "@beckon/infra/memory/MemoryRoutingPolicyStore"
import * as MemoryUserDirectory from "@beckon/infra/memory/MemoryUserDirectory"
import * as MeHandlers from "../../src/api/MeHandlers.ts"
import * as RoutingHandlers from "../../src/api/RoutingHandlers.ts"
import * as UserHandlers from "../../src/api/UserHandlers.ts"
import { Inbox } from "../../src/inbox/Inbox.ts"
import { Recipients } from "../../src/users/Recipients.ts"
import * as Mailboxes from "../mailbox/Fixture.ts"
import { call, layerOf } from "./ApiServer.ts"

const api = HttpApi.make("beckon").add(MeApi).add(UserApi).add(RoutingApi).middleware(HttpApiMiddleware.ProblemDetails)

const handlers = Layer.mergeAll(MeHandlers.layer, UserHandlers.layer, RoutingHandlers.layer)

const served = layerOf(api, handlers).pipe(
  Layer.provide(Inbox.layer),
  Layer.provide(Recipients.layerDirectory),
  Layer.provide(Mailboxes.layer()),
  Layer.provide([
    MemoryDeviceStore.layer,
    MemoryPreferenceStore.layer,
    MemoryRoutingPolicyStore.layer,
    MemoryUserDirectory.layer
  ])
)

const users = "/api/v1/users"
const elsewhere = { tenant: "other" }

layer(served, { excludeTestServices: true })("users over HTTP", (it) => {
  it.effect("are made known, changed field by field, listed by role and forgotten", () =>
    Effect.gen(function* () {
      const made = yield* call(users, {
        body: { user_id: "ann", name: "Ann", phone: "+4915112345678", time_zone: "Europe/Berlin", roles: ["driver"] }
      })
      assert.strictEqual(made.status, 201)
      const { updated_at, ...ann } = made.body.data
      assert.isString(updated_at)
      assert.deepStrictEqual(ann, {
        user_id: "ann",
        name: "Ann",
        email: null,
        phone: "+4915112345678",
        language: null,
        time_zone: "Europe/Berlin",
        image: null,
        roles: ["driver"]
      })
      const again = yield* call(users, { body: { user_id: "ann" } })
      assert.deepStrictEqual([again.status, again.body.detail], [409, "user_id: a user of this id is there already"])
      const changed = yield* call(`${users}/ann`, { method: "PATCH", body: { name: null, language: "pt-BR" } })
      assert.deepInclude(changed.body.data, { name: null, language: "pt-BR", phone: "+4915112345678" })
      assert.deepInclude((yield* call(`${users}/ann`)).body.data, { name: null, language: "pt-BR" })

      for (const id of ["bea", "cid", "dan"]) yield* call(users, { body: { user_id: id, roles: ["customer"] } })
      const idsOf = (answer: { body: { data: ReadonlyArray<{ user_id: string }> } }) =>
        answer.body.data.map(({ user_id }) => user_id)
      const page = yield* call(`${users}?role=customer&limit=2`)
      assert.deepStrictEqual(idsOf(page), ["bea", "cid"])
      const rest = yield* call(`${users}?role=customer&limit=2&cursor=${page.body.meta.next_cursor}`)
      assert.deepStrictEqual([idsOf(rest), rest.body.meta], [["dan"], { limit: 2, next_cursor: null }])
      assert.deepStrictEqual(idsOf(yield* call(users, { as: elsewhere })), [])

      const long = "€".repeat(128)
      assert.strictEqual((yield* call(users, { body: { user_id: long } })).status, 201)
      assert.strictEqual((yield* call(`${users}/${encodeURIComponent(long)}`)).body.data.user_id, long)

      assert.strictEqual((yield* call(`${users}/dan`, { method: "DELETE" })).status, 204)
      assert.strictEqual((yield* call(`${users}/dan`)).status, 404)
    })
  )

  it.effect("are nobody's but their tenant's services'", () =>
    Effect.gen(function* () {
      yield* call(users, { body: { user_id: "eve" } })
      for (const [method, body] of [["GET"], ["PATCH", {}], ["DELETE"]] as const) {
        assert.strictEqual((yield* call(`${users}/eve`, { method, body, as: elsewhere })).status, 404, method)
        const refused = yield* call(`${users}/eve`, { method, body, as: { user: "eve" } })
        const needed = method === "GET" ? "users:read" : "users:write"
        assert.strictEqual(refused.status, 403)
        assert.include(
          refused.body.detail,
          `scope: this needs ${needed}, which the roles service, admin, platform have`
        )
        assert.strictEqual((yield* call(`${users}/eve`, { method, body, as: null })).status, 401, method)
      }
    })
  )

  it.effect("are refused with the field and its limit", () =>
    Effect.gen(function* () {
      const refused = (body: object) =>
        Effect.map(call(users, { body: { user_id: "x", ...body } }), ({ body, status }) => {
          assert.strictEqual(status, 400)
          return JSON.stringify(body)
        })
      assert.match(yield* refused({ phone: "0151 12345678" }), /"phone".*E\.164/)
      assert.match(yield* refused({ time_zone: "Berlin" }), /IANA/)
      assert.match(yield* refused({ roles: Array.from({ length: 21 }, String) }), /at most 20/)
      assert.match(yield* refused({ name: "x".repeat(257) }), /at most 256/)
      const me = yield* call(users, { body: { user_id: "me" } })
      assert.deepStrictEqual([me.status, me.body.detail], [422, "user_id: me stands for the caller"])
      assert.strictEqual((yield* call(`${users}?cursor=AAAA`)).status, 422)
    })
  )
})

layer(served, { excludeTestServices: true })("preferences over HTTP", (it) => {
  const mine = `${users}/me/preferences`
  const ann = { user: "ann" }

  it.effect("are the user's own, and open to his tenant's services", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* call(mine, { as: ann })).body, { data: { channels: {}, muted_types: [] } })
      const wishes = {
        channels: { sms: false },
        muted_types: ["driver_nearby"],
        types: { order_created: { email: true, push: false } },
        categories: { news: { email: false } },
        quiet_hours: { start: "22:00", end: "07:00", days: [1, 7] },
        time_zone: "Asia/Kolkata",
        language: "de"
      }
      const set = yield* call(mine, { method: "PUT", body: wishes, as: ann })
      assert.deepStrictEqual([set.status, set.body], [200, { data: wishes }])
      assert.deepStrictEqual((yield* call(mine, { as: ann })).body, { data: wishes })
      assert.deepStrictEqual((yield* call(`${users}/ann/preferences`)).body, { data: wishes })
      const other = yield* call(`${users}/ann/preferences`, { as: elsewhere })
      assert.deepStrictEqual(other.body, { data: { channels: {}, muted_types: [] } })
      const theirs = yield* call(`${users}/bob/preferences`, { method: "PUT", body: { channels: { push: false } } })
      assert.deepStrictEqual(theirs.body, { data: { channels: { push: false }, muted_types: [] } })
    })
  )

  it.effect("cannot switch the inbox off, nor a channel that nobody knows", () =>
    Effect.gen(function* () {
      const put = (body: object) => call(mine, { method: "PUT", body, as: ann })
      for (const [body, field] of [
        [{ channels: { in_app: false } }, "channels.in_app"],
        [{ channels: {}, types: { order_created: { in_app: false } } }, "types.order_created.in_app"],
        [{ channels: {}, categories: { news: { in_app: false } } }, "categories.news.in_app"]
      ] as const) {
        const refused = yield* put(body)
        assert.deepStrictEqual(
          [refused.status, refused.body.detail],
          [422, `${field}: the inbox keeps everything and cannot be switched off`]
        )
      }
      const unknown = yield* put({ channels: { pigeon: true } })
      assert.strictEqual(unknown.status, 400)
      assert.match(JSON.stringify(unknown.body), /only the channels in_app, push, email, sms, whatsapp, webhook/)
      assert.strictEqual((yield* put({ channels: { in_app: true } })).status, 200)
    })
  )
})

layer(served, { excludeTestServices: true })("devices over HTTP", (it) => {
  const mine = `${users}/me/devices`
  const ann = { user: "ann" }

  it.effect("come and go with their token, which nobody gets back", () =>
    Effect.gen(function* () {
      const token = "a-token-of-the-push-service"
      assert.strictEqual((yield* call(mine, { body: { platform: "ios", token }, as: ann })).status, 204)
      const own = yield* call(mine, { as: ann })
      assert.strictEqual(own.body.data.length, 1)
      assert.strictEqual(own.body.data[0].platform, "ios")
      assert.match(own.body.data[0].hash, /^[0-9a-f]{32,}$/)
      const seen = yield* call(`${users}/ann/devices`)
      assert.deepStrictEqual(seen.body, own.body)
      assert.notInclude(own.text + seen.text, token)
      assert.deepStrictEqual((yield* call(`${users}/ann/devices`, { as: elsewhere })).body, { data: [] })

      const remove = call(mine, { method: "DELETE", body: { token }, as: ann })
      const others = yield* call(mine, { method: "DELETE", body: { token }, as: { user: "bob" } })
      assert.strictEqual(others.status, 404)
      assert.strictEqual((yield* remove).status, 204)
      const again = yield* remove
      assert.deepStrictEqual([again.status, again.body.detail], [404, "token: no device of yours has this token"])
      assert.deepStrictEqual((yield* call(mine, { as: ann })).body, { data: [] })
      assert.deepStrictEqual((yield* call(mine, { body: { platform: "palm", token }, as: ann })).body.errors, [
        { path: ["payload", "platform"], message: 'Expected "ios" | "android" | "web"' }
      ])
    })
  )
})

layer(served, { excludeTestServices: true })("the routing policy over HTTP", (it) => {
  const path = "/api/v1/admin/routing-policy"

  it.effect("has a version, and a change of another's is not overwritten", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* call(path)).body, { data: { policy: {}, version: 0 } })
      const policy = {
        defaults: { steps: [{ channel: "email", when: "unseen", after_seconds: 600 }] },
        types: { verification_code: { critical: true, category: "security" } },
        time_zone: "Europe/Berlin"
      }
      const put = (body: object, as = {}) => call(path, { method: "PUT", body, as })
      assert.deepStrictEqual((yield* put({ policy, version: 0 })).body, { data: { policy, version: 1 } })
      const late = yield* put({ policy: {}, version: 0 })
      assert.strictEqual(late.status, 409)
      assert.match(late.body.detail, /^version: it is 1 now/)
      assert.deepStrictEqual((yield* call(path)).body, { data: { policy, version: 1 } })
      assert.deepStrictEqual((yield* put({ policy })).body.data.version, 2)
      assert.deepStrictEqual((yield* call(path, { as: elsewhere })).body, { data: { policy: {}, version: 0 } })
      assert.strictEqual((yield* put({ policy: {} }, { user: "ann" })).status, 403)
      const wrong = yield* put({ policy: { defaults: { steps: [{ channel: "in_app", when: "always" }] } } })
      assert.strictEqual(wrong.status, 400)
    })
  )
})
