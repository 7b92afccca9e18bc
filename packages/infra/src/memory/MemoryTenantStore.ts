import type { TenantId } from "@beckon/domain/Identifiers"
import { TenantStore } from "@beckon/domain/ports/TenantStore"
import type { Tenant } from "@beckon/domain/Tenant"
import { Effect, Layer, Option } from "effect"
import { byBytes } from "./ByteOrder.ts"

const make = Effect.sync(() => {
  const tenants = new Map<TenantId, Tenant>()
  const living = (tenantId: TenantId): Tenant | undefined => {
    const tenant = tenants.get(tenantId)
    return tenant?.removedAt === undefined ? tenant : undefined
  }
  const save = (tenant: Tenant): Tenant => {
    tenants.set(tenant.id, tenant)
    return tenant
  }

  return TenantStore.of({
    get: (tenantId) => Effect.sync(() => Option.fromUndefinedOr(tenants.get(tenantId))),

    list: ({ afterId, limit, status }) =>
      Effect.sync(() =>
        [...tenants.values()]
          .filter(
            (tenant) =>
              tenant.removedAt === undefined &&
              (status === undefined || tenant.status === status) &&
              (afterId === undefined || byBytes(tenant.id, afterId) > 0)
          )
          .toSorted((left, right) => byBytes(left.id, right.id))
          .slice(0, limit)
      ),

    create: ({ id, name, settings }, now) =>
      Effect.sync(() =>
        tenants.has(id)
          ? Option.none()
          : Option.some(
              save({
                id,
                name,
                status: "active",
                settings: structuredClone(settings),
                version: 1,
                createdAt: now,
                updatedAt: now
              })
            )
      ),

    update: (tenantId, change, expected, now) =>
      Effect.sync(() => {
        const tenant = living(tenantId)
        if (tenant === undefined) return { _tag: "NotFound" }
        if (expected !== undefined && expected !== tenant.version) {
          return { _tag: "VersionMismatch", version: tenant.version }
        }
        const changed = { ...tenant, ...structuredClone(change), version: tenant.version + 1, updatedAt: now }
        return { _tag: "Updated", tenant: save(changed) }
      }),

    remove: (tenantId, now) =>
      Effect.sync(() => {
        const tenant = living(tenantId)
        if (tenant === undefined) return "NotFound"
        if (tenant.status !== "suspended") return "NotSuspended"
        const version = tenant.version + 1
        save({ ...tenant, name: tenantId, settings: {}, version, updatedAt: now, removedAt: now })
        return "Removed"
      })
  })
})

/** Tenants in memory. */
export const layer: Layer.Layer<TenantStore> = Layer.effect(TenantStore, make)
