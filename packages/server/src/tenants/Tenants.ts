/**
 * What is known of tenants on the way of every call: kept for a minute, forgotten by all nodes on a change.
 */
import { Context, DateTime, Effect, Layer, Option } from "effect"
import type { TenantId } from "@beckon/domain/Identifiers"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { asSystem } from "@beckon/domain/ports/RowAccess"
import { TenantStore } from "@beckon/domain/ports/TenantStore"
import type { TopicBus } from "@beckon/domain/ports/TopicBus"
import type { Tenant } from "@beckon/domain/Tenant"
import * as FreshCache from "../caches/FreshCache.ts"

const keptFor = "1 minute"
const capacity = 10_000

const beginning = DateTime.makeUnsafe(0)

/** A tenant that nobody has set up has the deployment's defaults. */
const withDefaults = (id: TenantId): Tenant => ({
  id,
  name: id,
  status: "active",
  settings: {},
  version: 0,
  createdAt: beginning,
  updatedAt: beginning
})

export class Tenants extends Context.Service<
  Tenants,
  {
    /** As it is set up, or with the defaults. */
    readonly get: (tenantId: TenantId) => Effect.Effect<Tenant, StoreUnavailable>
    /** To be called after a change was saved. */
    readonly changed: (tenantId: TenantId) => Effect.Effect<void>
  }
>()("@beckon/server/tenants/Tenants") {
  static readonly layer: Layer.Layer<Tenants, never, TenantStore | TopicBus> = Layer.effect(
    Tenants,
    Effect.gen(function* () {
      const store = yield* TenantStore
      const cache = yield* FreshCache.make({
        topic: "tenants",
        lookup: (tenantId: TenantId) =>
          asSystem(
            Effect.map(
              store.get(tenantId),
              Option.getOrElse(() => withDefaults(tenantId))
            )
          ),
        keptFor,
        capacity
      })
      return {
        get: (tenantId) => cache.get(tenantId, ""),
        changed: (tenantId) => cache.changed(tenantId, "")
      }
    })
  )
}
