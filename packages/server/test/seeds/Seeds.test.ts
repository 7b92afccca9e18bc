import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Layer, Option, Schema } from "effect"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { LookupCode, LookupInput, LookupKind } from "@beckon/domain/Lookup"
import { AuditLog } from "@beckon/domain/ports/AuditLog"
import { LookupStore } from "@beckon/domain/ports/LookupStore"
import { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import { TemplateEngine } from "@beckon/domain/ports/TemplateEngine"
import { TemplateStore } from "@beckon/domain/ports/TemplateStore"
import { TenantStore } from "@beckon/domain/ports/TenantStore"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import { NewUser } from "@beckon/domain/api/UserApi"
import * as MemoryAuditLog from "@beckon/infra/memory/MemoryAuditLog"
import * as MemoryLookupStore from "@beckon/infra/memory/MemoryLookupStore"
import * as MemoryPreferenceStore from "@beckon/infra/memory/MemoryPreferenceStore"
import * as MemoryTemplateStore from "@beckon/infra/memory/MemoryTemplateStore"
import * as MemoryTenantStore from "@beckon/infra/memory/MemoryTenantStore"
import * as MemoryUserDirectory from "@beckon/infra/memory/MemoryUserDirectory"
import * as LiquidRenderer from "@beckon/infra/templates/LiquidRenderer"
import { Audit } from "../../src/audit/Audit.ts"
import * as Demo from "../../src/seeds/DemoTenant.ts"
import { platformLookups } from "../../src/seeds/PlatformLookups.ts"
import * as Seeds from "../../src/seeds/Seeds.ts"

const demo = TenantId.make("demo")
const now = DateTime.makeUnsafe(0)

const layer = Audit.layer.pipe(
  Layer.provideMerge(
    Layer.mergeAll(
      MemoryAuditLog.layer,
      MemoryLookupStore.layer,
      MemoryPreferenceStore.layer,
      MemoryTemplateStore.layer,
      MemoryTenantStore.layer,
      MemoryUserDirectory.layer
    )
  )
)

const isUser = Schema.is(Schema.toType(NewUser))
const isLookup = Schema.is(LookupInput)
const isKind = Schema.is(LookupKind)
const isCode = Schema.is(LookupCode)

describe("Seeds", () => {
  it.effect("make a tenant with users, preferences and templates, once", () =>
    Effect.gen(function* () {
      const first = yield* Seeds.run(demo)
      assert.strictEqual(first.lookups.length, platformLookups.length)
      assert.deepStrictEqual(
        [first.tenant, first.users.length, first.templates.length],
        ["made", Demo.users.length, Object.keys(Demo.templates).length]
      )
      assert.deepStrictEqual(yield* Seeds.run(demo), { lookups: [], tenant: "kept", users: [], templates: [] })
      const drivers = yield* (yield* UserDirectory).list(demo, { role: "driver", limit: 10 })
      assert.strictEqual(drivers.length, 3)
      const wishes = yield* (yield* PreferenceStore).get({ tenantId: demo, userId: UserId.make("driver-lea") })
      assert.deepStrictEqual(wishes.quietHours, { start: "22:00", end: "06:00" })
      const log = yield* (yield* AuditLog).list(demo, { limit: 10 })
      assert.deepStrictEqual(
        log.map(({ action, actor }) => [action, actor.id]),
        [["seed.apply", "beckon seed"]]
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("never overwrite what somebody has changed, and bring back what is missing", () =>
    Effect.gen(function* () {
      yield* Seeds.run(demo)
      const [lookups, tenants] = [yield* LookupStore, yield* TenantStore]
      const [directory, preferences, templates] = [yield* UserDirectory, yield* PreferenceStore, yield* TemplateStore]
      const key = { tenantId: demo, userId: UserId.make("driver-omar") }
      yield* lookups.put("platform", "channels", "sms", { labels: { en: "Text message" } }, now)
      yield* tenants.update(demo, { name: "Mine", settings: {} }, undefined, now)
      yield* directory.update(demo, key.userId, { email: "mine@example.com" }, now)
      yield* preferences.set(key, { channels: { push: false }, mutedTypes: [] })
      yield* templates.put(demo, "driver_offer", { texts: { default: { title: "Mine", message: "" } } }, true, now)
      yield* templates.remove(demo, "weekend_offer")
      const again = yield* Seeds.run(demo)
      assert.deepStrictEqual(again, { lookups: [], tenant: "kept", users: [], templates: ["weekend_offer"] })
      const channels = yield* lookups.list("platform", "channels")
      assert.deepStrictEqual(channels.find(({ code }) => code === "sms")?.labels, { en: "Text message" })
      const tenant = yield* tenants.get(demo)
      assert.deepInclude(Option.getOrThrow(tenant), { name: "Mine", settings: {} })
      const [omar] = yield* directory.find(demo, [key.userId])
      assert.strictEqual(omar?.email, "mine@example.com")
      assert.deepStrictEqual((yield* preferences.get(key)).channels, { push: false })
      assert.strictEqual(Option.getOrThrow(yield* templates.get(demo, "driver_offer")).texts["default"]?.title, "Mine")
    }).pipe(Effect.provide(layer))
  )

  it.effect("leave a suspended tenant alone", () =>
    Effect.gen(function* () {
      const tenants = yield* TenantStore
      yield* tenants.create({ id: demo, name: "Demo", settings: {} }, now)
      yield* tenants.update(demo, { status: "suspended" }, undefined, now)
      assert.deepInclude(yield* Seeds.run(demo), { tenant: "suspended", users: [], templates: [] })
      assert.deepStrictEqual(yield* (yield* UserDirectory).list(demo, { limit: 10 }), [])
    }).pipe(Effect.provide(layer))
  )

  it.effect("are what the API would take", () =>
    Effect.gen(function* () {
      const engine = yield* TemplateEngine
      for (const template of Object.values(Demo.templates)) yield* engine.check(template)
      for (const { id, user } of Demo.users) assert.isTrue(isUser({ ...user, userId: UserId.make(id) }), id)
      for (const { code, kind, ...input } of platformLookups) {
        assert.isTrue(isKind(kind) && isCode(code) && isLookup(input), `${kind}/${code}`)
      }
      const names = platformLookups.map(({ code, kind }) => `${kind}/${code}`)
      assert.strictEqual(new Set(names).size, names.length)
    }).pipe(Effect.provide(LiquidRenderer.layer))
  )
})
