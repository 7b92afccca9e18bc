/**
 * A batch as the database keeps it: read, locked, written back.
 */
import type { BatchContent, BatchId, BatchKind, BatchState, RowError } from "@beckon/domain/Batch"
import type { TenantId } from "@beckon/domain/Identifiers"
import { DateTime, Effect } from "effect"
import type { Schema } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { isActive, roomForErrors } from "../batches/BatchRecord.ts"
import type { BatchRecord } from "../batches/BatchRecord.ts"
import { bigint, timestamp, toUtcOrNull } from "./SqlValues.ts"

/** The store trusts its own table and does not decode each content with a schema. */
interface Row {
  readonly tenant_id: TenantId
  readonly id: BatchId
  readonly kind: BatchKind
  readonly state: BatchState
  readonly name: string | null
  readonly content: BatchContent
  readonly send_at: Date | null
  readonly details: Schema.Json | null
  readonly request_id: string | null
  readonly digest: string
  readonly total: bigint
  readonly pending: bigint
  readonly accepted: bigint
  readonly duplicates: bigint
  readonly failed: bigint
  readonly invalid: bigint
  readonly cancelled: bigint
  readonly kept_errors: number
  readonly chunks: number
  readonly closed_chunks: number
  readonly highest_chunk: number
  readonly last_chunk: number | null
  readonly reason: string | null
  readonly created_by: string
  readonly correlation_id: string | null
  readonly created_at: Date
  readonly updated_at: Date
  readonly finished_at: Date | null
  readonly served_at: Date
  readonly expires_at: Date | null
}

export const toRecord = (row: Row): BatchRecord => ({
  tenantId: row.tenant_id,
  id: row.id,
  kind: row.kind,
  state: row.state,
  name: row.name,
  content: row.content,
  sendAt: toUtcOrNull(row.send_at),
  details: row.details,
  requestId: row.request_id,
  digest: row.digest,
  counts: {
    total: Number(row.total),
    pending: Number(row.pending),
    accepted: Number(row.accepted),
    duplicates: Number(row.duplicates),
    failed: Number(row.failed),
    invalid: Number(row.invalid),
    cancelled: Number(row.cancelled)
  },
  keptErrors: row.kept_errors,
  chunks: row.chunks,
  closedChunks: row.closed_chunks,
  highestChunk: row.highest_chunk,
  lastChunk: row.last_chunk,
  reason: row.reason,
  createdBy: row.created_by,
  correlationId: row.correlation_id,
  createdAt: DateTime.fromDateUnsafe(row.created_at),
  updatedAt: DateTime.fromDateUnsafe(row.updated_at),
  finishedAt: toUtcOrNull(row.finished_at),
  servedAt: DateTime.fromDateUnsafe(row.served_at),
  expiresAt: toUtcOrNull(row.expires_at)
})

const orNull = (value: DateTime.Utc | null) => (value === null ? null : timestamp(value))

/** Nothing when its `requestId` has made another batch. */
export const insert = (sql: SqlClient, record: BatchRecord) => sql<Row>`
  insert into batches (
    tenant_id, id, kind, state, active, name, content, send_at, details, request_id, digest, created_by, correlation_id,
    created_at, updated_at, served_at, expires_at
  )
  values (
    ${record.tenantId}, ${record.id}, ${record.kind}, ${record.state}, ${isActive(record)}, ${record.name},
    ${JSON.stringify(record.content)}::jsonb, ${orNull(record.sendAt)},
    ${record.details === null ? null : JSON.stringify(record.details)}::jsonb, ${record.requestId}, ${record.digest},
    ${record.createdBy}, ${record.correlationId}, ${timestamp(record.createdAt)}, ${timestamp(record.updatedAt)},
    ${timestamp(record.servedAt)}, ${orNull(record.expiresAt)}
  )
  on conflict (tenant_id, request_id) where request_id is not null do nothing
  returning *`

export const findByRequest = (sql: SqlClient, tenantId: TenantId, requestId: string | null) =>
  Effect.map(sql<Row>`select * from batches where tenant_id = ${tenantId} and request_id = ${requestId}`, ([row]) =>
    row === undefined ? undefined : toRecord(row)
  )

export const find = (sql: SqlClient, tenantId: TenantId, id: BatchId) =>
  Effect.map(sql<Row>`select * from batches where tenant_id = ${tenantId} and id = ${id}`, ([row]) =>
    row === undefined ? undefined : toRecord(row)
  )

/** Everything that changes a batch or its chunks takes this lock first. */
export const lock = (sql: SqlClient, tenantId: TenantId, id: BatchId) =>
  Effect.map(sql<Row>`select * from batches where tenant_id = ${tenantId} and id = ${id} for update`, ([row]) =>
    row === undefined ? undefined : toRecord(row)
  )

export const list = (
  sql: SqlClient,
  tenantId: TenantId,
  query: {
    readonly kind?: BatchKind
    readonly state?: BatchState
    readonly beforeId?: BatchId
    readonly limit: number
  }
) => {
  const { beforeId, kind, limit, state } = query
  const before = beforeId === undefined ? sql.literal("true") : sql`id < ${beforeId}`
  const ofKind = kind === undefined ? sql.literal("true") : sql`kind = ${kind}`
  const inState = state === undefined ? sql.literal("true") : sql`state = ${state}`
  return Effect.map(
    sql<Row>`
      select * from batches where tenant_id = ${tenantId} and ${before} and ${ofKind} and ${inState}
      order by id desc limit ${limit}`,
    (rows) => rows.map(toRecord)
  )
}

/** Writes what can change of a batch that is locked. */
export const save = (sql: SqlClient, record: BatchRecord) => sql`
  update batches set
    state = ${record.state}, active = ${isActive(record)}, total = ${bigint(record.counts.total)},
    pending = ${bigint(record.counts.pending)}, accepted = ${bigint(record.counts.accepted)},
    duplicates = ${bigint(record.counts.duplicates)}, failed = ${bigint(record.counts.failed)},
    invalid = ${bigint(record.counts.invalid)}, cancelled = ${bigint(record.counts.cancelled)},
    kept_errors = ${record.keptErrors}, chunks = ${record.chunks}, closed_chunks = ${record.closedChunks},
    highest_chunk = ${record.highestChunk}, last_chunk = ${record.lastChunk}, reason = ${record.reason},
    updated_at = ${timestamp(record.updatedAt)}, finished_at = ${orNull(record.finishedAt)},
    expires_at = ${orNull(record.expiresAt)}
  where tenant_id = ${record.tenantId} and id = ${record.id}`

/** Keeps errors as far as there is room for them in a batch that is locked. */
export const saveErrors = Effect.fnUntraced(function* (
  sql: SqlClient,
  record: BatchRecord,
  errors: ReadonlyArray<RowError>
): Effect.fn.Return<void, SqlError> {
  const kept = errors.slice(0, roomForErrors(record))
  if (kept.length === 0) return
  yield* sql`
    insert into batch_errors (tenant_id, batch_id, row_number, user_id, field, message, raw)
    select ${record.tenantId}, ${record.id}, e."row", e."userId", e.field, e.message, nullif(e.raw, 'null'::jsonb)
    from jsonb_to_recordset(${JSON.stringify(kept)}::jsonb) as e(
      "row" bigint, "userId" text, field text, message text, raw jsonb
    )
    on conflict (tenant_id, batch_id, row_number) do nothing`
})
