import { TenantId } from "@beckon/domain/Identifiers"
import { TenantStore } from "@beckon/domain/ports/TenantStore"
import type { TenantSettings } from "@beckon/domain/Tenant"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Array, Effect, Option } from "effect"
import { freshTenant, hoursAfterNoon, noon } from "./Fixtures.ts"

const whole: TenantSettings = {
  defaultLanguage: "pt-BR",
  timeZone: "Europe/Berlin",
  allowedOrigins: ["https://app.example.com", "http://localhost:8080"],
  rateLimits: { tenant: { perSecond: 0.5, burst: 10 }, user: { perSecond: 5, burst: 50 } },
  sockets: { messages: { perSecond: 20, burst: 40 } },
  recipients: { source: "external", url: "https://users.example.com/v1", timeoutMs: 1_000, staleMs: 0 },
  retention: { notifications: 90, audit: 3_650 }
}

export const tenantStoreContract = (it: Vitest.MethodsNonLive<TenantStore>) => {
  it.effect("a tenant is there once it is made, whole, and is made once", () =>
    Effect.gen(function* () {
      const store = yield* TenantStore
      const id = freshTenant()
      expect(yield* store.get(id)).toEqual(Option.none())
      const made = yield* store.create({ id, name: "Ørders 👋", settings: whole }, noon)
      const tenant = { id, name: "Ørders 👋", status: "active", settings: whole, version: 1, createdAt: noon }
      expect(made).toEqual(Option.some({ ...tenant, updatedAt: noon }))
      expect(yield* store.get(id)).toEqual(made)
      expect(yield* store.create({ id, name: "Another", settings: {} }, hoursAfterNoon(1))).toEqual(Option.none())
      expect(yield* store.get(id)).toEqual(made)
    })
  )

  it.effect("a change replaces what it names, keeps the rest, and counts", () =>
    Effect.gen(function* () {
      const store = yield* TenantStore
      const id = freshTenant()
      expect(yield* store.update(id, { name: "Nobody" }, undefined, noon)).toEqual({ _tag: "NotFound" })
      yield* store.create({ id, name: "First", settings: whole }, noon)
      const later = hoursAfterNoon(1)
      const suspended = yield* store.update(id, { status: "suspended" }, undefined, later)
      expect(suspended).toMatchObject({
        _tag: "Updated",
        tenant: { name: "First", status: "suspended", settings: whole, version: 2, createdAt: noon, updatedAt: later }
      })
      const settings: TenantSettings = { timeZone: "UTC" }
      const changed = yield* store.update(id, { name: "Second", settings }, 2, later)
      expect(changed).toMatchObject({ tenant: { name: "Second", status: "suspended", version: 3 } })
      if (changed._tag === "Updated") expect(changed.tenant.settings).toEqual(settings)
      expect(Option.map(yield* store.get(id), (tenant) => tenant.settings)).toEqual(Option.some(settings))
    })
  )

  it.effect("with an expected version only that one is changed, and of many at once one succeeds", () =>
    Effect.gen(function* () {
      const store = yield* TenantStore
      const id = freshTenant()
      yield* store.create({ id, name: "First", settings: {} }, noon)
      expect(yield* store.update(id, { name: "Late" }, 7, noon)).toEqual({ _tag: "VersionMismatch", version: 1 })
      const answers = yield* Effect.forEach(
        Array.range(1, 10),
        (number) => store.update(id, { name: `Name ${number}` }, 1, noon),
        { concurrency: "unbounded" }
      )
      const winners = answers.flatMap((answer) => (answer._tag === "Updated" ? [answer.tenant] : []))
      expect(winners).toHaveLength(1)
      expect(answers.filter(({ _tag }) => _tag === "VersionMismatch")).toHaveLength(9)
      expect(yield* store.get(id)).toEqual(Option.fromUndefinedOr(winners[0]))
    })
  )

  it.effect("only a suspended tenant is removed, and its id stays taken and suspended", () =>
    Effect.gen(function* () {
      const store = yield* TenantStore
      const id = freshTenant()
      expect(yield* store.remove(id, noon)).toBe("NotFound")
      yield* store.create({ id, name: "Secret name", settings: whole }, noon)
      expect(yield* store.remove(id, noon)).toBe("NotSuspended")
      yield* store.update(id, { status: "suspended" }, undefined, noon)
      const gone = hoursAfterNoon(1)
      expect(yield* store.remove(id, gone)).toBe("Removed")
      expect(yield* store.get(id)).toEqual(
        Option.some({
          id,
          name: id,
          status: "suspended",
          settings: {},
          version: 3,
          createdAt: noon,
          updatedAt: gone,
          removedAt: gone
        })
      )
      expect(yield* store.remove(id, noon)).toBe("NotFound")
      expect(yield* store.update(id, { status: "active" }, undefined, noon)).toEqual({ _tag: "NotFound" })
      expect(yield* store.create({ id, name: "Again", settings: {} }, noon)).toEqual(Option.none())
      const listed = yield* store.list({ limit: 1_000 })
      expect(listed.filter((tenant) => tenant.id === id)).toEqual([])
    })
  )

  it.effect("pages go by id, byte for byte, and by status", () =>
    Effect.gen(function* () {
      const store = yield* TenantStore
      const prefix = `~${freshTenant()}-`
      const ids = ["Z", "a", "b", "é", "👋"].map((letter) => TenantId.make(`${prefix}${letter}`))
      for (const id of ids.toReversed()) yield* store.create({ id, name: id, settings: {} }, noon)
      const [first, second] = [ids[1], ids[3]]
      if (first === undefined || second === undefined) return expect.unreachable()
      yield* store.update(first, { status: "suspended" }, undefined, noon)
      const all = yield* store.list({ afterId: TenantId.make(prefix), limit: 5 })
      expect(all.map(({ id }) => id)).toEqual(ids)
      expect((yield* store.list({ afterId: first, limit: 2 })).map(({ id }) => id)).toEqual(ids.slice(2, 4))
      const listed = yield* store.list({ status: "active", afterId: TenantId.make(prefix), limit: 2 })
      expect(listed.map(({ id }) => id)).toEqual([ids[0], ids[2]])
      const suspended = yield* store.list({ status: "suspended", afterId: TenantId.make(prefix), limit: 5 })
      expect(suspended.map(({ id }) => id)).toEqual([first])
    })
  )
}
