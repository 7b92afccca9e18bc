import type { TenantId } from "@beckon/domain/Identifiers"
import { TenantSecretStore } from "@beckon/domain/ports/TenantSecretStore"
import { Effect, Layer, Option } from "effect"
import type { DateTime, Redacted } from "effect"

const make = Effect.sync(() => {
  const secrets = new Map<string, { readonly secret: Redacted.Redacted; readonly setAt: DateTime.Utc }>()
  const keyOf = (tenantId: TenantId, name: string) => `${tenantId}\u0000${name}`
  const find = (tenantId: TenantId, name: string) => Option.fromUndefinedOr(secrets.get(keyOf(tenantId, name)))

  return TenantSecretStore.of({
    get: (tenantId, name) => Effect.sync(() => Option.map(find(tenantId, name), ({ secret }) => secret)),
    setAt: (tenantId, name) => Effect.sync(() => Option.map(find(tenantId, name), ({ setAt }) => setAt)),
    set: (tenantId, name, secret, setAt) =>
      Effect.sync(() => void secrets.set(keyOf(tenantId, name), { secret, setAt })),
    remove: (tenantId, name) => Effect.sync(() => secrets.delete(keyOf(tenantId, name)))
  })
})

/** Secrets of tenants in memory. */
export const layer: Layer.Layer<TenantSecretStore> = Layer.effect(TenantSecretStore, make)
