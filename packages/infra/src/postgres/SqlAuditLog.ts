import { Actor } from "@beckon/domain/AuditEntry"
import type { AuditEntry } from "@beckon/domain/AuditEntry"
import type { TenantId } from "@beckon/domain/Identifiers"
import { AuditLog } from "@beckon/domain/ports/AuditLog"
import { DateTime, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { texts, timestamp, timestamps } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

/** As the driver gives it. The store trusts its own table and does not decode each entry with a schema. */
interface EntryRow {
  readonly tenant_id: TenantId
  readonly id: string
  readonly at: Date
  readonly actor_kind: Actor["kind"]
  readonly actor_id: string
  readonly actor_roles: ReadonlyArray<string>
  readonly action: string
  readonly target: string
  readonly address: string | null
  readonly correlation_id: string | null
  readonly before: string | null
  readonly after: string | null
}

const Json = Schema.fromJsonString(Schema.Json)
const encode = Schema.encodeEffect(Json)
const decode = Schema.decodeEffect(Schema.NullOr(Json))
const encodeRoles = Schema.encodeEffect(Schema.fromJsonString(Actor.fields.roles))

const jsonOf = (value: Schema.Json | null) => (value === null ? Effect.succeed(null) : encode(value))

const toEntry = Effect.fnUntraced(function* (row: EntryRow) {
  const entry: AuditEntry = {
    id: row.id,
    tenantId: row.tenant_id,
    at: DateTime.fromDateUnsafe(row.at),
    actor: { kind: row.actor_kind, id: row.actor_id, roles: row.actor_roles },
    action: row.action,
    target: row.target,
    address: row.address,
    correlationId: row.correlation_id,
    before: yield* decode(row.before),
    after: yield* decode(row.after)
  }
  return entry
})

const make = Effect.gen(function* () {
  const sql = yield* SqlClient

  return AuditLog.of({
    append: Effect.fn("AuditLog.append")(function* (entries) {
      if (entries.length === 0) return
      const before = yield* Effect.forEach(entries, (entry) => jsonOf(entry.before))
      const after = yield* Effect.forEach(entries, (entry) => jsonOf(entry.after))
      const roles = yield* Effect.forEach(entries, ({ actor }) => encodeRoles(actor.roles))
      yield* sql`
        insert into audit_log (
          tenant_id, id, at, actor_kind, actor_id, actor_roles, action, target, address, correlation_id, before, after
        )
        select k.tenant_id, k.id, k.at, k.actor_kind, k.actor_id, array(select json_array_elements_text(k.roles::json)),
          k.action, k.target, k.address, k.correlation_id, k.before::json, k.after::json
        from unnest(
          ${texts(entries.map(({ tenantId }) => tenantId))}::text[],
          ${texts(entries.map(({ id }) => id))}::text[],
          ${timestamps(entries.map(({ at }) => at.epochMilliseconds))}::timestamptz[],
          ${texts(entries.map(({ actor }) => actor.kind))}::text[],
          ${texts(entries.map(({ actor }) => actor.id))}::text[],
          ${texts(roles)}::text[],
          ${texts(entries.map(({ action }) => action))}::text[],
          ${texts(entries.map(({ target }) => target))}::text[],
          ${texts(entries.map(({ address }) => address))}::text[],
          ${texts(entries.map(({ correlationId }) => correlationId))}::text[],
          ${texts(before)}::text[],
          ${texts(after)}::text[]
        ) as k(
          tenant_id, id, at, actor_kind, actor_id, roles, action, target, address, correlation_id, before, after
        )
        on conflict (tenant_id, id) do nothing`
    }, unavailable("AuditLog.append")),

    list: Effect.fn("AuditLog.list")(function* (tenantId, query) {
      const { action, actorId, beforeId, limit, since, target, until } = query
      const conditions = [
        sql`a.tenant_id = ${tenantId}`,
        ...(action === undefined ? [] : [sql`a.action = ${action}`]),
        ...(actorId === undefined ? [] : [sql`a.actor_id = ${actorId}`]),
        ...(target === undefined ? [] : [sql`a.target = ${target}`]),
        ...(since === undefined ? [] : [sql`a.at >= ${timestamp(since)}`]),
        ...(until === undefined ? [] : [sql`a.at < ${timestamp(until)}`]),
        ...(beforeId === undefined ? [] : [sql`a.id < ${beforeId}`])
      ]
      // How many entries a filter leaves is different for each: the plan is made for the one at hand.
      const rows = yield* sql<EntryRow>`
        select a.tenant_id, a.id, a.at, a.actor_kind, a.actor_id, a.actor_roles, a.action, a.target, a.address,
          a.correlation_id, a.before::text as before, a.after::text as after
        from audit_log a where ${sql.and(conditions)} order by a.id desc limit ${limit}`.unprepared
      return yield* Effect.forEach(rows, toEntry)
    }, unavailable("AuditLog.list"))
  })
})

/** The audit log in PostgreSQL. */
export const layer: Layer.Layer<AuditLog, never, SqlClient> = Layer.effect(AuditLog, make)
