/**
 * Revocations in PostgreSQL.
 */
import type { TenantId } from "@beckon/domain/Identifiers"
import { RevocationStore } from "@beckon/domain/ports/RevocationStore"
import type { Revocation } from "@beckon/domain/Revocation"
import { DateTime, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { timestamp } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

interface RevocationRow {
  readonly tenant_id: TenantId
  readonly kind: "user" | "token"
  readonly subject: string
  readonly before: Date
  readonly expires_at: Date
  readonly id: string
  readonly changed_at: Date
}

const toRevocation = (row: RevocationRow): Revocation => ({
  tenantId: row.tenant_id,
  kind: row.kind,
  subject: row.subject,
  before: DateTime.fromDateUnsafe(row.before),
  expiresAt: DateTime.fromDateUnsafe(row.expires_at)
})

const make = Effect.gen(function* () {
  const sql = yield* SqlClient

  return RevocationStore.of({
    save: Effect.fn("RevocationStore.save")(function* (revocation, id, now) {
      const { before, expiresAt, kind, subject, tenantId } = revocation
      const rows = yield* sql<RevocationRow>`
        insert into revocations as r (tenant_id, kind, subject, before, expires_at, id, changed_at)
        values (${tenantId}, ${kind}, ${subject}, ${timestamp(before)}, ${timestamp(expiresAt)}, ${id}, ${timestamp(now)})
        on conflict (tenant_id, kind, subject) do update set
          before = greatest(r.before, excluded.before), expires_at = greatest(r.expires_at, excluded.expires_at),
          id = excluded.id, changed_at = greatest(r.changed_at, excluded.changed_at)
        returning r.*`
      return rows[0] === undefined ? revocation : toRevocation(rows[0])
    }, unavailable("RevocationStore.save")),

    changes: Effect.fn("RevocationStore.changes")(function* ({ changedAt, id }, limit) {
      const rows = yield* sql<RevocationRow>`
        select tenant_id, kind, subject, before, expires_at, id, changed_at from revocations
        where (changed_at, id) > (${timestamp(changedAt)}, ${id}) order by changed_at, id limit ${limit}`
      return rows.map((row) => ({
        revocation: toRevocation(row),
        changedAt: DateTime.fromDateUnsafe(row.changed_at),
        id: row.id
      }))
    }, unavailable("RevocationStore.changes")),

    forget: Effect.fn("RevocationStore.forget")(function* (now, limit) {
      // An array of places: for a limit that it does not know, the planner would read the table for a join.
      const rows = yield* sql`
        delete from revocations where ctid = any(array(
          select ctid from revocations
          where expires_at <= ${timestamp(now)} order by expires_at limit ${limit} for update skip locked))
        returning 1`
      return rows.length
    }, unavailable("RevocationStore.forget"))
  })
})

export const layer: Layer.Layer<RevocationStore, never, SqlClient> = Layer.effect(RevocationStore, make)
