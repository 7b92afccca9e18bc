/**
 * Batches, their chunks and the errors of their rows.
 *
 * **Details**
 *
 * A chunk is lent to one worker at a time. Its claim is a fence: only the last one may report. A report moves the mark in the
 * chunk and the counts of the batch together, so that whoever goes on after a crash starts at the mark.
 */
import { Context } from "effect"
import type { DateTime, Duration, Effect, Option, Schema } from "effect"
import type { Batch, BatchContent, BatchId, BatchKind, BatchRow, BatchState, RowError } from "../Batch.ts"
import type { DeliveryChannel, DeliveryState } from "../Delivery.ts"
import type { TenantId } from "../Identifiers.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

export interface NewBatch {
  readonly id: BatchId
  readonly tenantId: TenantId
  readonly kind: BatchKind
  /** `open` holds everything back until `seal`. */
  readonly state: "open" | "running"
  readonly name: string | null
  readonly content: BatchContent
  readonly sendAt: DateTime.Utc | null
  readonly details: Schema.Json | null
  /** The same one makes one batch of the tenant. */
  readonly requestId: string | null
  /** Of all that the opening request said: tells whether the same one came again. */
  readonly digest: string
  readonly createdBy: string
  readonly correlationId: string | null
  /** Without news by then it is given up, unless it is full. */
  readonly expiresAt: DateTime.Utc
}

export type Opened =
  | { readonly _tag: "Opened"; readonly batch: Batch }
  /** The batch that this `requestId` made before. */
  | { readonly _tag: "Known"; readonly batch: Batch; readonly digest: string }

export interface NewChunk {
  /** From 1. */
  readonly number: number
  /** Of its rows: tells whether the same ones came again. */
  readonly digest: string
  readonly rows: ReadonlyArray<BatchRow>
  /** Rows that were refused at once; they count as `invalid`. */
  readonly errors: ReadonlyArray<RowError>
  /** It has the highest number of all. */
  readonly final: boolean
  readonly expiresAt: DateTime.Utc
}

export type ChunkAdded =
  | { readonly _tag: "Added"; readonly batch: Batch }
  /** A chunk of this number and digest came before. */
  | { readonly _tag: "Known"; readonly batch: Batch }
  /** A chunk of this number came before, with other rows. */
  | { readonly _tag: "Differs" }
  /** The batch takes no chunk of this number: it is finished, or its last chunk has a lower number. */
  | { readonly _tag: "Closed"; readonly batch: Batch }
  /** It is to be the last one, but there is a higher number, or another one was to be the last. */
  | { readonly _tag: "NotLast"; readonly batch: Batch }
  | { readonly _tag: "NotFound" }

export type BatchChange = "pause" | "resume" | "cancel"

export type Changed =
  | { readonly _tag: "Changed"; readonly batch: Batch }
  /** It was so before. */
  | { readonly _tag: "Unchanged"; readonly batch: Batch }
  /** Its state does not allow this. */
  | { readonly _tag: "Refused"; readonly batch: Batch }
  | { readonly _tag: "NotFound" }

/** Which chunk, and whose. */
export interface ChunkRef {
  readonly tenantId: TenantId
  readonly batchId: BatchId
  readonly number: number
  /** The fence: only the latest claim may report. */
  readonly claim: number
}

export interface ChunkClaim extends ChunkRef {
  readonly batch: Batch
  /** Those that are not reported yet. Some may be in their mailboxes, when somebody worked at it before. */
  readonly rows: ReadonlyArray<BatchRow>
  /** When somebody first worked at it; what he sent and did not report was saved since. */
  readonly triedSince: DateTime.Utc
}

export interface RowsReport {
  /** How many of the claimed rows, from the first one that was not reported. */
  readonly rows: number
  readonly accepted: number
  readonly duplicates: number
  readonly cancelled: number
  /** One for each row that failed. */
  readonly errors: ReadonlyArray<RowError>
}

export type Reported =
  /** `done`: it was the last row of the chunk. */
  | { readonly _tag: "Reported"; readonly batch: Batch; readonly done: boolean }
  /** Somebody else has the chunk now; nothing was counted. */
  | { readonly _tag: "Lost" }

/** What became of the notifications of a batch. */
export interface Outcomes {
  readonly notifications: { readonly read: number; readonly unread: number }
  readonly deliveries: ReadonlyArray<{
    readonly channel: DeliveryChannel
    readonly state: DeliveryState
    readonly count: number
  }>
}

export class BatchStore extends Context.Service<
  BatchStore,
  {
    readonly open: (batch: NewBatch, now: DateTime.Utc) => Effect.Effect<Opened, StoreUnavailable>
    /** Saves the chunk with its rows and errors, or nothing. Workers find it at once, unless the batch is `open`. */
    readonly addChunk: (
      tenantId: TenantId,
      id: BatchId,
      chunk: NewChunk,
      now: DateTime.Utc
    ) => Effect.Effect<ChunkAdded, StoreUnavailable>
    /** An `open` batch is whole, with so many chunks: it is sent from now on. */
    readonly seal: (
      tenantId: TenantId,
      id: BatchId,
      chunks: number,
      now: DateTime.Utc
    ) => Effect.Effect<Changed, StoreUnavailable>
    /** An `open` batch will never be whole: it failed, and its rows are thrown away. */
    readonly abandon: (
      tenantId: TenantId,
      id: BatchId,
      reason: string,
      now: DateTime.Utc
    ) => Effect.Effect<Changed, StoreUnavailable>
    /** Gives an `open` batch more time. */
    readonly prolong: (
      tenantId: TenantId,
      id: BatchId,
      expiresAt: DateTime.Utc
    ) => Effect.Effect<void, StoreUnavailable>
    /**
     * Ends what got no news in time: an `open` batch failed; one that waits for more chunks has all there will be. Answers
     * them, `limit` at most.
     */
    readonly expire: (now: DateTime.Utc, limit: number) => Effect.Effect<ReadonlyArray<Batch>, StoreUnavailable>
    readonly get: (tenantId: TenantId, id: BatchId) => Effect.Effect<Option.Option<Batch>, StoreUnavailable>
    /** Newest first. */
    readonly list: (
      tenantId: TenantId,
      query: {
        readonly kind?: BatchKind
        readonly state?: BatchState
        readonly beforeId?: BatchId
        readonly limit: number
      }
    ) => Effect.Effect<ReadonlyArray<Batch>, StoreUnavailable>
    /** By row. */
    readonly errors: (
      tenantId: TenantId,
      id: BatchId,
      query: { readonly afterRow?: number; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<RowError>, StoreUnavailable>
    /** Counted from an index of the batch's own rows. */
    readonly outcomes: (tenantId: TenantId, id: BatchId) => Effect.Effect<Outcomes, StoreUnavailable>
    /** A cancelled batch throws away its rows, but for chunks of which more may be sent than is reported: a worker settles those. */
    readonly change: (
      tenantId: TenantId,
      id: BatchId,
      change: BatchChange,
      now: DateTime.Utc
    ) => Effect.Effect<Changed, StoreUnavailable>
    /**
     * Lends one chunk: of the tenant that waits longest, and of his batch that waits longest. It comes back to others at
     * `now + lease`. The chunk of a cancelled batch is to be settled: nothing more of it may be sent.
     */
    readonly claim: (options: {
      readonly now: DateTime.Utc
      readonly lease: Duration.Duration
      /** The node, for people. */
      readonly worker: string
    }) => Effect.Effect<Option.Option<ChunkClaim>, StoreUnavailable>
    /** Moves the mark and the counts, and prolongs the lease. The answer's batch says whether to go on. */
    readonly report: (
      chunk: ChunkRef,
      report: RowsReport,
      until: DateTime.Utc,
      now: DateTime.Utc
    ) => Effect.Effect<Reported, StoreUnavailable>
    /** Gives a chunk back, due at `due`. `certain`: nothing of it was sent and not reported. */
    readonly release: (
      chunk: ChunkRef,
      options: { readonly due: DateTime.Utc; readonly certain: boolean }
    ) => Effect.Effect<void, StoreUnavailable>
  }
>()("@beckon/domain/ports/BatchStore") {}
