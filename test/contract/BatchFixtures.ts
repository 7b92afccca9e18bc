/**
 * Batches for the contracts. Workers serve all tenants: each test leaves nothing due (`drain`).
 */
import { BatchId } from "@beckon/domain/Batch"
import type { BatchRow, RowError } from "@beckon/domain/Batch"
import type { TenantId } from "@beckon/domain/Identifiers"
import { BatchStore } from "@beckon/domain/ports/BatchStore"
import type { ChunkClaim, NewBatch, NewChunk, RowsReport } from "@beckon/domain/ports/BatchStore"
import { DateTime, Duration, Effect, Option } from "effect"
import { hoursAfterNoon, noon, user } from "./Fixtures.ts"

export const minute = Duration.minutes(1)
export const secondsAfterNoon = (seconds: number): DateTime.Utc => DateTime.add(noon, { seconds })

let ids = 0

export const newBatch = (tenantId: TenantId, other: Partial<NewBatch> = {}): NewBatch => ({
  id: BatchId.make(`batch-${String(++ids).padStart(6, "0")}`),
  tenantId,
  kind: "chunks",
  state: "running",
  name: null,
  content: { notificationType: "sale", title: "Sale" },
  sendAt: null,
  details: null,
  requestId: null,
  digest: "opening",
  createdBy: "shop",
  correlationId: null,
  expiresAt: hoursAfterNoon(24),
  ...other
})

export const rowsFrom = (first: number, count: number): ReadonlyArray<BatchRow> =>
  Array.from({ length: count }, (_, index) => ({
    row: first + index,
    userId: user(`user-${first + index}`),
    variables: { name: 'Zoë "Z" 👋', number: first + index }
  }))

export const errorOf = (row: number, other: Partial<RowError> = {}): RowError => ({
  row,
  userId: `user-${row}`,
  field: "variables.name",
  message: "is needed – ø",
  raw: null,
  ...other
})

export const chunkOf = (number: number, count: number, other: Partial<NewChunk> = {}): NewChunk => ({
  number,
  digest: `digest-${number}`,
  rows: rowsFrom((number - 1) * 1_000 + 1, count),
  errors: [],
  final: false,
  expiresAt: hoursAfterNoon(24),
  ...other
})

/** A batch with chunks of these sizes, the last of which is final. */
export const filled = Effect.fnUntraced(function* (
  tenantId: TenantId,
  sizes: ReadonlyArray<number>,
  other: Partial<NewBatch> = {}
) {
  const store = yield* BatchStore
  const { batch } = yield* store.open(newBatch(tenantId, other), noon)
  for (const [index, size] of sizes.entries()) {
    yield* store.addChunk(tenantId, batch.id, chunkOf(index + 1, size, { final: index + 1 === sizes.length }), noon)
  }
  return batch.id
})

export const claimAt = (now: DateTime.Utc) =>
  Effect.flatMap(BatchStore, (store) => store.claim({ now, lease: minute, worker: "worker" }))

/** A chunk that must be there. */
export const takeAt = (now: DateTime.Utc) => Effect.flatMap(claimAt(now), (claim) => Effect.fromOption(claim))

export const reportOf = (rows: number, other: Partial<RowsReport> = {}): RowsReport => ({
  rows,
  accepted: rows,
  duplicates: 0,
  cancelled: 0,
  errors: [],
  ...other
})

export const report = (claim: ChunkClaim, done: RowsReport, now = noon) =>
  Effect.flatMap(BatchStore, (store) => store.report(claim, done, DateTime.addDuration(now, minute), now))

export const batchOf = (tenantId: TenantId, id: BatchId) =>
  Effect.flatMap(BatchStore, (store) => Effect.flatMap(store.get(tenantId, id), Effect.fromOption))

const never = DateTime.add(noon, { days: 3_000 })

/** Nothing is left to be claimed. */
export const drain = Effect.gen(function* () {
  const store = yield* BatchStore
  for (;;) {
    const claim = yield* store.claim({ now: never, lease: minute, worker: "drain" })
    if (Option.isNone(claim)) return store
    const rows = claim.value.rows.length
    yield* store.report(claim.value, reportOf(rows), never, never)
  }
})
