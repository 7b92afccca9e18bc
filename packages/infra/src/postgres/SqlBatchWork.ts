/**
 * Chunks of batches: lent to workers, reported, given back.
 *
 * **Details**
 *
 * Whose turn it is, is looked up without locks: of each tenant the batch that was served longest ago and has a chunk that is
 * due, the tenants by when they were served last; one for a time to come counts as served then, so that it is not looked at. Then the batch is locked, and one of its chunks is taken. Everything takes
 * the lock of the batch first, so nothing waits in a circle.
 */
import type { BatchId, BatchRow } from "@beckon/domain/Batch"
import type { TenantId } from "@beckon/domain/Identifiers"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import type { BatchStore, ChunkClaim, ChunkRef, Reported, RowsReport } from "@beckon/domain/ports/BatchStore"
import { DateTime, Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Record from "../batches/BatchRecord.ts"
import * as Rows from "./SqlBatchRow.ts"
import { timestamp } from "./SqlValues.ts"

/** Batches that are tried in one claim, when other workers empty those before them. */
const candidates = 8

const turns = (sql: SqlClient, now: DateTime.Utc) => sql<{ readonly tenant_id: TenantId; readonly id: BatchId }>`
  with recursive tenants as (
    (select b.tenant_id from batches b where b.active order by b.tenant_id limit 1)
    union all
    select (
      select b.tenant_id from batches b where b.active and b.tenant_id > t.tenant_id order by b.tenant_id limit 1
    ) from tenants t where t.tenant_id is not null
  )
  select t.tenant_id, w.id
  from tenants t
  cross join lateral (
    select b.id from batches b
    where b.tenant_id = t.tenant_id and b.active and b.served_at <= ${timestamp(now)} and exists (
      select from batch_chunks c
      where c.tenant_id = b.tenant_id and c.batch_id = b.id and c.due_at is not null and c.due_at <= ${timestamp(now)}
    )
    order by b.served_at limit 1
  ) w
  cross join lateral (
    select b.served_at from batches b
    where b.tenant_id = t.tenant_id and b.active and b.served_at <= ${timestamp(now)}
    order by b.served_at desc limit 1
  ) s
  where t.tenant_id is not null
  order by s.served_at limit ${candidates}`

interface ChunkRow {
  readonly number: number
  /** The store trusts its own table and does not decode each row with a schema. */
  readonly rows: ReadonlyArray<BatchRow>
  readonly mark: number
  readonly claims: number
  readonly tried_since: Date
}

type Options = Parameters<BatchStore["Service"]["claim"]>[0]

const take = Effect.fnUntraced(function* (
  sql: SqlClient,
  tenantId: TenantId,
  id: BatchId,
  { lease, now, worker }: Options
): Effect.fn.Return<ChunkClaim | undefined, SqlError> {
  const record = yield* Rows.lock(sql, tenantId, id)
  if (record === undefined || !Record.isActive(record)) return undefined
  const [chunk] = yield* sql<ChunkRow>`
    with picked as (
      select c.number from batch_chunks c
      where c.tenant_id = ${tenantId} and c.batch_id = ${id} and c.due_at is not null and c.due_at <= ${timestamp(now)}
      order by c.due_at, c.number limit 1
    )
    update batch_chunks c
    set claims = c.claims + 1, due_at = ${timestamp(DateTime.addDuration(now, lease))}, worker = ${worker},
      uncertain = true, tried_since = coalesce(c.tried_since, ${timestamp(now)})
    where c.tenant_id = ${tenantId} and c.batch_id = ${id} and c.number = (select number from picked)
    returning c.number, c.rows, c.mark, c.claims, c.tried_since`
  if (chunk === undefined) return undefined
  yield* sql`update batches set served_at = ${timestamp(now)} where tenant_id = ${tenantId} and id = ${id}`
  return {
    tenantId,
    batchId: id,
    number: chunk.number,
    claim: chunk.claims,
    batch: Record.toBatch(record),
    rows: chunk.rows.slice(chunk.mark),
    triedSince: DateTime.fromDateUnsafe(chunk.tried_since)
  }
})

/** As `BatchStore.claim`. */
export const claim = Effect.fnUntraced(function* (
  sql: SqlClient,
  options: Options
): Effect.fn.Return<ChunkClaim | undefined, SqlError> {
  for (const { id, tenant_id } of yield* turns(sql, options.now)) {
    const claimed = yield* sql.withTransaction(take(sql, tenant_id, id, options))
    if (claimed !== undefined) return claimed
  }
  return undefined
})

/** As `BatchStore.report`; to be run in a transaction. */
export const report = Effect.fnUntraced(function* (
  sql: SqlClient,
  { batchId, claim, number, tenantId }: ChunkRef,
  done: RowsReport,
  until: DateTime.Utc,
  now: DateTime.Utc
): Effect.fn.Return<Reported, SqlError> {
  const record = yield* Rows.lock(sql, tenantId, batchId)
  const [chunk] = yield* sql<{ readonly done: boolean }>`
    update batch_chunks c
    set mark = c.mark + ${done.rows}::integer,
      rows = case when c.mark + ${done.rows}::integer = c.row_count then null else c.rows end,
      due_at = case when c.mark + ${done.rows}::integer = c.row_count then null else ${timestamp(until)}::timestamptz end,
      uncertain = c.mark + ${done.rows}::integer < c.row_count
    where c.tenant_id = ${tenantId} and c.batch_id = ${batchId} and c.number = ${number} and c.claims = ${claim}
      and c.due_at is not null
    returning c.due_at is null as done`
  if (record === undefined || chunk === undefined) return { _tag: "Lost" }
  const after = Record.reported(record, done, chunk.done, now)
  yield* Rows.saveErrors(sql, record, done.errors)
  yield* Rows.save(sql, after)
  return { _tag: "Reported", batch: Record.toBatch(after), done: chunk.done }
})

/** As `BatchStore.release`. */
export const release = (
  sql: SqlClient,
  { batchId, claim, number, tenantId }: ChunkRef,
  { certain, due }: { readonly due: DateTime.Utc; readonly certain: boolean }
) => sql`
  update batch_chunks c set due_at = ${timestamp(due)}, uncertain = ${!certain}
  where c.tenant_id = ${tenantId} and c.batch_id = ${batchId} and c.number = ${number} and c.claims = ${claim}
    and c.due_at is not null`

/** Throws away what nobody has begun of a batch that is locked. */
export const closeUntouched = Effect.fnUntraced(function* (
  sql: SqlClient,
  tenantId: TenantId,
  id: BatchId
): Effect.fn.Return<{ readonly chunks: number; readonly rows: number }, SqlError> {
  const closed = yield* sql<{ readonly rows: number }>`
    update batch_chunks c set rows = null, due_at = null
    where c.tenant_id = ${tenantId} and c.batch_id = ${id} and c.due_at is not null and not c.uncertain
    returning c.row_count - c.mark as rows`
  return { chunks: closed.length, rows: closed.reduce((sum, { rows }) => sum + rows, 0) }
})

/** Blanks the rows of a user in one chunk, whose worker loses it: what he has claimed still names the user. */
const eraseFromChunk = Effect.fnUntraced(function* (
  sql: SqlClient,
  { tenantId, userId }: MailboxKey,
  id: BatchId,
  number: number
): Effect.fn.Return<number, SqlError> {
  yield* Rows.lock(sql, tenantId, id)
  const [his] = yield* sql<{ readonly rows: bigint }>`
    select count(*) as rows from batch_chunks c cross join jsonb_array_elements(c.rows) e
    where c.tenant_id = ${tenantId} and c.batch_id = ${id} and c.number = ${number} and c.due_at is not null
      and e ->> 'userId' = ${userId}`
  const rows = Number(his?.rows ?? 0n)
  if (rows === 0) return 0
  yield* sql`
    update batch_chunks c
    set claims = c.claims + 1, rows = (
      select jsonb_agg(
        case when e.content ->> 'userId' = ${userId}
          then jsonb_build_object('row', e.content -> 'row', 'userId', '', 'isErased', true) else e.content end
        order by e.place
      ) from jsonb_array_elements(c.rows) with ordinality as e(content, place)
    )
    where c.tenant_id = ${tenantId} and c.batch_id = ${id} and c.number = ${number}`
  return rows
})

/** Blanks all rows of a user that are not reported yet; they keep their places, since a mark counts them. Answers how many. */
export const eraseRows = Effect.fnUntraced(function* (
  sql: SqlClient,
  key: MailboxKey
): Effect.fn.Return<number, SqlError> {
  const chunks = yield* sql<{ readonly batch_id: BatchId; readonly number: number }>`
    select c.batch_id, c.number from batch_chunks c
    where c.tenant_id = ${key.tenantId} and c.due_at is not null and c.rows @> ${JSON.stringify([{ userId: key.userId }])}::jsonb`
  const counts = yield* Effect.forEach(chunks, ({ batch_id, number }) =>
    sql.withTransaction(eraseFromChunk(sql, key, batch_id, number))
  )
  return counts.reduce((sum, count) => sum + count, 0)
})
