/**
 * The two kinds of bodies that an upload may have, read as they come: a form with the parts `request` and `file`, or nothing but
 * the file.
 */
import { Effect, Schema, Stream } from "effect"
import type { Scope } from "effect"
import { Multipart } from "effect/http"
import type { HttpServerRequest } from "effect/http"
import { BulkRequest, maxRequestBytes, UnsupportedMediaType } from "@beckon/domain/api/BulkApi"
import type { BulkQuery } from "@beckon/domain/api/BulkApi"
import { Unprocessable } from "@beckon/domain/Problem"
import type { Unavailable } from "@beckon/domain/Problem"
import type { Upload, Uploaded, UploadFailure } from "./BulkUploads.ts"
import { contentDigestOf } from "./UploadKey.ts"

export type BodyFailure = UploadFailure | UnsupportedMediaType

export type Begin = (
  request: BulkRequest,
  fileName: string | null
) => Effect.Effect<Upload, Unprocessable | Unavailable, Scope.Scope>

/** A name that nobody knows is a slip, and a file would go out without what it was to say. */
const decodeRequest = Schema.decodeUnknownEffect(Schema.fromJsonString(BulkRequest), { onExcessProperty: "error" })

const cut = new Unprocessable({ detail: "file: the upload broke off before its end; nothing of it is sent" })

const formRules: Readonly<Record<Multipart.MultipartErrorReason["_tag"], string>> = {
  FileTooLarge: "form: the file is too large",
  FieldTooLarge: `form: request has more than ${maxRequestBytes} bytes`,
  BodyTooLarge: "form: it is too large",
  TooManyParts: "form: it has two parts, request and file",
  InternalError: "form: the upload broke off before its end; nothing of it is sent",
  Parse: "form: not multipart/form-data, or it ends before its last boundary; nothing of it is sent"
}

const formProblem = ({ reason }: Multipart.MultipartError) => new Unprocessable({ detail: formRules[reason._tag] })

const formLimits = Multipart.limitsServices({ maxParts: 2, maxFieldSize: maxRequestBytes })

const requestOf = (text: string) =>
  Effect.mapError(
    decodeRequest(text),
    ({ message }) => new Unprocessable({ detail: `request: ${message.replaceAll(/\s+/g, " ")}` })
  )

const ofForm = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  { sha256 }: BulkQuery,
  begin: Begin
): Effect.fn.Return<Uploaded, UploadFailure, Scope.Scope> {
  let asked: BulkRequest | undefined
  let upload: Upload | undefined

  const take = Effect.fnUntraced(function* (
    part: Multipart.Part
  ): Effect.fn.Return<void, UploadFailure | Multipart.MultipartError, Scope.Scope> {
    if (part._tag === "Field") {
      if (part.key !== "request" || asked !== undefined) {
        return yield* new Unprocessable({ detail: `form: one part request, then one part file; here is "${part.key}"` })
      }
      const said = yield* requestOf(part.value)
      if (sha256 !== undefined && said.sha256 !== undefined && said.sha256 !== sha256) {
        return yield* new Unprocessable({ detail: "sha256: the query and the request say different ones" })
      }
      asked = sha256 === undefined ? said : { ...said, sha256 }
      return
    }
    if (part.key !== "file" || upload !== undefined) {
      return yield* new Unprocessable({ detail: `form: one part request, then one part file; here is "${part.key}"` })
    }
    if (asked === undefined) {
      return yield* new Unprocessable({ detail: "form: the part request is needed, before the part file" })
    }
    const begun = yield* begin(asked, part.name)
    upload = begun
    yield* Stream.runForEach(part.content, begun.feed)
  })

  yield* Stream.runForEach(Stream.provideContext(request.multipartStream, formLimits), take).pipe(
    Effect.catchTag("MultipartError", (error) => Effect.fail(formProblem(error)))
  )
  // Only now the last boundary is seen.
  if (upload === undefined) return yield* new Unprocessable({ detail: "form: the part file is needed" })
  return yield* upload.finish
})

const ofFile = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  { notificationType, ...rest }: BulkQuery,
  begin: Begin
): Effect.fn.Return<Uploaded, UploadFailure, Scope.Scope> {
  if (notificationType === undefined) {
    return yield* new Unprocessable({ detail: "notification_type: needed in the query of a text/csv upload" })
  }
  const sha256 = rest.sha256 ?? contentDigestOf(request.headers["content-digest"])
  const upload = yield* begin({ ...rest, notificationType, ...(sha256 === undefined ? {} : { sha256 }) }, null)
  yield* Stream.runForEach(
    Stream.mapError(request.stream, () => cut),
    upload.feed
  )
  return yield* upload.finish
})

const charsetOf = (contentType: string): string =>
  (/;\s*charset="?([^;"\s]+)/i.exec(contentType)?.[1] ?? "utf-8").toLowerCase()

/** Reads the whole body; what `begin` gave is finished when the body is known to be whole. */
export const read = (
  request: HttpServerRequest.HttpServerRequest,
  query: BulkQuery,
  begin: Begin
): Effect.Effect<Uploaded, BodyFailure, Scope.Scope> => {
  const contentType = request.headers["content-type"] ?? ""
  if (/^multipart\/form-data\s*;/i.test(contentType)) return ofForm(request, query, begin)
  if (!/^text\/csv\s*(?:;|$)/i.test(contentType)) {
    return Effect.fail(new UnsupportedMediaType({ detail: "content-type: text/csv or multipart/form-data" }))
  }
  return charsetOf(contentType) === "utf-8" || charsetOf(contentType) === "us-ascii"
    ? ofFile(request, query, begin)
    : Effect.fail(new UnsupportedMediaType({ detail: "content-type: charset: a file is UTF-8" }))
}
