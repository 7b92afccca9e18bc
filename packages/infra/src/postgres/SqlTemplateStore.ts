/**
 * Templates in PostgreSQL.
 *
 * **Details**
 *
 * The row of `templates` is the lock of its code: `put` takes the next number from it, and `remove` takes it away before it
 * looks for versions, so that it sees those that were added while it waited.
 */
import type { TenantId } from "@beckon/domain/Identifiers"
import { TemplateStore } from "@beckon/domain/ports/TemplateStore"
import { TemplateInput } from "@beckon/domain/Template"
import type { TemplateVersion } from "@beckon/domain/Template"
import { Array, DateTime, Effect, Layer, Option, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type * as Statement from "effect/sql/Statement"
import { timestamp } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

interface VersionRow {
  readonly version: number
  /** The store trusts its own table and does not decode each row with a schema. */
  readonly template: TemplateInput
  readonly created_at: Date
}

interface SummaryRow {
  readonly code: string
  readonly description: string | null
  readonly active_version: number
  readonly latest_version: number
  readonly updated_at: Date
}

interface Added {
  readonly tenantId: TenantId
  readonly code: string
  readonly template: TemplateInput
  readonly now: DateTime.Utc
}

const encode = Schema.encodeEffect(Schema.fromJsonString(TemplateInput))

const toVersion = (
  code: string,
  version: number,
  template: TemplateInput,
  createdAt: DateTime.Utc
): TemplateVersion => ({
  code,
  version,
  description: template.description ?? null,
  texts: template.texts,
  variables: template.variables ?? null,
  createdAt
})

const make = Effect.gen(function* () {
  const sql = yield* SqlClient

  const nextVersion = (activate: boolean, now: DateTime.Utc) => sql`
    set latest_version = t.latest_version + 1, updated_at = ${timestamp(now)},
      active_version = case when ${activate}::boolean then t.latest_version + 1 else t.active_version end`

  /** Saves the version whose number `next` gives, if it gives one. */
  const add = Effect.fnUntraced(function* ({ code, now, template, tenantId }: Added, next: Statement.Fragment) {
    const json = yield* encode(template)
    return yield* sql<{ readonly version: number }>`
      with next as (${next})
      insert into template_versions (tenant_id, code, version, template, created_at)
      select ${tenantId}, ${code}, latest_version, ${json}::jsonb, ${timestamp(now)} from next
      returning version`
  })

  return TemplateStore.of({
    // The conflict waits for the row, and reads it anew: every call gets a number of its own.
    put: Effect.fn("TemplateStore.put")(function* (tenantId, code, template, activate, now) {
      const [row] = yield* add(
        { tenantId, code, template, now },
        sql`
          insert into templates as t (tenant_id, code, active_version, latest_version, updated_at)
          values (${tenantId}, ${code}, 1, 1, ${timestamp(now)})
          on conflict (tenant_id, code) do update ${nextVersion(activate, now)}
          returning t.latest_version`
      )
      return toVersion(code, row?.version ?? 1, template, now)
    }, unavailable("TemplateStore.put")),

    putOver: Effect.fn("TemplateStore.putOver")(function* (tenantId, code, template, activate, expected, now) {
      const rows = yield* add(
        { tenantId, code, template, now },
        expected === 0
          ? sql`
              insert into templates as t (tenant_id, code, active_version, latest_version, updated_at)
              values (${tenantId}, ${code}, 1, 1, ${timestamp(now)})
              on conflict (tenant_id, code) do nothing returning t.latest_version`
          : sql`
              update templates as t ${nextVersion(activate, now)}
              where t.tenant_id = ${tenantId} and t.code = ${code} and t.active_version = ${expected}
              returning t.latest_version`
      )
      return Option.map(Array.head(rows), ({ version }) => toVersion(code, version, template, now))
    }, unavailable("TemplateStore.putOver")),

    get: Effect.fn("TemplateStore.get")(function* (tenantId, code, version) {
      const number =
        version === undefined
          ? sql`(select t.active_version from templates t where t.tenant_id = ${tenantId} and t.code = ${code})`
          : sql`${version}`
      const rows = yield* sql<VersionRow>`
        select v.version, v.template, v.created_at from template_versions v
        where v.tenant_id = ${tenantId} and v.code = ${code} and v.version = ${number}`
      return Option.map(Array.head(rows), (row) =>
        toVersion(code, row.version, row.template, DateTime.fromDateUnsafe(row.created_at))
      )
    }, unavailable("TemplateStore.get")),

    list: Effect.fn("TemplateStore.list")(function* (tenantId, { afterCode, limit }) {
      // No code is empty, so all come after the empty one.
      const rows = yield* sql<SummaryRow>`
        select t.code, t.active_version, t.latest_version, t.updated_at, (
          select v.template ->> 'description' from template_versions v
          where v.tenant_id = t.tenant_id and v.code = t.code and v.version = t.active_version
        ) as description
        from templates t where t.tenant_id = ${tenantId} and t.code > ${afterCode ?? ""}
        order by t.code limit ${limit}`
      return rows.map((row) => ({
        code: row.code,
        description: row.description,
        activeVersion: row.active_version,
        latestVersion: row.latest_version,
        updatedAt: DateTime.fromDateUnsafe(row.updated_at)
      }))
    }, unavailable("TemplateStore.list")),

    versions: Effect.fn("TemplateStore.versions")(function* (tenantId, code) {
      const rows = yield* sql<{ readonly version: number; readonly created_at: Date }>`
        select version, created_at from template_versions
        where tenant_id = ${tenantId} and code = ${code} order by version desc`
      return rows.map(({ created_at, version }) => ({ version, createdAt: DateTime.fromDateUnsafe(created_at) }))
    }, unavailable("TemplateStore.versions")),

    activate: Effect.fn("TemplateStore.activate")(function* (tenantId, code, version, now) {
      // Versions have no gaps, so the number alone tells whether there is such a version.
      const rows = yield* sql`
        update templates set active_version = ${version}, updated_at = ${timestamp(now)}
        where tenant_id = ${tenantId} and code = ${code} and ${version} between 1 and latest_version returning 1`
      return rows.length > 0
    }, unavailable("TemplateStore.activate")),

    remove: Effect.fn("TemplateStore.remove")(function* (tenantId, code, expected) {
      const ifActive = expected === undefined ? sql`` : sql`and active_version = ${expected}`
      const removed = Effect.gen(function* () {
        const rows = yield* sql`
          delete from templates where tenant_id = ${tenantId} and code = ${code} ${ifActive} returning 1`
        // A statement of its own: it sees the version of a `put` that the delete has waited for.
        if (rows.length > 0) yield* sql`delete from template_versions where tenant_id = ${tenantId} and code = ${code}`
        return rows.length > 0
      })
      return yield* sql.withTransaction(removed)
    }, unavailable("TemplateStore.remove"))
  })
})

/** Templates in PostgreSQL. */
export const layer: Layer.Layer<TemplateStore, never, SqlClient> = Layer.effect(TemplateStore, make)
