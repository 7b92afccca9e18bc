import type { TenantId } from "@beckon/domain/Identifiers"
import { TenantSecretStore } from "@beckon/domain/ports/TenantSecretStore"
import type { TenantSecretName } from "@beckon/domain/ports/TenantSecretStore"
import { Array, DateTime, Effect, Layer, Option } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { TokenCipher } from "../security/TokenCipher.ts"
import { timestamp } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

interface SecretRow {
  readonly sealed: Uint8Array
  readonly key_id: string
}

/** What a secret is bound to besides its tenant; endpoints have UUIDs, and so are never called like this. */
export const boundTo = (name: TenantSecretName): string => `tenant:${name}`

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const cipher = yield* TokenCipher

  const where = (tenantId: TenantId, name: TenantSecretName) => sql`tenant_id = ${tenantId} and name = ${name}`

  return TenantSecretStore.of({
    get: Effect.fn("TenantSecretStore.get")(function* (tenantId, name) {
      const rows = yield* sql<SecretRow>`select sealed, key_id from tenant_secrets where ${where(tenantId, name)}`
      const [row] = rows
      if (row === undefined) return Option.none()
      const sealed = { keyId: row.key_id, bytes: row.sealed }
      return Option.some(yield* cipher.openSecret(tenantId, boundTo(name), sealed))
    }, unavailable("TenantSecretStore.get")),

    setAt: Effect.fn("TenantSecretStore.setAt")(function* (tenantId, name) {
      const rows = yield* sql<{ readonly updated_at: Date }>`
        select updated_at from tenant_secrets where ${where(tenantId, name)}`
      return Option.map(Array.head(rows), (row) => DateTime.fromDateUnsafe(row.updated_at))
    }, unavailable("TenantSecretStore.setAt")),

    set: Effect.fn("TenantSecretStore.set")(function* (tenantId, name, secret, now) {
      const { bytes, keyId } = yield* cipher.sealSecret(tenantId, boundTo(name), secret)
      yield* sql`
        insert into tenant_secrets (tenant_id, name, sealed, key_id, updated_at)
        values (${tenantId}, ${name}, ${bytes}, ${keyId}, ${timestamp(now)})
        on conflict (tenant_id, name)
        do update set sealed = excluded.sealed, key_id = excluded.key_id, updated_at = excluded.updated_at`
    }, unavailable("TenantSecretStore.set")),

    remove: Effect.fn("TenantSecretStore.remove")(function* (tenantId, name) {
      const rows = yield* sql`delete from tenant_secrets where ${where(tenantId, name)} returning 1`
      return rows.length > 0
    }, unavailable("TenantSecretStore.remove"))
  })
})

/** Secrets of tenants in PostgreSQL, sealed. */
export const layer: Layer.Layer<TenantSecretStore, never, SqlClient | TokenCipher> = Layer.effect(
  TenantSecretStore,
  make
)
