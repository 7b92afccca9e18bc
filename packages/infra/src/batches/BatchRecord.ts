/**
 * What a store keeps of a batch, and how it changes: pure rules that every store carries out under the lock of the batch.
 */
import { isFinished, maxErrors } from "@beckon/domain/Batch"
import type { Batch, BatchCounts } from "@beckon/domain/Batch"
import type { BatchChange, NewBatch, NewChunk, RowsReport } from "@beckon/domain/ports/BatchStore"
import type { DateTime } from "effect"

export interface BatchRecord extends Batch {
  readonly requestId: string | null
  readonly digest: string
  readonly closedChunks: number
  readonly highestChunk: number
  /** When a chunk of it was lent last. */
  readonly servedAt: DateTime.Utc
  /** Null when it waits for nothing from outside. */
  readonly expiresAt: DateTime.Utc | null
}

const noRows: BatchCounts = {
  total: 0,
  pending: 0,
  accepted: 0,
  duplicates: 0,
  failed: 0,
  invalid: 0,
  cancelled: 0
}

/** Workers may find something in it. */
export const isActive = ({ chunks, closedChunks, state }: BatchRecord): boolean =>
  state === "running" || (state === "cancelled" && closedChunks < chunks)

export const opened = (batch: NewBatch, now: DateTime.Utc): BatchRecord => ({
  ...batch,
  counts: noRows,
  keptErrors: 0,
  chunks: 0,
  lastChunk: null,
  reason: null,
  createdAt: now,
  updatedAt: now,
  finishedAt: null,
  closedChunks: 0,
  highestChunk: 0,
  servedAt: batch.sendAt ?? now
})

const isFull = ({ chunks, lastChunk }: BatchRecord): boolean => lastChunk !== null && chunks >= lastChunk

/** Done when everything has come and is worked at; a batch that has everything waits for nobody. */
const settled = (record: BatchRecord, now: DateTime.Utc): BatchRecord => {
  const full = isFull(record) && record.state !== "open"
  const expiresAt = full || isFinished(record) ? null : record.expiresAt
  const isDone = full && record.closedChunks >= record.chunks && !isFinished(record)
  return isDone
    ? { ...record, state: "completed", finishedAt: now, updatedAt: now, expiresAt }
    : { ...record, updatedAt: now, expiresAt }
}

/** What is said to a chunk; `knownDigest` is that of the chunk that has its number. */
export const verdictOf = (
  record: BatchRecord,
  chunk: NewChunk,
  knownDigest: string | undefined
): "Add" | "Known" | "Differs" | "Closed" | "NotLast" => {
  if (knownDigest !== undefined && knownDigest !== chunk.digest) return "Differs"
  const isOtherLast = record.lastChunk === null ? record.highestChunk > chunk.number : record.lastChunk !== chunk.number
  if (knownDigest !== undefined) return chunk.final && isOtherLast ? "NotLast" : "Known"
  if (isFinished(record) || (record.lastChunk !== null && chunk.number > record.lastChunk)) return "Closed"
  return chunk.final && isOtherLast ? "NotLast" : "Add"
}

/** How many more errors are kept. */
export const roomForErrors = (record: BatchRecord): number => Math.max(0, maxErrors - record.keptErrors)

/** `isNew`: false for one that came before and says only now that it is the last. */
export const withChunk = (record: BatchRecord, chunk: NewChunk, isNew: boolean, now: DateTime.Utc): BatchRecord => {
  const { counts } = record
  const rows = isNew ? chunk.rows.length : 0
  const invalid = isNew ? chunk.errors.length : 0
  return settled(
    {
      ...record,
      chunks: record.chunks + (isNew ? 1 : 0),
      closedChunks: record.closedChunks + (isNew && rows === 0 ? 1 : 0),
      highestChunk: Math.max(record.highestChunk, chunk.number),
      lastChunk: chunk.final ? chunk.number : record.lastChunk,
      expiresAt: chunk.expiresAt,
      keptErrors: record.keptErrors + Math.min(roomForErrors(record), invalid),
      counts: {
        ...counts,
        total: counts.total + rows + invalid,
        pending: counts.pending + rows,
        invalid: counts.invalid + invalid
      }
    },
    now
  )
}

export const sealed = (record: BatchRecord, chunks: number, now: DateTime.Utc): BatchRecord =>
  settled({ ...record, state: "running", lastChunk: chunks }, now)

const withoutPending = (counts: BatchCounts, rows: number): BatchCounts => ({
  ...counts,
  pending: counts.pending - rows,
  cancelled: counts.cancelled + rows
})

export const abandoned = (record: BatchRecord, reason: string, now: DateTime.Utc): BatchRecord => ({
  ...record,
  state: "failed",
  reason,
  counts: withoutPending(record.counts, record.counts.pending),
  closedChunks: record.chunks,
  finishedAt: now,
  updatedAt: now,
  expiresAt: null
})

/** One that waits for more chunks has all there will be. */
export const expired = (record: BatchRecord, now: DateTime.Utc): BatchRecord =>
  settled({ ...record, lastChunk: record.chunks }, now)

/** Whether a change does something to a batch, does nothing, or is not allowed. */
export const changeOf = ({ state }: Batch, change: BatchChange): "Changed" | "Unchanged" | "Refused" => {
  switch (change) {
    case "pause":
      return state === "running" ? "Changed" : state === "paused" ? "Unchanged" : "Refused"
    case "resume":
      return state === "paused" ? "Changed" : state === "running" ? "Unchanged" : "Refused"
    case "cancel":
      return state === "cancelled" ? "Unchanged" : state === "completed" || state === "failed" ? "Refused" : "Changed"
  }
}

export const paused = (record: BatchRecord, now: DateTime.Utc): BatchRecord => ({
  ...record,
  state: "paused",
  updatedAt: now
})

export const resumed = (record: BatchRecord, now: DateTime.Utc): BatchRecord =>
  settled({ ...record, state: "running" }, now)

/** `closed`: chunks that are thrown away with so many `rows`. */
export const cancelled = (
  record: BatchRecord,
  closed: { readonly chunks: number; readonly rows: number },
  now: DateTime.Utc
): BatchRecord => ({
  ...record,
  state: "cancelled",
  counts: withoutPending(record.counts, closed.rows),
  closedChunks: record.closedChunks + closed.chunks,
  finishedAt: now,
  updatedAt: now,
  expiresAt: null
})

/** `done`: the chunk has no more rows. */
export const reported = (record: BatchRecord, report: RowsReport, done: boolean, now: DateTime.Utc): BatchRecord => {
  const { counts } = record
  const failed = report.errors.length
  return settled(
    {
      ...record,
      closedChunks: record.closedChunks + (done ? 1 : 0),
      keptErrors: record.keptErrors + Math.min(roomForErrors(record), failed),
      counts: {
        ...counts,
        pending: counts.pending - report.rows,
        accepted: counts.accepted + report.accepted,
        duplicates: counts.duplicates + report.duplicates,
        failed: counts.failed + failed,
        cancelled: counts.cancelled + report.cancelled
      }
    },
    now
  )
}

export const toBatch = ({
  closedChunks: _closed,
  digest: _digest,
  expiresAt: _expires,
  highestChunk: _highest,
  requestId: _request,
  servedAt: _served,
  ...batch
}: BatchRecord): Batch => batch
