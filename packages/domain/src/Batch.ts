/**
 * One message to many recipients that is sent in the background, and its chunks of rows.
 *
 * **Details**
 *
 * A batch is filled with chunks of at most 1,000 rows. Each row is one notification with a place in the batch: its id and its
 * dedupe key follow from the batch and the place, so that a chunk that is worked at again after a crash makes nothing twice.
 * A finished chunk loses its rows: counts and errors remain.
 */
import { Schema } from "effect"
import { Content, contentNames, RequestId } from "./api/NotificationRequest.ts"
import { to } from "./api/DeliveryOptionsView.ts"
import { identifierOf, nonEmptyTextOf } from "./Text.ts"
import { TenantId, UserId } from "./Identifiers.ts"

/** A UUIDv7. */
export const BatchId = identifierOf(64).pipe(Schema.brand("BatchId"))
export type BatchId = typeof BatchId.Type

/** Rows of one chunk, at most. */
export const maxRows = 1_000
/** Chunks of one batch, at most: a hundred million rows. */
export const maxChunks = 100_000
/** Refused rows of one batch that are kept with their errors; more are only counted. */
export const maxErrors = 100_000

/** `batch`: one call; `chunks`: several calls; `csv`: a file. */
export const BatchKind = Schema.Literals(["batch", "chunks", "csv"])
export type BatchKind = typeof BatchKind.Type

/**
 * `open`: a file is being taken in, nothing is sent yet. `running`: what is there is sent, and what still comes. `completed`,
 * `cancelled` and `failed` are for good.
 */
export const BatchState = Schema.Literals(["open", "running", "paused", "completed", "cancelled", "failed"])
export type BatchState = typeof BatchState.Type

const { cancelKey: _cancelKey, sendAt: _sendAt, ...shared } = Content.fields

/** What all recipients get, but for what a recipient has of his own. */
export const BatchContent = Schema.Struct(shared)
export type BatchContent = typeof BatchContent.Type

const { cancelKey: _noKey, sendAt: _noTime, ...sharedNames } = contentNames

/** The names of `BatchContent` on the wire. */
export const batchContentNames = sharedNames

const { notificationType, ...others } = shared

/** A user, and what he gets other than the rest. `variables` are added to those of the content, one by one. */
export const Recipient = Schema.Struct({
  ...others,
  notificationType: Schema.optionalKey(notificationType),
  userId: UserId,
  to,
  /** The same one within 24 hours makes one notification of this user, whatever way it comes. */
  requestId: Schema.optionalKey(RequestId)
})
export type Recipient = typeof Recipient.Type

/** A recipient and his place in the batch, from 1. */
export interface BatchRow extends Recipient {
  readonly row: number
  /** Whose it was has been erased: it keeps its place, names nobody, and is not sent. */
  readonly isErased?: true
}

/** A row that was refused, and why. */
export const RowError = Schema.Struct({
  row: Schema.Int,
  userId: Schema.NullOr(Schema.String),
  field: Schema.String,
  message: Schema.String,
  /** The row as it came, where it did not come as JSON; null otherwise. */
  raw: Schema.Json
})
export type RowError = typeof RowError.Type

/** Rows, by what became of them. `total` is the sum of the others. */
export const BatchCounts = Schema.Struct({
  total: Schema.Int,
  /** Not worked at yet. */
  pending: Schema.Int,
  /** In their mailboxes. */
  accepted: Schema.Int,
  /** Their `request_id` had made a notification before. */
  duplicates: Schema.Int,
  /** Taken, but refused when they were to be sent. */
  failed: Schema.Int,
  /** Refused before they were taken. */
  invalid: Schema.Int,
  cancelled: Schema.Int
})
export type BatchCounts = typeof BatchCounts.Type

export const Batch = Schema.Struct({
  id: BatchId,
  tenantId: TenantId,
  kind: BatchKind,
  state: BatchState,
  name: Schema.NullOr(nonEmptyTextOf(200)),
  content: BatchContent,
  /** Nothing is sent before. */
  sendAt: Schema.NullOr(Schema.DateTimeUtcFromString),
  /** What a file says of itself: its name, its mapping. */
  details: Schema.Json,
  counts: BatchCounts,
  /** Errors that are kept: `maxErrors` at most. */
  keptErrors: Schema.Int,
  /** Chunks that came. */
  chunks: Schema.Int,
  /** How many chunks there will be; null while nobody has said. */
  lastChunk: Schema.NullOr(Schema.Int),
  /** Why it failed. */
  reason: Schema.NullOr(Schema.String),
  createdBy: Schema.String,
  correlationId: Schema.NullOr(Schema.String),
  createdAt: Schema.DateTimeUtcFromString,
  updatedAt: Schema.DateTimeUtcFromString,
  finishedAt: Schema.NullOr(Schema.DateTimeUtcFromString)
})
export type Batch = typeof Batch.Type

export const isFinished = ({ state }: Pick<Batch, "state">): boolean =>
  state === "completed" || state === "cancelled" || state === "failed"

/** What cancels the deliveries of a batch, and what they are counted by. */
export const cancelKeyOf = (id: BatchId): string => `batch:${id}`

export const dedupeKeyOf = (id: BatchId, row: number): string => `batch:${id}:${row}`

/** The topic that its progress is told on. */
export const topicOf = (id: BatchId): string => `batch:${id}`
