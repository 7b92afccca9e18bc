import type { TenantId } from "@beckon/domain/Identifiers"
import { TenantStore } from "@beckon/domain/ports/TenantStore"
import type { TenantUpdate } from "@beckon/domain/ports/TenantStore"
import { settingsFromStored, TenantSettings } from "@beckon/domain/Tenant"
import type { Tenant, TenantStatus } from "@beckon/domain/Tenant"
import { Array, DateTime, Effect, Layer, Option, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as LoggedOnce from "./LoggedOnce.ts"
import { timestamp } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

interface TenantRow {
  readonly tenant_id: TenantId
  readonly name: string
  readonly status: TenantStatus
  readonly settings: unknown
  readonly version: number
  readonly created_at: Date
  readonly updated_at: Date
  readonly removed_at: Date | null
}

const encode = Schema.encodeEffect(Schema.fromJsonString(TenantSettings))

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const once = LoggedOnce.make()
  const all = sql`t.tenant_id, t.name, t.status, t.settings, t.version, t.created_at, t.updated_at, t.removed_at`

  const toTenant = Effect.fnUntraced(function* (row: TenantRow): Effect.fn.Return<Tenant> {
    const { dropped, value: settings } = settingsFromStored(row.settings)
    if (dropped.length > 0) {
      const subject = `${row.tenant_id}\u0000${row.version}`
      const details = { tenantId: row.tenant_id, version: row.version, dropped }
      yield* once(subject, "Saved settings of a tenant are not understood any more; the rest of them counts", details)
    }
    return {
      id: row.tenant_id,
      name: row.name,
      status: row.status,
      settings,
      version: row.version,
      createdAt: DateTime.fromDateUnsafe(row.created_at),
      updatedAt: DateTime.fromDateUnsafe(row.updated_at),
      ...(row.removed_at === null ? {} : { removedAt: DateTime.fromDateUnsafe(row.removed_at) })
    }
  })

  const first = (rows: ReadonlyArray<TenantRow>): Effect.Effect<Option.Option<Tenant>> =>
    Option.match(Array.head(rows), {
      onNone: () => Effect.succeedNone,
      onSome: (row) => Effect.map(toTenant(row), Option.some)
    })

  return TenantStore.of({
    get: Effect.fn("TenantStore.get")(function* (tenantId) {
      return yield* first(yield* sql<TenantRow>`select ${all} from tenants t where t.tenant_id = ${tenantId}`)
    }, unavailable("TenantStore.get")),

    list: Effect.fn("TenantStore.list")(function* ({ afterId, limit, status }) {
      const having = status === undefined ? sql`true` : sql`t.status = ${status}`
      // No id is empty, so all come after the empty one.
      const rows = yield* sql<TenantRow>`
        select ${all} from tenants t
        where t.removed_at is null and ${having} and t.tenant_id > ${afterId ?? ""}
        order by t.tenant_id limit ${limit}`
      return yield* Effect.forEach(rows, toTenant)
    }, unavailable("TenantStore.list")),

    create: Effect.fn("TenantStore.create")(function* ({ id, name, settings }, now) {
      const json = yield* encode(settings)
      const at = timestamp(now)
      return yield* first(
        yield* sql<TenantRow>`
          insert into tenants as t (tenant_id, name, status, settings, version, created_at, updated_at)
          values (${id}, ${name}, 'active', ${json}::jsonb, 1, ${at}, ${at})
          on conflict (tenant_id) do nothing
          returning ${all}`
      )
    }, unavailable("TenantStore.create")),

    update: Effect.fn("TenantStore.update")(function* (tenantId, change, expected, now) {
      const settings = change.settings === undefined ? null : yield* encode(change.settings)
      const versioned = expected === undefined ? sql`true` : sql`t.version = ${expected}`
      const rows = yield* sql<TenantRow>`
        update tenants t
        set name = coalesce(${change.name ?? null}::text, t.name), status = coalesce(${change.status ?? null}::text, t.status),
          settings = coalesce(${settings}::jsonb, t.settings), version = t.version + 1, updated_at = ${timestamp(now)}
        where t.tenant_id = ${tenantId} and t.removed_at is null and ${versioned}
        returning ${all}`
      const updated = yield* first(rows)
      if (Option.isSome(updated)) return { _tag: "Updated", tenant: updated.value } satisfies TenantUpdate
      const [found] = yield* sql<{ readonly version: number }>`
        select t.version from tenants t where t.tenant_id = ${tenantId} and t.removed_at is null`
      const answer: TenantUpdate =
        found === undefined ? { _tag: "NotFound" } : { _tag: "VersionMismatch", version: found.version }
      return answer
    }, unavailable("TenantStore.update")),

    remove: Effect.fn("TenantStore.remove")(function* (tenantId, now) {
      const removed = yield* sql`
        update tenants t
        set name = t.tenant_id, settings = '{}', version = t.version + 1, updated_at = ${timestamp(now)},
          removed_at = ${timestamp(now)}
        where t.tenant_id = ${tenantId} and t.removed_at is null and t.status = 'suspended' returning 1`
      if (removed.length > 0) return "Removed"
      const found = yield* sql`
        select 1 from tenants t where t.tenant_id = ${tenantId} and t.removed_at is null`
      return found.length > 0 ? "NotSuspended" : "NotFound"
    }, unavailable("TenantStore.remove"))
  })
})

/** Tenants in PostgreSQL. */
export const layer: Layer.Layer<TenantStore, never, SqlClient> = Layer.effect(TenantStore, make)
