import type { TenantId } from "@beckon/domain/Identifiers"
import { ProviderAccountStore } from "@beckon/domain/ports/ProviderAccountStore"
import type { NewProviderAccount } from "@beckon/domain/ProviderAccount"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { freshTenant, hoursAfterNoon, noon } from "./Fixtures.ts"

const sms: NewProviderAccount = {
  kind: "twilio",
  name: "Ø text",
  order: 5,
  enabled: true,
  settings: { account_sid: "AC1", from: "+15550100" },
  rate: null,
  credentials: Redacted.make('{"auth_token":"tøken"}')
}

const created = Effect.fnUntraced(function* (
  other: Partial<NewProviderAccount> = {},
  tenantId: TenantId = freshTenant(),
  id = "one",
  now = noon
) {
  const store = yield* ProviderAccountStore
  return yield* store.create(tenantId, id, { ...sms, ...other }, now)
})

const credentialsOf = Effect.fnUntraced(function* (tenantId: TenantId, id = "one") {
  const store = yield* ProviderAccountStore
  return Option.map(yield* store.credentials(tenantId, id), Redacted.value)
})

export const providerAccountStoreContract = (it: Vitest.MethodsNonLive<ProviderAccountStore>) => {
  it.effect("an account comes back whole, without its credentials, which come on their own", () =>
    Effect.gen(function* () {
      const store = yield* ProviderAccountStore
      const account = yield* created()
      const { credentials: _credentials, ...given } = sms
      expect(account).toMatchObject({ ...given, id: "one", version: 1, createdAt: noon, updatedAt: noon })
      expect(account.credentials).toMatchObject({ updatedAt: noon })
      expect(account.credentials.fingerprint).toMatch(/^[0-9a-f]{12}$/)
      expect(JSON.stringify(account)).not.toContain("tøken")
      expect(yield* store.get(account.tenantId, "one")).toEqual(Option.some(account))
      expect(yield* credentialsOf(account.tenantId)).toEqual(Option.some('{"auth_token":"tøken"}'))
    })
  )

  it.effect("an id that is taken is refused, and changes nothing", () =>
    Effect.gen(function* () {
      const store = yield* ProviderAccountStore
      const { tenantId } = yield* created()
      const again = store.create(tenantId, "one", { ...sms, credentials: Redacted.make("{}") }, noon)
      expect(yield* Effect.flip(again)).toMatchObject({ _tag: "StoreUnavailable" })
      expect(yield* credentialsOf(tenantId)).toEqual(Option.some('{"auth_token":"tøken"}'))
    })
  )

  it.effect("the list has the tenant's own, in the order in which they are tried", () =>
    Effect.gen(function* () {
      const store = yield* ProviderAccountStore
      const tenantId = freshTenant()
      const later = yield* created({ order: 1 }, tenantId, "a", hoursAfterNoon(2))
      const sooner = yield* created({ order: 1 }, tenantId, "b", hoursAfterNoon(1))
      const last = yield* created({ order: 2 }, tenantId, "c")
      const same = yield* created({ order: 1 }, tenantId, "A", hoursAfterNoon(2))
      const { tenantId: other } = yield* created()
      expect(yield* store.list(tenantId)).toEqual([sooner, same, later, last])
      expect(yield* store.list(freshTenant())).toEqual([])
      expect(yield* store.get(other, "a")).toEqual(Option.none())
      expect(yield* credentialsOf(other, "a")).toEqual(Option.none())
      expect(yield* store.update(other, "a", { enabled: false }, noon)).toEqual(Option.none())
      expect(yield* store.remove(other, "a")).toBe(false)
      expect(yield* store.list(tenantId)).toHaveLength(4)
    })
  )

  it.effect("an update changes what it names and nothing else, and raises the version", () =>
    Effect.gen(function* () {
      const store = yield* ProviderAccountStore
      const account = yield* created()
      const { tenantId } = account
      const bystander = yield* created({}, tenantId, "bystander")
      const changes = [
        { name: "new" },
        { order: 0 },
        { enabled: false },
        { settings: { account_sid: "AC2", from: "MG1", base_url: "https://a.example" } },
        { rate: 7 },
        { rate: null }
      ] as const
      let expected = account
      for (const [index, change] of changes.entries()) {
        const now = hoursAfterNoon(index + 1)
        expected = { ...expected, ...change, version: expected.version + 1, updatedAt: now }
        expect(yield* store.update(tenantId, "one", change, now)).toEqual(Option.some(expected))
        expect(yield* store.get(tenantId, "one")).toEqual(Option.some(expected))
      }
      expect(yield* credentialsOf(tenantId)).toEqual(Option.some('{"auth_token":"tøken"}'))
      expect(yield* store.get(tenantId, "bystander")).toEqual(Option.some(bystander))
      expect(yield* store.update(tenantId, "none", { name: "x" }, noon)).toEqual(Option.none())
      // Only the version that was seen.
      expect(yield* store.update(tenantId, "one", { name: "late" }, noon, expected.version - 1)).toEqual(Option.none())
      expect(yield* store.get(tenantId, "one")).toEqual(Option.some(expected))
      const inTime = yield* store.update(tenantId, "one", { name: "in time" }, noon, expected.version)
      expect(Option.getOrThrow(inTime).name).toBe("in time")
    })
  )

  it.effect("new credentials replace the old ones, and have another fingerprint and time", () =>
    Effect.gen(function* () {
      const store = yield* ProviderAccountStore
      const account = yield* created()
      const { tenantId } = account
      const change = { credentials: Redacted.make('{"auth_token":"other"}') }
      const changed = Option.getOrThrow(yield* store.update(tenantId, "one", change, hoursAfterNoon(1)))
      expect(changed.credentials.updatedAt).toEqual(hoursAfterNoon(1))
      expect(changed.credentials.fingerprint).not.toBe(account.credentials.fingerprint)
      expect(yield* credentialsOf(tenantId)).toEqual(Option.some('{"auth_token":"other"}'))
      const back = Option.getOrThrow(
        yield* store.update(tenantId, "one", { credentials: sms.credentials }, hoursAfterNoon(2))
      )
      expect(back.credentials.fingerprint).toBe(account.credentials.fingerprint)
    })
  )

  it.effect("an account that is removed is gone with its credentials", () =>
    Effect.gen(function* () {
      const store = yield* ProviderAccountStore
      const { tenantId } = yield* created()
      expect(yield* store.remove(tenantId, "one")).toBe(true)
      expect(yield* store.remove(tenantId, "one")).toBe(false)
      expect(yield* store.get(tenantId, "one")).toEqual(Option.none())
      expect(yield* credentialsOf(tenantId)).toEqual(Option.none())
    })
  )
}
