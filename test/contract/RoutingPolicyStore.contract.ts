import { RoutingPolicyStore } from "@beckon/domain/ports/RoutingPolicyStore"
import type { RoutingPolicy } from "@beckon/domain/RoutingPolicy"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Array, Effect, Result } from "effect"
import { freshTenant } from "./Fixtures.ts"

const zone = (timeZone: string): RoutingPolicy => ({ timeZone })

export const routingPolicyStoreContract = (it: Vitest.MethodsNonLive<RoutingPolicyStore>) => {
  it.effect("a policy is empty and has version 0 until it is set, and comes back whole", () =>
    Effect.gen(function* () {
      const store = yield* RoutingPolicyStore
      const [tenantId, other] = [freshTenant(), freshTenant()]
      expect(yield* store.get(tenantId)).toEqual({ policy: {}, version: 0 })
      const policy: RoutingPolicy = {
        defaults: { steps: [{ channel: "email", when: "unseen", afterSeconds: 600 }], digest: null, throttle: null },
        categories: {
          "Ørders 👋": { digest: { channels: ["email"], windowSeconds: 3_600, per: "category", maxItems: 20 } }
        },
        types: {
          order_created: {
            critical: true,
            category: "Ørders 👋",
            throttle: { channels: ["push", "sms"], limit: 3, windowSeconds: 60, per: "user" }
          }
        },
        timeZone: "Europe/Berlin",
        language: "pt-BR"
      }
      expect(yield* store.set(tenantId, policy)).toBe(1)
      expect(yield* store.get(tenantId)).toEqual({ policy, version: 1 })
      expect(yield* store.get(other)).toEqual({ policy: {}, version: 0 })
      expect(yield* store.set(tenantId, {})).toBe(2)
      expect(yield* store.get(tenantId)).toEqual({ policy: {}, version: 2 })
    })
  )

  it.effect("with an expected version, a policy is set only over that version", () =>
    Effect.gen(function* () {
      const store = yield* RoutingPolicyStore
      const tenantId = freshTenant()
      const refused = (policy: RoutingPolicy, expected: number) => Effect.flip(store.set(tenantId, policy, expected))
      expect(yield* refused(zone("UTC"), 1)).toMatchObject({ _tag: "VersionConflict", version: 0 })
      expect(yield* store.get(tenantId)).toEqual({ policy: {}, version: 0 })
      expect(yield* store.set(tenantId, zone("UTC"), 0)).toBe(1)
      expect(yield* refused(zone("Europe/Rome"), 0)).toMatchObject({ _tag: "VersionConflict", version: 1 })
      expect(yield* store.set(tenantId, zone("Europe/Paris"), 1)).toBe(2)
      for (const expected of [0, 1, 3]) {
        expect(yield* refused(zone("Europe/Rome"), expected)).toMatchObject({ _tag: "VersionConflict", version: 2 })
      }
      expect(yield* store.get(tenantId)).toEqual({ policy: zone("Europe/Paris"), version: 2 })
    })
  )

  it.effect("of many who change the same version at the same time one succeeds, and the others learn of it", () =>
    Effect.gen(function* () {
      const store = yield* RoutingPolicyStore
      const tenantId = freshTenant()
      for (const expected of [0, 1]) {
        const results = yield* Effect.forEach(
          Array.range(1, 10),
          (number) => Effect.result(store.set(tenantId, { language: `x-${number}` }, expected)),
          { concurrency: "unbounded" }
        )
        expect(results.flatMap((one) => (Result.isSuccess(one) ? [one.success] : []))).toEqual([expected + 1])
        for (const one of results) {
          if (Result.isFailure(one))
            expect(one.failure).toMatchObject({ _tag: "VersionConflict", version: expected + 1 })
        }
        const winner = results.findIndex(Result.isSuccess) + 1
        expect(yield* store.get(tenantId)).toEqual({ policy: { language: `x-${winner}` }, version: expected + 1 })
      }
    })
  )

  it.effect("without one, none of many changes is refused, and each has a version of its own", () =>
    Effect.gen(function* () {
      const store = yield* RoutingPolicyStore
      const tenantId = freshTenant()
      const versions = yield* Effect.forEach(Array.range(1, 10), () => store.set(tenantId, {}), {
        concurrency: "unbounded"
      })
      expect(versions.toSorted((left, right) => left - right)).toEqual(Array.range(1, 10))
    })
  )
}
