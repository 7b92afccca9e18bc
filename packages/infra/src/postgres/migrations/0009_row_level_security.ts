import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { createRoles, protect, reserve, rolesOf } from "../RowLevelSecurity.ts"
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

/** Everything that the migrations before this one have made and that has tenants. */
const tenanted: ReadonlyArray<string> = [
  "api_keys",
  "audit_log",
  "batch_chunks",
  "batch_errors",
  "batches",
  "deliveries",
  "delivery_attempts",
  "delivery_events",
  "delivery_items",
  "delivery_throttles",
  "devices",
  "friendships",
  "idempotency_keys",
  "lookups",
  "mailboxes",
  "notifications",
  "preferences",
  "provider_accounts",
  "revocations",
  "routing_policies",
  "scheduled_notifications",
  "template_versions",
  "templates",
  "tenant_secrets",
  "tenants",
  "users",
  "webhook_endpoints",
  "webhook_secrets"
]

/**
 * Row-level security on every table that there is so far; a later migration calls `protect` for its own.
 *
 * Tables by their names: another application's in the same schema are none of ours.
 */
export const rowLevelSecurity: Effect.Effect<void, unknown, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* createRoles(sql)
  for (const table of tenanted) yield* protect(sql, table, special[table])
  for (const table of ["dead_letters", "duties", "sealed_keys"]) yield* reserve(sql, table)
  // A change and its events are one statement.
  yield* reserve(sql, "event_outbox", { tenant: "insert" })
  yield* reserve(sql, migrationsTable, { system: "select" })
  // An embedded database has no autovacuum: the system does its work (PgliteMaintenance).
  if (sql.driver === "pglite") yield* sql`grant pg_maintain to ${sql((yield* rolesOf(sql)).system)}`
})
