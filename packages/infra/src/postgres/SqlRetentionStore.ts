import type { TenantId } from "@beckon/domain/Identifiers"
import { RetentionStore } from "@beckon/domain/ports/RetentionStore"
import type { Kept } from "@beckon/domain/ports/RetentionStore"
import { idBefore } from "@beckon/domain/TimeOrderedId"
import { DateTime, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { timestamp } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

const make = Effect.gen(function* () {
  const sql = yield* SqlClient

  const statements = {
    deliveries: (tenantId: TenantId, before: string, limit: number) => sql<{ gone: bigint }>`
      with doomed as (
        select d.id from deliveries d
        where d.tenant_id = ${tenantId} and d.id < ${before} and d.state not in ('pending', 'sending', 'failed')
        order by d.id limit ${limit} for update skip locked
      ), attempts as (
        delete from delivery_attempts where delivery_id = any(array(select id from doomed))
      ), events as (
        delete from delivery_events where delivery_id = any(array(select id from doomed))
      ), items as (
        delete from delivery_items where delivery_id = any(array(select id from doomed))
      ), gone as (
        delete from deliveries where id = any(array(select id from doomed)) returning 1
      )
      select count(*) as gone from gone`,

    batches: (tenantId: TenantId, before: string, limit: number) => sql<{ gone: bigint }>`
      with doomed as (
        select b.id from batches b
        where b.tenant_id = ${tenantId} and b.id < ${before} and b.finished_at is not null
        order by b.id limit ${limit} for update skip locked
      ), chunks as (
        delete from batch_chunks where tenant_id = ${tenantId} and batch_id = any(array(select id from doomed))
      ), errors as (
        delete from batch_errors where tenant_id = ${tenantId} and batch_id = any(array(select id from doomed))
      ), gone as (
        delete from batches where tenant_id = ${tenantId} and id = any(array(select id from doomed)) returning 1
      )
      select count(*) as gone from gone`,

    audit: (tenantId: TenantId, before: string, limit: number) => sql<{ gone: bigint }>`
      with doomed as (
        select a.id from audit_log a where a.tenant_id = ${tenantId} and a.id < ${before} order by a.id limit ${limit}
      ), gone as (
        delete from audit_log where tenant_id = ${tenantId} and id = any(array(select id from doomed)) returning 1
      )
      select count(*) as gone from gone`
  } satisfies Record<Kept, unknown>

  return RetentionStore.of({
    sweep: (tenantId, kept, before, limit) =>
      Effect.map(unavailable("RetentionStore.sweep")(statements[kept](tenantId, idBefore(before), limit)), (rows) =>
        Number(rows[0]?.gone ?? 0n)
      ),

    takeDuty: Effect.fn("RetentionStore.takeDuty")(function* (name, now, duration) {
      const until = DateTime.addDuration(now, duration)
      const rows = yield* sql`
        insert into duties as held (name, until) values (${name}, ${timestamp(until)})
        on conflict (name) do update set until = excluded.until where held.until <= ${timestamp(now)}
        returning 1`
      return rows.length > 0
    }, unavailable("RetentionStore.takeDuty"))
  })
})

/** Retention in PostgreSQL. Each sweep is one statement, of at most `limit` rows and what belongs to them. */
export const layer: Layer.Layer<RetentionStore, never, SqlClient> = Layer.effect(RetentionStore, make)
