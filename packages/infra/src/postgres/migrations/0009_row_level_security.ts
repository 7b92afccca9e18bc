import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { createRoles, protect, reserve } from "../RowLevelSecurity.ts"
import type { Protection } from "../RowLevelSecurity.ts"
import { migrationsTable } from "../SqlMigrations.ts"

/** What belongs to the delivery that it is about; the tenant sees deliveries of its own only. */
const ofDelivery = (table: string): Protection => ({
  rows: `exists (select from deliveries d where d.id = ${table}.delivery_id)`
})

/** Tables whose tenant is not simply the one in `tenant_id`, or whose rows not everybody may change. */
const special: Readonly<Record<string, Protection>> = {
  delivery_attempts: ofDelivery("delivery_attempts"),
  delivery_events: ofDelivery("delivery_events"),
  // Entries are added, and thrown away by age; nobody changes one.
  audit_log: { tenant: "select, insert", system: "select, insert, delete" },
  // Those without a tenant are the deployment's: for every tenant to read.
  lookups: { shared: "tenant_id = ''" }
}

/** What a tenant may do with tables that know no tenants. */
const shared: Readonly<Record<string, string>> = {
  // A change and its events are one statement.
  event_outbox: "insert"
}

/**
 * Row-level security on every table that there is so far; a later migration calls `protect` for its own.
 */
export const rowLevelSecurity: Effect.Effect<void, unknown, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* createRoles(sql)
  const tables = yield* sql<{ readonly name: string; readonly tenanted: boolean }>`
    select c.relname::text as name, exists (
      select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
    ) as tenanted
    from pg_class c where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p')
      and pg_has_role(c.relowner, 'USAGE')
    order by c.relname`
  for (const { name, tenanted } of tables) {
    const protection = special[name]
    if (name === migrationsTable) yield* sql`grant select on ${sql(name)} to beckon_system`
    else if (tenanted || protection !== undefined) yield* protect(sql, name, protection)
    else yield* reserve(sql, name, shared[name])
  }
  // An embedded database has no autovacuum: the system does its work (PgliteMaintenance).
  if (sql.driver === "pglite") yield* sql`grant pg_maintain to beckon_system`
})
