import { TenantSecretStore } from "@beckon/domain/ports/TenantSecretStore"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { freshTenant, hoursAfterNoon, noon } from "./Fixtures.ts"

export const tenantSecretStoreContract = (it: Vitest.MethodsNonLive<TenantSecretStore>) => {
  it.effect("a secret comes back to its tenant, is replaced, and is taken away", () =>
    Effect.gen(function* () {
      const store = yield* TenantSecretStore
      const [tenantId, other] = [freshTenant(), freshTenant()]
      const get = Effect.map(store.get(tenantId, "user_service"), Option.map(Redacted.value))
      expect(yield* get).toEqual(Option.none())
      expect(yield* store.setAt(tenantId, "user_service")).toEqual(Option.none())
      expect(yield* store.remove(tenantId, "user_service")).toBe(false)

      yield* store.set(tenantId, "user_service", Redacted.make("Bearer Ørder 👋"), noon)
      expect(yield* get).toEqual(Option.some("Bearer Ørder 👋"))
      expect(yield* store.setAt(tenantId, "user_service")).toEqual(Option.some(noon))
      expect(yield* store.get(other, "user_service")).toEqual(Option.none())

      yield* store.set(tenantId, "user_service", Redacted.make("Basic eDp5"), hoursAfterNoon(1))
      expect(yield* get).toEqual(Option.some("Basic eDp5"))
      expect(yield* store.setAt(tenantId, "user_service")).toEqual(Option.some(hoursAfterNoon(1)))
      expect(yield* store.remove(other, "user_service")).toBe(false)
      expect(yield* store.remove(tenantId, "user_service")).toBe(true)
      expect(yield* get).toEqual(Option.none())
    })
  )
}
