/**
 * The services that judge credentials, on stores in memory: several nodes of them over the same stores and topics.
 */
import { Context, DateTime, Duration, Effect, Layer } from "effect"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { CurrentIdentity } from "@beckon/domain/Identity"
import type { Identity } from "@beckon/domain/Identity"
import { AuditLog } from "@beckon/domain/ports/AuditLog"
import { ApiKeyStore } from "@beckon/domain/ports/ApiKeyStore"
import { TenantStore } from "@beckon/domain/ports/TenantStore"
import * as MemoryApiKeyStore from "@beckon/infra/memory/MemoryApiKeyStore"
import * as MemoryAuditLog from "@beckon/infra/memory/MemoryAuditLog"
import * as MemoryRevocationStore from "@beckon/infra/memory/MemoryRevocationStore"
import * as MemoryTenantStore from "@beckon/infra/memory/MemoryTenantStore"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import { Audit } from "../../src/audit/Audit.ts"
import { ApiKeys } from "../../src/identity/ApiKeys.ts"
import { Revocations } from "../../src/identity/Revocations.ts"
import { Standing } from "../../src/identity/Standing.ts"
import { Tenants } from "../../src/tenants/Tenants.ts"

export const acme = TenantId.make("acme")

export const admin: Identity = {
  tenantId: acme,
  userId: UserId.make("boss"),
  roles: ["admin"],
  expiresAt: 8_000_000_000_000
}

export const as = (identity: Identity) => Effect.provideService(CurrentIdentity, identity)

/** What all nodes share. */
export const layerShared = Layer.mergeAll(
  MemoryApiKeyStore.layer,
  MemoryRevocationStore.layer,
  MemoryTenantStore.layer,
  MemoryAuditLog.layer,
  MemoryTopicBus.layer
)

export interface Node {
  readonly keys: ApiKeys["Service"]
  readonly revocations: Revocations["Service"]
  readonly standing: Standing["Service"]
  readonly tenants: Tenants["Service"]
}

/** One node, until the scope closes; another one each time. */
export const startNode = Effect.gen(function* () {
  const services = yield* Layer.build(
    Layer.fresh(
      Standing.layer.pipe(
        Layer.provideMerge(Layer.mergeAll(ApiKeys.layer, Revocations.layer, Tenants.layer)),
        Layer.provide(Audit.layer)
      )
    )
  )
  const node: Node = {
    keys: Context.get(services, ApiKeys),
    revocations: Context.get(services, Revocations),
    standing: Context.get(services, Standing),
    tenants: Context.get(services, Tenants)
  }
  return node
})

/** Actions of the audit log so far, the oldest first. */
export const audited = Effect.gen(function* () {
  const log = yield* AuditLog
  const entries = yield* log.list(acme, { limit: 100 })
  return entries.map(({ action }) => action).toReversed()
})

export const keyIn = Effect.fnUntraced(function* (id: string) {
  const store = yield* ApiKeyStore
  return yield* Effect.flatMap(store.get(acme, id), Effect.fromOption)
})

/** Suspends the tenant, or lets it in again. */
export const setStatus = Effect.fnUntraced(function* (node: Node, status: "active" | "suspended") {
  const store = yield* TenantStore
  const now = yield* DateTime.now
  yield* store.create({ id: acme, name: "Acme", settings: {} }, now)
  yield* store.update(acme, { status }, undefined, now)
  yield* node.tenants.changed(acme)
})

export const inHours = (hours: number) => Effect.map(DateTime.now, DateTime.addDuration(Duration.hours(hours)))
