import { assert, layer } from "@effect/vitest"
import { DateTime, Effect, Layer } from "effect"
import { HttpApi, HttpApiMiddleware } from "effect/http-api"
import { SqlClient } from "effect/sql/SqlClient"
import { NotificationApi } from "@beckon/domain/api/NotificationApi"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import * as NotificationHandlers from "../../src/api/NotificationHandlers.ts"
import type { Call } from "./ApiServer.ts"
import { call, layerOf } from "./ApiServer.ts"
import { layerNotifications } from "./NotificationServices.ts"

const api = HttpApi.make("beckon").add(NotificationApi).middleware(HttpApiMiddleware.ProblemDetails)

const served = layerOf(api, NotificationHandlers.layer).pipe(Layer.provideMerge(layerNotifications))

const many = TenantId.make("many")
const broadcast = (other: object, as: Call["as"] = { tenant: many }) =>
  call("/api/v1/notifications/broadcast", {
    body: { notification_type: "news", title: "Sale", message: "", request_id: "b1", ...other },
    as
  })

const elsewhere = { tenant: "other" }

layer(served, { excludeTestServices: true, timeout: "60 seconds" })("POST /api/v1/notifications/broadcast", (it) => {
  it.effect("reaches the users of a role, page by page, and nobody twice", () =>
    Effect.gen(function* () {
      const directory = yield* UserDirectory
      const store = yield* NotificationStore
      const now = yield* DateTime.now
      const drivers = Array.from({ length: 1_203 }, (_, index) => UserId.make(`driver-${index}`))
      yield* Effect.forEach(drivers, (userId) => directory.create(many, userId, { roles: ["driver"] }, now))
      yield* directory.create(many, UserId.make("customer"), { roles: ["customer"] }, now)
      const audience = { role: "driver" }
      const first = yield* broadcast({ audience })
      assert.deepStrictEqual(
        [first.status, first.body],
        [202, { data: { accepted: 1_203, duplicates: 0 }, meta: { next_cursor: null } }]
      )
      assert.deepStrictEqual((yield* broadcast({ audience })).body.data, { accepted: 0, duplicates: 1_203 })
      assert.deepStrictEqual((yield* broadcast({ audience: { everyone: true } })).body.data, {
        accepted: 1,
        duplicates: 1_203
      })
      assert.strictEqual(yield* store.unreadCount({ tenantId: many, userId: drivers[1_202] ?? UserId.make("?") }), 1)
      assert.deepStrictEqual((yield* broadcast({ audience }, elsewhere)).body.data, { accepted: 0, duplicates: 0 })
    })
  )

  it.effect("stops after 10,000 users and goes on where it was", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const crowd = TenantId.make("crowd")
      yield* sql`
        insert into users (tenant_id, user_id, updated_at)
        select ${crowd}, 'user-' || lpad(n::text, 5, '0'), now() from generate_series(1, 10007) n`
      const everyone = { audience: { everyone: true } }
      const first = yield* broadcast(everyone, { tenant: crowd })
      assert.deepStrictEqual(first.body.data, { accepted: 10_000, duplicates: 0 })
      const rest = yield* broadcast({ ...everyone, cursor: first.body.meta.next_cursor }, { tenant: crowd })
      assert.deepStrictEqual(rest.body, { data: { accepted: 7, duplicates: 0 }, meta: { next_cursor: null } })
    })
  )

  it.effect("takes up to 500 users by name, each once", () =>
    Effect.gen(function* () {
      const named = (user_ids: ReadonlyArray<string>) => broadcast({ audience: { user_ids }, request_id: "b2" })
      assert.deepStrictEqual((yield* named(["x", "y", "x"])).body.data, { accepted: 2, duplicates: 0 })
      const tooMany = yield* named(Array.from({ length: 501 }, String))
      assert.strictEqual(tooMany.status, 400)
      assert.match(tooMany.text, /at most 500/)
      const nameless = yield* broadcast({ audience: { everyone: true }, request_id: undefined })
      assert.strictEqual(nameless.status, 400)
      assert.strictEqual((yield* broadcast({ audience: { role: "driver" }, cursor: "AAAA" })).status, 422)
      assert.strictEqual(
        (yield* broadcast({ audience: { role: "driver" } }, { tenant: many, user: "ann" })).status,
        403
      )
    })
  )
})
