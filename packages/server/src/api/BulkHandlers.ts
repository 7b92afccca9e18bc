/**
 * `POST /api/v1/services/notifications/bulk/csv` and the files of refused rows.
 */
import { Effect, Option } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import type { UploadView } from "@beckon/domain/api/BulkApi"
import type { Batch } from "@beckon/domain/Batch"
import { CallOrigin } from "@beckon/domain/CallOrigin"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { BatchStore } from "@beckon/domain/ports/BatchStore"
import { NotFound } from "@beckon/domain/Problem"
import { Audit } from "../audit/Audit.ts"
import * as BatchAudit from "../batches/BatchAudit.ts"
import { BulkUploads } from "../bulk/BulkUploads.ts"
import * as ErrorFile from "../bulk/ErrorFile.ts"
import * as UploadBody from "../bulk/UploadBody.ts"
import { keyOf } from "../bulk/UploadKey.ts"
import { storeToProblem } from "../inbox/Inbox.ts"

const viewOf = ({ counts, id, keptErrors, state }: Batch, sha256: string | null): UploadView => ({
  batchId: id,
  state,
  rows: counts.total,
  valid: counts.total - counts.invalid,
  invalid: counts.invalid,
  keptErrors,
  duplicate: sha256 === null,
  sha256
})

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "bulk",
  Effect.fn(function* (handlers) {
    const uploads = yield* BulkUploads
    const store = yield* BatchStore
    const audit = yield* Audit
    return handlers
      .handleRaw("upload", ({ headers, query, request }) =>
        Effect.gen(function* () {
          const { tenantId, userId } = yield* CurrentIdentity
          const { correlationId } = yield* CallOrigin
          const { batch, sha256 } = yield* UploadBody.read(request, query, (asked, fileName) =>
            Effect.flatMap(keyOf(userId, headers["idempotency-key"], asked), (key) =>
              uploads.begin({ tenantId, createdBy: userId, correlationId, request: asked, fileName, key })
            )
          )
          yield* audit.record(BatchAudit.created(batch))
          return { data: viewOf(batch, sha256) }
        }).pipe(
          Effect.scoped,
          Effect.catchTag("UploadKnown", ({ batch }) => Effect.succeed({ data: viewOf(batch, null) }))
        )
      )
      .handle("errors", ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const found = yield* Effect.catch(store.get(tenantId, params.id), storeToProblem)
          if (Option.isNone(found)) return yield* new NotFound({ detail: "id: no batch of your tenant has this id" })
          return HttpServerResponse.stream(ErrorFile.make(store, found.value), {
            contentType: "text/csv; charset=utf-8",
            headers: {
              "content-disposition": `attachment; filename="errors-${params.id.replaceAll(/[^\w-]/g, "_")}.csv"`
            }
          })
        })
      )
  })
)
