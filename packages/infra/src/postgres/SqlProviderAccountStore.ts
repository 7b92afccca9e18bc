/**
 * Accounts with senders in PostgreSQL, their credentials sealed by the `KeyRing`.
 */
import type { TenantId } from "@beckon/domain/Identifiers"
import { CredentialsNotOpened, ProviderAccountStore } from "@beckon/domain/ports/ProviderAccountStore"
import type { ProviderAccount, ProviderKind } from "@beckon/domain/ProviderAccount"
import { Array, DateTime, Effect, Layer, Option, Redacted } from "effect"
import type { Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { createHmac } from "node:crypto"
import { KeyRing, rowOf } from "../security/KeyRing.ts"
import { timestamp } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

interface AccountRow {
  readonly tenant_id: TenantId
  readonly id: string
  readonly kind: ProviderKind
  readonly name: string
  readonly position: number
  readonly enabled: boolean
  readonly settings: Schema.JsonObject
  readonly rate: number | null
  readonly key_id: string
  readonly fingerprint: string
  readonly sealed_at: Date
  readonly version: number
  readonly created_at: Date
  readonly updated_at: Date
}

const columns =
  "a.tenant_id, a.id, a.kind, a.name, a.position, a.enabled, a.settings, a.rate, a.key_id, a.fingerprint, a.sealed_at, a.version, a.created_at, a.updated_at"

const toAccount = (row: AccountRow): ProviderAccount => ({
  id: row.id,
  tenantId: row.tenant_id,
  kind: row.kind,
  name: row.name,
  order: row.position,
  enabled: row.enabled,
  settings: row.settings,
  rate: row.rate,
  credentials: {
    keyId: row.key_id,
    fingerprint: row.fingerprint,
    updatedAt: DateTime.fromDateUnsafe(row.sealed_at)
  },
  version: row.version,
  createdAt: DateTime.fromDateUnsafe(row.created_at),
  updatedAt: DateTime.fromDateUnsafe(row.updated_at)
})

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const ring = yield* KeyRing
  const all = sql.literal(columns)

  const isOne = (tenantId: TenantId, id: string) => sql`a.tenant_id = ${tenantId} and a.id = ${id}`

  /** Keyed, since a password can be guessed; by the tenant too, so that two tenants' are not compared. */
  const fingerprintOf = (tenantId: TenantId, plain: Redacted.Redacted): string =>
    createHmac("sha256", Redacted.value(ring.secrets[0]))
      .update(`provider credentials\u0000${tenantId}\u0000${Redacted.value(plain)}`, "utf8")
      .digest("hex")
      .slice(0, 12)

  const sealedOf = Effect.fnUntraced(function* (tenantId: TenantId, id: string, plain: Redacted.Redacted) {
    const sealed = yield* ring.seal("provider credentials", rowOf(tenantId, id), plain)
    return { ...sealed, fingerprint: fingerprintOf(tenantId, plain) }
  })

  return ProviderAccountStore.of({
    create: Effect.fn("ProviderAccountStore.create")(function* (tenantId, id, account, now) {
      const { bytes, fingerprint, keyId } = yield* sealedOf(tenantId, id, account.credentials)
      const at = timestamp(now)
      const rows = yield* sql<AccountRow>`
        insert into provider_accounts as a (tenant_id, id, kind, name, position, enabled, settings, rate, sealed, key_id,
          fingerprint, sealed_at, version, created_at, updated_at)
        values (${tenantId}, ${id}, ${account.kind}, ${account.name}, ${account.order}, ${account.enabled},
          ${JSON.stringify(account.settings)}::jsonb, ${account.rate}, ${bytes}, ${keyId}, ${fingerprint}, ${at}, 1, ${at}, ${at})
        returning ${all}`
      return toAccount(Array.getUnsafe(rows, 0))
    }, unavailable("ProviderAccountStore.create")),

    list: Effect.fn("ProviderAccountStore.list")(function* (tenantId) {
      const rows = yield* sql<AccountRow>`
        select ${all} from provider_accounts a where a.tenant_id = ${tenantId}
        order by a.position, a.created_at, a.id`
      return rows.map(toAccount)
    }, unavailable("ProviderAccountStore.list")),

    get: Effect.fn("ProviderAccountStore.get")(function* (tenantId, id) {
      const rows = yield* sql<AccountRow>`select ${all} from provider_accounts a where ${isOne(tenantId, id)}`
      return Option.map(Array.head(rows), toAccount)
    }, unavailable("ProviderAccountStore.get")),

    update: Effect.fn("ProviderAccountStore.update")(function* (tenantId, id, change, now, version) {
      const sealed = change.credentials === undefined ? undefined : yield* sealedOf(tenantId, id, change.credentials)
      const at = timestamp(now)
      const rows = yield* sql<AccountRow>`
        update provider_accounts a set
          name = coalesce(${change.name ?? null}::text, a.name),
          position = coalesce(${change.order ?? null}::integer, a.position),
          enabled = coalesce(${change.enabled ?? null}::boolean, a.enabled),
          settings = coalesce(${change.settings === undefined ? null : JSON.stringify(change.settings)}::jsonb, a.settings),
          rate = case when ${change.rate !== undefined}::boolean then ${change.rate ?? null}::integer else a.rate end,
          sealed = coalesce(${sealed?.bytes ?? null}::bytea, a.sealed),
          key_id = coalesce(${sealed?.keyId ?? null}::text, a.key_id),
          fingerprint = coalesce(${sealed?.fingerprint ?? null}::text, a.fingerprint),
          sealed_at = case when ${sealed !== undefined}::boolean then ${at}::timestamptz else a.sealed_at end,
          version = a.version + 1,
          updated_at = ${at}
        where ${isOne(tenantId, id)} and a.version = coalesce(${version ?? null}::integer, a.version)
        returning ${all}`
      return Option.map(Array.head(rows), toAccount)
    }, unavailable("ProviderAccountStore.update")),

    remove: Effect.fn("ProviderAccountStore.remove")(function* (tenantId, id) {
      const rows = yield* sql`delete from provider_accounts a where ${isOne(tenantId, id)} returning 1`
      return rows.length > 0
    }, unavailable("ProviderAccountStore.remove")),

    credentials: Effect.fn("ProviderAccountStore.credentials")(function* (tenantId, id) {
      const rows = yield* sql<{ readonly sealed: Uint8Array; readonly key_id: string }>`
        select a.sealed, a.key_id from provider_accounts a where ${isOne(tenantId, id)}`.pipe(
        unavailable("ProviderAccountStore.credentials")
      )
      const [row] = rows
      if (row === undefined) return Option.none()
      const opened = ring.open("provider credentials", rowOf(tenantId, id), { keyId: row.key_id, bytes: row.sealed })
      return Option.some(
        yield* Effect.mapError(opened, ({ keyId, message }) => new CredentialsNotOpened({ keyId, reason: message }))
      )
    })
  })
})

export const layer: Layer.Layer<ProviderAccountStore, never, SqlClient | KeyRing> = Layer.effect(
  ProviderAccountStore,
  make
)
