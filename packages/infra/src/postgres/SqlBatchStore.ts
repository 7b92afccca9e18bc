/**
 * Batches in PostgreSQL. What changes a batch reads it under its lock, decides with `BatchRecord`, and writes it back.
 */
import type { RowError } from "@beckon/domain/Batch"
import { cancelKeyOf } from "@beckon/domain/Batch"
import type { BatchId } from "@beckon/domain/Batch"
import type { DeliveryChannel, DeliveryState } from "@beckon/domain/Delivery"
import type { TenantId } from "@beckon/domain/Identifiers"
import { BatchStore } from "@beckon/domain/ports/BatchStore"
import type { Changed, ChunkAdded } from "@beckon/domain/ports/BatchStore"
import { asSystem } from "@beckon/domain/ports/RowAccess"
import { Effect, Layer, Option } from "effect"
import type { DateTime, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Record from "../batches/BatchRecord.ts"
import type { BatchRecord } from "../batches/BatchRecord.ts"
import * as Rows from "./SqlBatchRow.ts"
import * as Work from "./SqlBatchWork.ts"
import { bigint, timestamp } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

interface ErrorRow {
  readonly row_number: bigint
  readonly user_id: string | null
  readonly field: string
  readonly message: string
  readonly raw: Schema.Json | null
}

const toError = (row: ErrorRow): RowError => ({
  row: Number(row.row_number),
  userId: row.user_id,
  field: row.field,
  message: row.message,
  raw: row.raw
})

const make = Effect.gen(function* () {
  const sql = yield* SqlClient

  const insertChunk = (
    tenantId: TenantId,
    id: BatchId,
    chunk: Parameters<BatchStore["Service"]["addChunk"]>[2],
    due: DateTime.Utc
  ) => sql`
    insert into batch_chunks (tenant_id, batch_id, number, digest, rows, row_count, due_at)
    values (
      ${tenantId}, ${id}, ${chunk.number}, ${chunk.digest},
      ${chunk.rows.length === 0 ? null : JSON.stringify(chunk.rows)}::jsonb, ${chunk.rows.length},
      ${chunk.rows.length === 0 ? null : timestamp(due)}
    )`

  const dropChunks = (tenantId: TenantId, id: BatchId) =>
    sql`delete from batch_chunks where tenant_id = ${tenantId} and batch_id = ${id}`

  /** Under the lock: decides, and writes what was decided. */
  const changing = (
    tenantId: TenantId,
    id: BatchId,
    decide: (record: BatchRecord) => Effect.Effect<{ readonly _tag: "Unchanged" | "Refused" } | BatchRecord, SqlError>
  ): Effect.Effect<Changed, SqlError> =>
    sql.withTransaction(
      Effect.gen(function* () {
        const record = yield* Rows.lock(sql, tenantId, id)
        if (record === undefined) return { _tag: "NotFound" } as const
        const decided = yield* decide(record)
        if ("_tag" in decided) return { _tag: decided._tag, batch: Record.toBatch(record) }
        yield* Rows.save(sql, decided)
        return { _tag: "Changed", batch: Record.toBatch(decided) } as const
      })
    )

  const addChunk = Effect.fnUntraced(function* (
    ...[tenantId, id, chunk, now]: Parameters<BatchStore["Service"]["addChunk"]>
  ): Effect.fn.Return<ChunkAdded, SqlError> {
    const record = yield* Rows.lock(sql, tenantId, id)
    if (record === undefined) return { _tag: "NotFound" }
    const [known] = yield* sql<{ readonly digest: string }>`
      select digest from batch_chunks where tenant_id = ${tenantId} and batch_id = ${id} and number = ${chunk.number}`
    const verdict = Record.verdictOf(record, chunk, known?.digest)
    switch (verdict) {
      case "Differs":
        return { _tag: "Differs" }
      case "Closed":
      case "NotLast":
        return { _tag: verdict, batch: Record.toBatch(record) }
      case "Known": {
        if (!chunk.final || record.lastChunk !== null) return { _tag: "Known", batch: Record.toBatch(record) }
        const after = Record.withChunk(record, chunk, false, now)
        yield* Rows.save(sql, after)
        return { _tag: "Known", batch: Record.toBatch(after) }
      }
      case "Add": {
        yield* insertChunk(tenantId, id, chunk, record.sendAt ?? now)
        yield* Rows.saveErrors(sql, record, chunk.errors)
        const after = Record.withChunk(record, chunk, true, now)
        yield* Rows.save(sql, after)
        return { _tag: "Added", batch: Record.toBatch(after) }
      }
    }
  })

  const abandon = (tenantId: TenantId, id: BatchId, reason: string, now: DateTime.Utc) =>
    changing(
      tenantId,
      id,
      Effect.fnUntraced(function* (record) {
        if (record.state !== "open") return { _tag: "Refused" as const }
        yield* dropChunks(tenantId, id)
        return Record.abandoned(record, reason, now)
      })
    )

  return BatchStore.of({
    open: Effect.fn("BatchStore.open")(function* (batch, now) {
      const record = Record.opened(batch, now)
      const [inserted] = yield* Rows.insert(sql, record)
      if (inserted !== undefined) return { _tag: "Opened", batch: Record.toBatch(record) } as const
      const known = (yield* Rows.findByRequest(sql, batch.tenantId, batch.requestId)) ?? record
      return { _tag: "Known", batch: Record.toBatch(known), digest: known.digest } as const
    }, unavailable("BatchStore.open")),

    addChunk: Effect.fn("BatchStore.addChunk")(
      (tenantId, id, chunk, now) => sql.withTransaction(addChunk(tenantId, id, chunk, now)),
      unavailable("BatchStore.addChunk")
    ),

    seal: Effect.fn("BatchStore.seal")(
      (tenantId, id, chunks, now) =>
        changing(tenantId, id, (record) =>
          Effect.succeed(record.state === "open" ? Record.sealed(record, chunks, now) : { _tag: "Refused" })
        ),
      unavailable("BatchStore.seal")
    ),

    abandon: Effect.fn("BatchStore.abandon")(abandon, unavailable("BatchStore.abandon")),

    prolong: (tenantId, id, expiresAt) =>
      unavailable("BatchStore.prolong")(
        Effect.asVoid(sql`
          update batches set expires_at = ${timestamp(expiresAt)}
          where tenant_id = ${tenantId} and id = ${id} and state = 'open'`)
      ),

    expire: Effect.fn("BatchStore.expire")(function* (now, limit) {
      const late = yield* sql<{ readonly tenant_id: TenantId; readonly id: BatchId }>`
        select tenant_id, id from batches where expires_at is not null and expires_at <= ${timestamp(now)}
        order by expires_at limit ${limit}`
      const changes = yield* Effect.forEach(late, ({ id, tenant_id }) =>
        changing(
          tenant_id,
          id,
          Effect.fnUntraced(function* (record) {
            if (record.expiresAt === null || record.expiresAt.epochMilliseconds > now.epochMilliseconds) {
              return { _tag: "Unchanged" as const }
            }
            if (record.state !== "open") return Record.expired(record, now)
            yield* dropChunks(tenant_id, id)
            return Record.abandoned(record, "incomplete", now)
          })
        )
      )
      return changes.flatMap((change) => (change._tag === "Changed" ? [change.batch] : []))
    }, unavailable("BatchStore.expire")),

    get: (tenantId, id) =>
      unavailable("BatchStore.get")(
        Effect.map(Rows.find(sql, tenantId, id), (record) =>
          record === undefined ? Option.none() : Option.some(Record.toBatch(record))
        )
      ),

    list: (tenantId, query) =>
      unavailable("BatchStore.list")(
        Effect.map(Rows.list(sql, tenantId, query), (records) => records.map(Record.toBatch))
      ),

    errors: Effect.fn("BatchStore.errors")(function* (tenantId, id, { afterRow = 0, limit }) {
      const rows = yield* sql<ErrorRow>`
        select row_number, user_id, field, message, raw from batch_errors
        where tenant_id = ${tenantId} and batch_id = ${id} and row_number > ${bigint(afterRow)}
        order by row_number limit ${limit}`
      return rows.map(toError)
    }, unavailable("BatchStore.errors")),

    outcomes: Effect.fn("BatchStore.outcomes")(function* (tenantId, id) {
      const key = cancelKeyOf(id)
      // The condition of the indexes is repeated, so that a plan without the key's value can use them too.
      // As the system: under a tenant's policy `->>`, which is not leakproof, would read all notifications of the tenant.
      const [notifications] = yield* asSystem(sql<{ readonly read: bigint; readonly unread: bigint }>`
        select count(*) filter (where read_at is not null) as read, count(*) filter (where read_at is null) as unread
        from notifications
        where tenant_id = ${tenantId} and options ->> 'cancelKey' = ${key} and options ->> 'cancelKey' like 'batch:%'`)
      const deliveries = yield* sql<{
        readonly channel: DeliveryChannel
        readonly state: DeliveryState
        readonly count: bigint
      }>`
        select channel, state, count(*) as count from (
          select channel, state from deliveries
          where tenant_id = ${tenantId} and cancel_key = ${key} and cancel_key like 'batch:%'
          union all
          select d.channel, d.state from delivery_items i join deliveries d on d.id = i.delivery_id
          where i.tenant_id = ${tenantId} and i.cancel_key = ${key}
        ) d
        group by channel, state order by channel, state`
      return {
        notifications: { read: Number(notifications?.read ?? 0n), unread: Number(notifications?.unread ?? 0n) },
        deliveries: deliveries.map(({ channel, count, state }) => ({ channel, state, count: Number(count) }))
      }
    }, unavailable("BatchStore.outcomes")),

    change: Effect.fn("BatchStore.change")(
      (tenantId, id, change, now) =>
        changing(
          tenantId,
          id,
          Effect.fnUntraced(function* (record) {
            const verdict = Record.changeOf(record, change)
            if (verdict !== "Changed") return { _tag: verdict }
            if (change === "pause") return Record.paused(record, now)
            if (change === "resume") return Record.resumed(record, now)
            return Record.cancelled(record, yield* Work.closeUntouched(sql, tenantId, id), now)
          })
        ),
      unavailable("BatchStore.change")
    ),

    claim: Effect.fn("BatchStore.claim")(
      (options) => Effect.map(Work.claim(sql, options), Option.fromUndefinedOr),
      unavailable("BatchStore.claim")
    ),

    report: Effect.fn("BatchStore.report")(
      (chunk, report, until, now) => sql.withTransaction(Work.report(sql, chunk, report, until, now)),
      unavailable("BatchStore.report")
    ),

    release: (chunk, options) => unavailable("BatchStore.release")(Effect.asVoid(Work.release(sql, chunk, options)))
  })
})

/** Batches in PostgreSQL. */
export const layer: Layer.Layer<BatchStore, never, SqlClient> = Layer.effect(BatchStore, make)
