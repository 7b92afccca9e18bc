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

    // A batch may have a million rows: what it is made of goes first, and the batch when nothing of it is left.
    batches: (tenantId: TenantId, before: string, limit: number) => sql<{ gone: bigint }>`
      with doomed as materialized (
        select b.id from batches b
        where b.tenant_id = ${tenantId} and b.id < ${before} and b.finished_at is not null
        order by b.id limit ${Math.ceil(limit / 10)} for update skip locked
      ), errors as (
        delete from batch_errors where (tenant_id, batch_id, row_number) in (
          select e.tenant_id, e.batch_id, e.row_number from doomed d
          join batch_errors e on e.tenant_id = ${tenantId} and e.batch_id = d.id limit ${limit}
        ) returning batch_id
      ), chunks as (
        delete from batch_chunks where (tenant_id, batch_id, number) in (
          select c.tenant_id, c.batch_id, c.number from doomed d
          join batch_chunks c on c.tenant_id = ${tenantId} and c.batch_id = d.id limit ${limit}
        ) returning batch_id
      ), gone as (
        delete from batches where tenant_id = ${tenantId} and id = any(array(
          select id from doomed
          where not exists (select from batch_errors e where e.tenant_id = ${tenantId} and e.batch_id = doomed.id)
            and not exists (select from batch_chunks c where c.tenant_id = ${tenantId} and c.batch_id = doomed.id)
        )) returning 1
      )
      select (select count(*) from errors) + (select count(*) from chunks) + (select count(*) from gone) as gone`,

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
