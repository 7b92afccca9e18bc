/**
 * Batches: one message to many, in one call or in chunks, and how far it is (R4).
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { BatchId, BatchKind, BatchState } from "../Batch.ts"
import { RequiredScope } from "../Policy.ts"
import { Conflict, Forbidden, NotFound, TooManyRequests, Unavailable, Unprocessable } from "../Problem.ts"
import { Authorization } from "./Authorization.ts"
import {
  BatchCancelled,
  BatchStatus,
  BatchView,
  RowErrorView,
  SendBatchRequest,
  SendChunkRequest,
  TakenView
} from "./BatchRequest.ts"
import { dataOf, pageOf, pageQuery } from "./Paging.ts"

const taken = dataOf(TakenView).pipe(HttpApiSchema.status(202))

export class BatchApi extends HttpApiGroup.make("batches")
  .add(
    HttpApiEndpoint.post("sendBatch", "/notifications/send-batch", {
      payload: SendBatchRequest,
      success: taken,
      error: [Conflict, Forbidden, TooManyRequests, Unavailable, Unprocessable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Send to up to 1,000 recipients",
        description:
          "content is what all get; a recipient may have variables, and any field of content, of his own: up to 1,000 different notifications. {{name}} in title and message is filled with the variable of that name. Answers when the rows are saved; they are sent in the background. With the same request_id, or the same Idempotency-Key, it is sent once."
      })
    ),
    HttpApiEndpoint.post("sendChunk", "/notifications/send-chunk", {
      payload: SendChunkRequest,
      success: taken,
      error: [Conflict, Forbidden, NotFound, TooManyRequests, Unavailable, Unprocessable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Send to many, in chunks of up to 1,000 recipients",
        description:
          "A call with content and without batch_id opens a batch; the others name it. Chunks are numbered from 1, may come in any order, and are sent as they come; final says that none has a higher number. A number that comes again with the same recipients changes nothing; with others it is refused with 409. A batch that gets no chunk for 24 hours has them all."
      })
    ),
    HttpApiEndpoint.get("list", "/batches", {
      query: {
        ...pageQuery,
        kind: Schema.optionalKey(BatchKind),
        state: Schema.optionalKey(BatchState)
      },
      success: pageOf(BatchView),
      error: [Forbidden, Unavailable, Unprocessable]
    }).annotateMerge(OpenApi.annotations({ summary: "List batches, newest first" })),
    HttpApiEndpoint.get("get", "/batches/:id", {
      params: { id: BatchId },
      success: dataOf(BatchStatus),
      error: [Forbidden, NotFound, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "How far a batch is, and what became of it",
        description:
          "counts are its rows: pending + accepted + duplicates + failed + invalid + cancelled = total. outcomes are its notifications that are read and unread, and its deliveries by channel and state; of batches above 10,000 rows up to five seconds old. The topic batch:{id} tells the counts live."
      })
    ),
    HttpApiEndpoint.get("errors", "/batches/:id/errors", {
      params: { id: BatchId },
      query: pageQuery,
      success: pageOf(RowErrorView),
      error: [Forbidden, NotFound, Unavailable, Unprocessable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Why rows of a batch were refused, by row",
        description:
          "The first 100,000 are kept. The row is the place in the batch: (chunk_number - 1) × 1,000 + the place in its chunk, from 1; of a file, its row."
      })
    ),
    HttpApiEndpoint.post("cancel", "/batches/:id/cancel", {
      params: { id: BatchId },
      success: dataOf(BatchCancelled),
      error: [Conflict, Forbidden, NotFound, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Send nothing more of a batch",
        description:
          "Rows that are not sent never will be, and deliveries that have not gone out are cancelled. What is in an inbox stays there. Safe to repeat."
      })
    ),
    HttpApiEndpoint.post("pause", "/batches/:id/pause", {
      params: { id: BatchId },
      success: dataOf(BatchView),
      error: [Conflict, Forbidden, NotFound, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Hold a batch",
        description: "At most the slice of 250 rows that each node is just sending still goes out."
      })
    ),
    HttpApiEndpoint.post("resume", "/batches/:id/resume", {
      params: { id: BatchId },
      success: dataOf(BatchView),
      error: [Conflict, Forbidden, NotFound, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "Go on with a batch that is held" }))
  )
  .annotate(RequiredScope, { read: "batches:read", write: "batches:write" })
  .middleware(Authorization)
  .prefix("/api/v1/services")
  .annotateMerge(OpenApi.annotations({ title: "Batches" })) {}
