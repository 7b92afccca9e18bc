import { TrackingGrants } from "@beckon/domain/ports/TrackingGrants"
import type { Following } from "@beckon/domain/ports/TrackingGrants"
import { replaces } from "@beckon/domain/events/OrderTracking"
import type { TrackingChange } from "@beckon/domain/events/OrderTracking"
import type { TenantId } from "@beckon/domain/Identifiers"
import { DateTime, Effect, Layer } from "effect"

const make = Effect.sync(() => {
  const tenants = new Map<TenantId, Map<string, TrackingChange>>()
  const ofTenant = (tenantId: TenantId): Map<string, TrackingChange> => {
    const grants = tenants.get(tenantId) ?? new Map<string, TrackingChange>()
    tenants.set(tenantId, grants)
    return grants
  }

  return TrackingGrants.of({
    apply: (tenantId, changes) =>
      Effect.sync(() => {
        const grants = ofTenant(tenantId)
        const before = new Map(changes.map(({ orderId }) => [orderId, grants.get(orderId)]))
        for (const change of changes) {
          const known = grants.get(change.orderId)
          if (known === undefined || replaces(known, change)) grants.set(change.orderId, change)
        }
        return [...before].flatMap(([orderId, old]): ReadonlyArray<Following> => {
          if (old?.driverId === undefined) return []
          const now = grants.get(orderId)
          const stays = now?.driverId === old.driverId && now.customerId === old.customerId
          return stays ? [] : [{ customerId: old.customerId, driverId: old.driverId }]
        })
      }),

    areGranted: (tenantId, followings, now) =>
      Effect.sync(() => {
        const grants = Array.from(tenants.get(tenantId)?.values() ?? [])
        return followings.map(({ customerId, driverId }) =>
          grants.some(
            (grant) =>
              grant.customerId === customerId && grant.driverId === driverId && DateTime.isGreaterThan(grant.until, now)
          )
        )
      }),

    reap: (before, limit) =>
      Effect.sync(() => {
        let removed = 0
        for (const grants of tenants.values()) {
          for (const [orderId, { until }] of grants) {
            if (removed >= limit) return removed
            if (!DateTime.isLessThan(until, before)) continue
            grants.delete(orderId)
            removed += 1
          }
        }
        return removed
      })
  })
})

/** Tracking grants within the process. */
export const layer: Layer.Layer<TrackingGrants> = Layer.effect(TrackingGrants, make)
