/**
 * One message to the users of a CSV file (R4).
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiError, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { BatchContent, batchContentNames, BatchId, BatchState } from "../Batch.ts"
import { bulkLimits, ColumnName, ColumnTarget, Delimiter, UnknownColumns } from "../BulkUpload.ts"
import { Urgency } from "../DeliveryOptions.ts"
import { Timestamp } from "../events/Timestamp.ts"
import { limits, PushPolicy } from "../Notification.ts"
import { RequiredScope } from "../Policy.ts"
import { Conflict, Forbidden, NotFound, Unavailable, Unprocessable } from "../Problem.ts"
import { identifierOf, nonEmptyTextOf, textOf } from "../Text.ts"
import { Authorization } from "./Authorization.ts"
import { dataOf } from "./Paging.ts"
import { StreamedBody } from "./StreamedBody.ts"

/** Where files are sent to; its bodies may be larger than others. */
export const uploadPath = "/api/v1/services/notifications/bulk/csv"

/** Bytes of the JSON that says what is sent. */
export const maxRequestBytes = 65_536

const Sha256 = Schema.String.check(
  Schema.isPattern(/^[0-9a-f]{64}$/, { expected: "64 hexadecimal digits in lower case" })
)

const rules = {
  /** For people. */
  name: Schema.optionalKey(nonEmptyTextOf(200)),
  /** Nothing is sent before. */
  sendAt: Schema.optionalKey(Timestamp),
  unknownColumns: Schema.optionalKey(UnknownColumns),
  delimiter: Schema.optionalKey(Delimiter),
  /** Of the bytes of the file: another file is refused, and the same one is not sent twice. */
  sha256: Schema.optionalKey(Sha256)
}

/** What is sent and how the file is read. */
export const BulkRequest = Schema.Struct({
  ...BatchContent.fields,
  ...rules,
  columns: Schema.optionalKey(Schema.Record(ColumnName, ColumnTarget).check(Schema.isMaxProperties(bulkLimits.columns)))
}).pipe(Schema.encodeKeys({ ...batchContentNames, sendAt: "send_at", unknownColumns: "unknown_columns" }))
export type BulkRequest = typeof BulkRequest.Type

/** The same for a body that is nothing but the file, as far as a query can hold it. */
export const BulkQuery = Schema.Struct({
  ...rules,
  notificationType: Schema.optionalKey(BatchContent.fields.notificationType),
  templateCode: BatchContent.fields.templateCode,
  title: Schema.optionalKey(nonEmptyTextOf(limits.title)),
  message: Schema.optionalKey(textOf(limits.message)),
  priority: Schema.optionalKey(Schema.NumberFromString.pipe(Schema.decodeTo(Urgency))),
  category: BatchContent.fields.category,
  language: Schema.optionalKey(identifierOf(35)),
  push: Schema.optionalKey(PushPolicy)
}).pipe(
  Schema.encodeKeys({
    notificationType: "notification_type",
    templateCode: "template_code",
    sendAt: "send_at",
    unknownColumns: "unknown_columns"
  })
)
export type BulkQuery = typeof BulkQuery.Type

export const UploadView = Schema.Struct({
  batchId: BatchId,
  state: BatchState,
  /** Rows of the file, without its header and empty lines. */
  rows: Schema.Int,
  valid: Schema.Int,
  invalid: Schema.Int,
  /** Of the invalid ones, how many can be downloaded. */
  keptErrors: Schema.Int,
  /** The same upload came before: this is its batch, and nothing was added. */
  duplicate: Schema.Boolean,
  /** Of the file; null where nothing of it was read. */
  sha256: Schema.NullOr(Schema.String)
}).pipe(Schema.encodeKeys({ batchId: "batch_id", keptErrors: "kept_errors" }))
export type UploadView = typeof UploadView.Type

export class UnsupportedMediaType extends HttpApiError.Problem<UnsupportedMediaType>()("UnsupportedMediaType", {
  type: "urn:beckon:problem:unsupported-media-type",
  status: 415,
  title: "The body is of a kind that this does not take."
}) {}

/** The file as text, line by line with the errors. */
const ErrorFile = Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/csv" }))

const Form = Schema.Struct({
  request: Schema.fromJsonString(BulkRequest),
  file: Schema.String.annotate({ contentEncoding: "binary" })
})

export class BulkApi extends HttpApiGroup.make("bulk")
  .add(
    HttpApiEndpoint.post("upload", uploadPath, {
      headers: { "idempotency-key": Schema.optionalKey(nonEmptyTextOf(257)) },
      query: BulkQuery,
      payload: [
        Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/csv" })),
        Form.pipe(HttpApiSchema.asMultipartStream())
      ],
      success: dataOf(UploadView).pipe(HttpApiSchema.status(202)),
      error: [Conflict, Forbidden, Unavailable, Unprocessable, UnsupportedMediaType]
    })
      .annotate(RequiredScope, "batches:write")
      .annotate(StreamedBody, ["text/csv", "multipart/form-data"])
      .annotateMerge(
        OpenApi.annotations({
          summary: "Send to the users of a CSV file",
          description:
            "Either multipart/form-data with the part request (JSON) before the part file, or text/csv with what is sent in the query. UTF-8, RFC 4180, the first row names the columns; user_id is needed. {{name}} in title and message is the variable of that name. Rows are checked while they come; sending begins when the file is whole, and a file that breaks off sends nothing. The same Idempotency-Key, or else the same sha256, makes one batch; with a key the sha256 of the file is needed (in the request, the query, or for text/csv as Content-Digest). Progress: GET /api/v1/services/batches/{id}, and the topic batch:{id}."
        })
      ),
    HttpApiEndpoint.get("errors", "/api/v1/services/batches/:id/errors.csv", {
      params: { id: BatchId },
      success: ErrorFile,
      error: [Forbidden, NotFound, Unavailable]
    })
      .annotate(RequiredScope, "batches:read")
      .annotateMerge(
        OpenApi.annotations({
          summary: "The rows that were refused, as a CSV file",
          description:
            "Row, user, field, what is wrong, and the row as it came. The first 100,000 of a batch are kept; its counts have them all. A field that a spreadsheet would take for a formula has an apostrophe before it."
        })
      )
  )
  .middleware(Authorization)
  .annotateMerge(OpenApi.annotations({ title: "Bulk" })) {}
