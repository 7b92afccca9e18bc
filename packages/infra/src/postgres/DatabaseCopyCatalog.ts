/**
 * What a database holds, as its own catalog tells, and the tables that a copy takes along.
 */
import { Effect, Schema } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { migrationsTable } from "./SqlMigrations.ts"
import type { SqlMigrationRecord } from "./SqlMigrations.ts"

/**
 * Every table that is copied, those first that others refer to.
 *
 * **Gotchas**
 *
 * A migration that makes a table adds it here: a copy refuses a database with a table that is not named.
 */
export const copiedTables: ReadonlyArray<string> = [
  "users",
  "preferences",
  "devices",
  "mailboxes",
  "notifications",
  "friendships",
  "event_outbox",
  "dead_letters",
  "routing_policies",
  "templates",
  "template_versions",
  "webhook_endpoints",
  "webhook_secrets",
  "provider_accounts",
  "sealed_keys",
  "scheduled_notifications",
  "deliveries",
  "delivery_items",
  "delivery_attempts",
  "delivery_events",
  "idempotency_keys",
  "delivery_throttles",
  "batches",
  "batch_chunks",
  "batch_errors",
  "tracking_grants",
  "tenants",
  "tenant_secrets",
  "audit_log",
  "lookups",
  "api_keys",
  "revocations"
]

/** Where a copy keeps how far it is; in the target only. */
export const progressTable = "beckon_copy_progress"

/** Tables that each database has for itself. */
const ownTables: ReadonlyArray<string> = [migrationsTable, progressTable, "duties"]

const Column = Schema.Struct({
  name: Schema.String,
  /** As SQL writes it, for example `timestamp with time zone`. */
  type: Schema.String,
  /** Computed by the database, and therefore compared but not written. */
  generated: Schema.Boolean
})
export type Column = typeof Column.Type

export interface CopyTable {
  readonly name: string
  readonly columns: ReadonlyArray<Column>
  /** Columns of the primary key, in its order. */
  readonly key: ReadonlyArray<string>
}

export interface Catalog {
  readonly tables: ReadonlyMap<string, CopyTable>
  readonly sequences: ReadonlyArray<string>
  /** `<id>_<name>` of the applied migrations, in their order. */
  readonly migrations: ReadonlyArray<string>
}

/** The copy would not be right; nothing, or nothing more, was written. */
export class CopyRefused extends Schema.TaggedError<CopyRefused>()("CopyRefused", {
  reason: Schema.Literals([
    "source-schema",
    "target-schema",
    "table-not-known",
    "target-not-empty",
    "source-changed",
    "interfered"
  ]),
  detail: Schema.String
}) {
  override get message(): string {
    return this.detail
  }
}

export const refuse = (reason: CopyRefused["reason"], detail: string) =>
  Effect.fail(new CopyRefused({ reason, detail }))

const decodeColumns = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Array(Column)))
const decodeNames = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Array(Schema.String)))

/** Tables, sequences and migrations of the schema that unqualified names mean. */
export const readCatalog = Effect.fnUntraced(function* (sql: SqlClient): Effect.fn.Return<Catalog, SqlError> {
  const tables = yield* sql<{ readonly name: string; readonly columns: string; readonly key: string }>`
    select c.relname::text as name,
      (
        select coalesce(json_agg(json_build_object(
          'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'generated', a.attgenerated <> ''
        ) order by a.attnum), '[]')
        from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      )::text as columns,
      (
        select coalesce(json_agg(a.attname order by k.ordinal), '[]')
        from pg_index i cross join unnest(i.indkey) with ordinality as k(attnum, ordinal)
        join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
        where i.indrelid = c.oid and i.indisprimary
      )::text as key
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = current_schema() and c.relkind in ('r', 'p') and not c.relispartition
    order by c.relname`
  const sequences = yield* sql<{ readonly name: string }>`
    select c.relname::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = current_schema() and c.relkind = 'S' order by c.relname`
  const migrations = tables.some(({ name }) => name === migrationsTable)
    ? yield* sql<{ readonly id: number; readonly name: string }>`
        select migration_id::int as id, name::text as name from ${sql(migrationsTable)} order by migration_id`
    : []
  return {
    tables: new Map(
      tables.map(({ columns, key, name }) => [name, { name, columns: decodeColumns(columns), key: decodeNames(key) }])
    ),
    sequences: sequences.map(({ name }) => name),
    migrations: migrations.map(({ id, name }) => `${id}_${name}`)
  }
})

/** As `Catalog.migrations`. */
export const namesOf = (migrations: SqlMigrationRecord): ReadonlyArray<string> =>
  Object.keys(migrations)
    .map((key) => key.replace(/^0+(?=\d)/, ""))
    .toSorted((left, right) => Number.parseInt(left, 10) - Number.parseInt(right, 10))

/** The tables to copy, in the order of `copiedTables`; refuses a source that this version does not know by heart. */
export const tablesOfSource = Effect.fnUntraced(function* (
  source: Catalog,
  migrations: SqlMigrationRecord
): Effect.fn.Return<ReadonlyArray<CopyTable>, CopyRefused> {
  const expected = namesOf(migrations)
  const missing = expected.filter((name) => !source.migrations.includes(name))
  const newer = source.migrations.filter((name) => !expected.includes(name))
  if (newer.length > 0) {
    return yield* refuse("source-schema", `The source was made by a newer version of Beckon (${newer.join(", ")})`)
  }
  if (missing.length > 0) {
    const remedy = "run beckon migrate with --data-dir on the folder first"
    return yield* refuse("source-schema", `The source has not this version's schema (${missing.join(", ")}): ${remedy}`)
  }
  const unknown = [...source.tables.keys()].filter((name) => !copiedTables.includes(name) && !ownTables.includes(name))
  if (unknown.length > 0) {
    return yield* refuse(
      "table-not-known",
      `The source has tables that a copy would leave behind: ${unknown.join(", ")}`
    )
  }
  const tables: Array<CopyTable> = []
  for (const name of copiedTables) {
    const table = source.tables.get(name)
    if (table === undefined) return yield* refuse("source-schema", `The source has no table ${name}`)
    if (table.key.length === 0) return yield* refuse("source-schema", `Table ${name} has no primary key to page by`)
    tables.push(table)
  }
  return tables
})

const shapeOf = (table: CopyTable): string =>
  JSON.stringify([
    table.key,
    table.columns
      .map(({ generated, name, type }) => [name, type, generated] as const)
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
  ])

/** Refuses a target whose tables are not those of the source, after its migrations have run. */
export const checkTarget = Effect.fnUntraced(function* (
  tables: ReadonlyArray<CopyTable>,
  sequences: ReadonlyArray<string>,
  target: Catalog
): Effect.fn.Return<void, CopyRefused> {
  for (const table of tables) {
    const other = target.tables.get(table.name)
    if (other === undefined) return yield* refuse("target-schema", `The target has no table ${table.name}`)
    if (shapeOf(other) !== shapeOf(table)) {
      return yield* refuse("target-schema", `Table ${table.name} of the target has other columns than the source`)
    }
  }
  const missing = sequences.filter((name) => !target.sequences.includes(name))
  if (missing.length > 0) return yield* refuse("target-schema", `The target has no sequence ${missing.join(", ")}`)
})

/** Refuses a target that a newer version has migrated. */
export const checkTargetVersion = Effect.fnUntraced(function* (
  target: Catalog,
  migrations: SqlMigrationRecord
): Effect.fn.Return<void, CopyRefused> {
  const expected = namesOf(migrations)
  const newer = target.migrations.filter((name) => !expected.includes(name))
  if (newer.length === 0) return
  return yield* refuse("target-schema", `The target was migrated by a newer version of Beckon (${newer.join(", ")})`)
})
