/**
 * API keys in PostgreSQL. A key with its two secrets is one row, so that every change of it is one statement.
 */
import type { ApiKey, ApiKeyRole, ApiKeySecret } from "@beckon/domain/ApiKey"
import type { TenantId } from "@beckon/domain/Identifiers"
import { ApiKeyStore } from "@beckon/domain/ports/ApiKeyStore"
import { Array, DateTime, Effect, Layer, Option } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { texts, timestamp, toUtcOrNull } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

interface KeyRow {
  readonly tenant_id: TenantId
  readonly id: string
  readonly name: string
  readonly role: ApiKeyRole
  readonly scopes: ReadonlyArray<string> | null
  readonly created_by: string
  readonly created_at: Date
  readonly expires_at: Date | null
  readonly revoked_at: Date | null
  readonly rotated_at: Date | null
  readonly former_until: Date | null
  readonly last_used_at: Date | null
  readonly last_used_address: string | null
}

interface KnownRow extends KeyRow {
  readonly version: number
  readonly hash: Uint8Array
  readonly former_hash: Uint8Array | null
}

const columns = `tenant_id, id, name, role, scopes, created_by, created_at, expires_at, revoked_at, rotated_at,
  former_until, last_used_at, last_used_address`

const toKey = (row: KeyRow): ApiKey => ({
  id: row.id,
  tenantId: row.tenant_id,
  name: row.name,
  role: row.role,
  scopes: row.scopes,
  createdBy: row.created_by,
  createdAt: DateTime.fromDateUnsafe(row.created_at),
  expiresAt: toUtcOrNull(row.expires_at),
  revokedAt: toUtcOrNull(row.revoked_at),
  lastUsedAt: toUtcOrNull(row.last_used_at),
  lastUsedAddress: row.last_used_address,
  rotatedAt: toUtcOrNull(row.rotated_at),
  formerUntil: toUtcOrNull(row.former_until)
})

const secretsOf = ({ former_hash, former_until, hash, version }: KnownRow): ReadonlyArray<ApiKeySecret> => [
  { version, hash: new Uint8Array(hash), until: null },
  ...(former_hash === null
    ? []
    : [{ version: version - 1, hash: new Uint8Array(former_hash), until: toUtcOrNull(former_until) }])
]

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const all = sql.literal(columns)

  return ApiKeyStore.of({
    create: Effect.fn("ApiKeyStore.create")(function* (key, now) {
      const scopes = key.scopes === null ? null : texts(key.scopes)
      const expiresAt = key.expiresAt === null ? null : timestamp(key.expiresAt)
      yield* sql`
        insert into api_keys (tenant_id, id, name, role, scopes, created_by, created_at, expires_at, hash)
        values (${key.tenantId}, ${key.id}, ${key.name}, ${key.role}, ${scopes}::text[], ${key.createdBy},
          ${timestamp(now)}, ${expiresAt}::timestamptz, ${key.hash})`
      const { hash: _hash, ...rest } = key
      const unused = { revokedAt: null, lastUsedAt: null, lastUsedAddress: null, rotatedAt: null, formerUntil: null }
      return { ...rest, ...unused, createdAt: now }
    }, unavailable("ApiKeyStore.create")),

    list: Effect.fn("ApiKeyStore.list")(function* (tenantId, { beforeId, limit }) {
      const before = beforeId === undefined ? sql`` : sql`and id < ${beforeId}`
      const rows = yield* sql<KeyRow>`
        select ${all} from api_keys where tenant_id = ${tenantId} ${before} order by id desc limit ${limit}`
      return rows.map(toKey)
    }, unavailable("ApiKeyStore.list")),

    get: Effect.fn("ApiKeyStore.get")(function* (tenantId, id) {
      const rows = yield* sql<KeyRow>`select ${all} from api_keys where tenant_id = ${tenantId} and id = ${id}`
      return Option.map(Array.head(rows), toKey)
    }, unavailable("ApiKeyStore.get")),

    find: Effect.fn("ApiKeyStore.find")(function* (id) {
      const rows = yield* sql<KnownRow>`select ${all}, version, hash, former_hash from api_keys where id = ${id}`
      return Option.map(Array.head(rows), (row) => ({ key: toKey(row), secrets: secretsOf(row) }))
    }, unavailable("ApiKeyStore.find")),

    rotate: Effect.fn("ApiKeyStore.rotate")(function* (tenantId, id, hash, formerUntil, now) {
      const rows = yield* sql<KeyRow>`
        update api_keys set former_hash = hash, former_until = ${timestamp(formerUntil)}, hash = ${hash},
          version = version + 1, rotated_at = ${timestamp(now)}
        where tenant_id = ${tenantId} and id = ${id} and revoked_at is null
        returning ${all}`
      return Option.map(Array.head(rows), toKey)
    }, unavailable("ApiKeyStore.rotate")),

    revoke: Effect.fn("ApiKeyStore.revoke")(function* (tenantId, id, now) {
      const rows = yield* sql<KeyRow>`
        update api_keys set revoked_at = coalesce(revoked_at, ${timestamp(now)})
        where tenant_id = ${tenantId} and id = ${id}
        returning ${all}`
      return Option.map(Array.head(rows), toKey)
    }, unavailable("ApiKeyStore.revoke")),

    noteUse: Effect.fn("ApiKeyStore.noteUse")(function* (tenantId, id, address, at) {
      yield* sql`
        update api_keys set last_used_at = ${timestamp(at)}, last_used_address = ${address}
        where tenant_id = ${tenantId} and id = ${id} and (last_used_at is null or last_used_at < ${timestamp(at)})`
    }, unavailable("ApiKeyStore.noteUse"))
  })
})

export const layer: Layer.Layer<ApiKeyStore, never, SqlClient> = Layer.effect(ApiKeyStore, make)
