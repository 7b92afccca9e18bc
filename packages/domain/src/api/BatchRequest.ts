/**
 * What services ask to send to many, and what they are told of it: snake_case.
 */
import { Schema } from "effect"
import {
  Batch,
  BatchContent,
  batchContentNames,
  BatchCounts,
  BatchId,
  BatchKind,
  BatchState,
  maxChunks,
  maxRows,
  Recipient,
  RowError
} from "../Batch.ts"
import { DeliveryState } from "../Delivery.ts"
import { Timestamp } from "../events/Timestamp.ts"
import { nonEmptyTextOf } from "../Text.ts"
import { RequestId } from "./NotificationRequest.ts"

const ContentView = BatchContent.pipe(Schema.encodeKeys(batchContentNames))

export const RecipientView = Recipient.pipe(
  Schema.encodeKeys({ ...batchContentNames, userId: "user_id", requestId: "request_id" })
)

/** What a batch is, besides its rows. */
const opening = {
  /** What all recipients get. */
  content: ContentView,
  /** For people. */
  name: Schema.optionalKey(nonEmptyTextOf(200)),
  /** Nothing is sent before; at most a year ahead. */
  sendAt: Schema.optionalKey(Timestamp),
  /** The same one makes one batch of the tenant, for as long as the batch is kept. */
  requestId: Schema.optionalKey(RequestId)
}

const openingNames = { sendAt: "send_at", requestId: "request_id" } as const

export const Opening = Schema.Struct(opening).pipe(Schema.encodeKeys(openingNames))
export type Opening = typeof Opening.Type

export const Recipients = Schema.Array(RecipientView).check(Schema.isMaxLength(maxRows))

export const SendBatchRequest = Schema.Struct({
  ...opening,
  recipients: Recipients.check(Schema.isMinLength(1))
}).pipe(Schema.encodeKeys(openingNames))
export type SendBatchRequest = typeof SendBatchRequest.Type

/** `batch_id` goes on with a batch; without it `content` opens one. */
export const SendChunkRequest = Schema.Struct({
  ...opening,
  content: Schema.optionalKey(ContentView),
  batchId: Schema.optionalKey(BatchId),
  chunkNumber: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: maxChunks })),
  recipients: Recipients,
  /** No chunk has a higher number. Missing ones may still come. */
  final: Schema.optionalKey(Schema.Boolean)
}).pipe(Schema.encodeKeys({ ...openingNames, batchId: "batch_id", chunkNumber: "chunk_number" }))
export type SendChunkRequest = typeof SendChunkRequest.Type

/** The rows of a call are saved. */
export const TakenView = Schema.Struct({
  batchId: BatchId,
  chunkNumber: Schema.Int,
  state: BatchState,
  /** The same call came before, and nothing was added. */
  duplicate: Schema.Boolean,
  /** Of the whole batch. */
  counts: BatchCounts
}).pipe(Schema.encodeKeys({ batchId: "batch_id", chunkNumber: "chunk_number" }))

const view = {
  batchId: BatchId,
  kind: BatchKind,
  state: BatchState,
  name: Batch.fields.name,
  content: ContentView,
  sendAt: Batch.fields.sendAt,
  details: Batch.fields.details,
  counts: BatchCounts,
  keptErrors: Schema.Int,
  chunks: Schema.Int,
  lastChunk: Batch.fields.lastChunk,
  reason: Batch.fields.reason,
  createdBy: Schema.String,
  createdAt: Batch.fields.createdAt,
  updatedAt: Batch.fields.updatedAt,
  finishedAt: Batch.fields.finishedAt
}

const viewNames = {
  batchId: "batch_id",
  sendAt: "send_at",
  keptErrors: "kept_errors",
  lastChunk: "last_chunk",
  createdBy: "created_by",
  createdAt: "created_at",
  updatedAt: "updated_at",
  finishedAt: "finished_at"
} as const

export const BatchView = Schema.Struct(view).pipe(Schema.encodeKeys(viewNames))

const States = Schema.Record(DeliveryState, Schema.optionalKey(Schema.Int))

/** What became of what was accepted: notifications that are still kept, and deliveries by channel and state. */
export const OutcomesView = Schema.Struct({
  notifications: Schema.Struct({ read: Schema.Int, unread: Schema.Int }),
  deliveries: Schema.Struct({
    push: Schema.optionalKey(States),
    email: Schema.optionalKey(States),
    sms: Schema.optionalKey(States),
    whatsapp: Schema.optionalKey(States),
    webhook: Schema.optionalKey(States)
  })
})

export const BatchStatus = Schema.Struct({ ...view, outcomes: OutcomesView }).pipe(Schema.encodeKeys(viewNames))

export const RowErrorView = RowError.pipe(Schema.encodeKeys({ userId: "user_id" }))

/** `deliveries`: those that were planned and had not gone out. */
export const BatchCancelled = Schema.Struct({ ...view, cancelledDeliveries: Schema.Int }).pipe(
  Schema.encodeKeys({ ...viewNames, cancelledDeliveries: "cancelled_deliveries" })
)
