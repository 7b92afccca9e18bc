import { RoutingPolicyStore, VersionConflict } from "@beckon/domain/ports/RoutingPolicyStore"
import { empty } from "@beckon/domain/RoutingPolicy"
import type { RoutingPolicy } from "@beckon/domain/RoutingPolicy"
import { Effect, Layer } from "effect"

interface Versioned {
  readonly policy: RoutingPolicy
  readonly version: number
}

const make = Effect.sync(() => {
  const saved = new Map<string, Versioned>()

  return RoutingPolicyStore.of({
    get: (tenantId) => Effect.sync(() => saved.get(tenantId) ?? { policy: empty, version: 0 }),

    set: (tenantId, policy, expected) =>
      Effect.suspend(() => {
        const version = saved.get(tenantId)?.version ?? 0
        if (expected !== undefined && expected !== version) return Effect.fail(new VersionConflict({ version }))
        saved.set(tenantId, { policy: structuredClone(policy), version: version + 1 })
        return Effect.succeed(version + 1)
      })
  })
})

/** Routing policies in memory. */
export const layer: Layer.Layer<RoutingPolicyStore> = Layer.effect(RoutingPolicyStore, make)
