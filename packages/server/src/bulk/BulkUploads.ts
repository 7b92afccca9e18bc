/**
 * Files that become batches while they come in.
 *
 * **Details**
 *
 * An upload is fed piece by piece. Its rows are checked at once and saved in chunks of 1,000, and a piece is only taken when
 * the chunks of the one before are saved: the sender waits, not memory. The batch is `open` meanwhile, and nothing of it is
 * sent; `finish` seals it. An upload whose scope closes before that is abandoned, and so is one of a node that died: it lives
 * only as long as its lease is prolonged.
 *
 * The same key makes one batch. A batch of this key that failed does not stand in the way of another try.
 */
import { Context, DateTime, Duration, Effect, Layer, Schedule, Schema } from "effect"
import type { Scope } from "effect"
import { uuidV7Unsafe } from "effect/crypto/SecureRandom"
import type { BulkRequest } from "@beckon/domain/api/BulkApi"
import { Batch, BatchId } from "@beckon/domain/Batch"
import { columnsOf } from "@beckon/domain/BulkUpload"
import type { Columns } from "@beckon/domain/BulkUpload"
import { UserId } from "@beckon/domain/Identifiers"
import type { TenantId } from "@beckon/domain/Identifiers"
import { Conflict, Unprocessable } from "@beckon/domain/Problem"
import type { Unavailable } from "@beckon/domain/Problem"
import { isStorableText } from "@beckon/domain/Text"
import { BatchStore } from "@beckon/domain/ports/BatchStore"
import type { NewBatch, NewChunk } from "@beckon/domain/ports/BatchStore"
import { TemplateEngine } from "@beckon/domain/ports/TemplateEngine"
import { storeToProblem } from "../inbox/Inbox.ts"
import { Templates } from "../templates/Templates.ts"
import { Progress } from "../batches/Progress.ts"
import * as RowContent from "../batches/RowContent.ts"
import { Nudges } from "../delivery/Nudges.ts"
import { BulkSettings } from "./BulkSettings.ts"
import * as FileReader from "./FileReader.ts"
import type { FullChunk } from "./FileReader.ts"
import { chargeRows } from "./RowCharge.ts"
import * as RowReader from "./RowReader.ts"
import { digestOf } from "./UploadKey.ts"
import type { UploadKey } from "./UploadKey.ts"

/** The same upload came before: this is its batch. */
export class UploadKnown extends Schema.TaggedError<UploadKnown>()("UploadKnown", { batch: Batch }) {}

export interface UploadOptions {
  readonly tenantId: TenantId
  readonly createdBy: string
  readonly correlationId: string | null
  readonly request: BulkRequest
  readonly fileName: string | null
  readonly key: UploadKey | undefined
}

export interface Uploaded {
  readonly batch: Batch
  readonly sha256: string
}

export type UploadFailure = UploadKnown | Conflict | Unavailable | Unprocessable

export interface Upload {
  readonly feed: (bytes: Uint8Array) => Effect.Effect<void, UploadFailure>
  /** The whole file was fed: from now on it is sent. */
  readonly finish: Effect.Effect<Uploaded, UploadFailure>
}

/** How often a request id may fail and be tried again. */
const maxTries = 50

/** A chunk that was saved although the answer was lost is known when it comes again. */
const saveAgain = Schedule.exponential("200 millis").pipe(Schedule.upTo({ times: 6 }))

const contentOf = (request: BulkRequest): NewBatch["content"] => {
  const { columns: _c, delimiter: _d, name: _n, sendAt: _s, sha256: _h, unknownColumns: _u, ...content } = request
  return content
}

/** Whatever a row has of its own, the content of the request must be good for one that has nothing. */
const someone = { userId: UserId.make("someone") }

/** A client names its file as it likes: what a batch cannot be called, it is not called. */
const nameOf = (fileName: string | null): string | null => {
  const name = fileName?.slice(0, 200).toWellFormed() ?? ""
  return name === "" || !isStorableText(name) ? null : name
}

export class BulkUploads extends Context.Service<
  BulkUploads,
  {
    /** Refuses a request that no row could make good. */
    readonly begin: (options: UploadOptions) => Effect.Effect<Upload, Unprocessable | Unavailable, Scope.Scope>
  }
>()("@beckon/server/bulk/BulkUploads") {
  static readonly layer = Layer.effect(
    BulkUploads,
    Effect.gen(function* () {
      const store = yield* BatchStore
      const templates = yield* Templates
      const engine = yield* TemplateEngine
      const nudges = yield* Nudges
      const progress = yield* Progress
      const { lease } = yield* BulkSettings

      const expiry = (now: DateTime.Utc) => DateTime.addDuration(now, lease)

      const checkWords = ({ message = "", title = "" }: BulkRequest) =>
        engine
          .check({ texts: { default: { title, message } } })
          .pipe(
            Effect.mapError((error) => new Unprocessable({ detail: error.message.replaceAll("texts.default.", "") }))
          )

      const checkRequest = Effect.fnUntraced(function* ({ request, tenantId }: UploadOptions) {
        const { sendAt, templateCode } = request
        const content = { ...contentOf(request), ...(sendAt === undefined ? {} : { sendAt }) }
        const fault = RowContent.faultOf(RowContent.contentOf(content, someone), yield* DateTime.now)
        if (fault !== undefined) return yield* new Unprocessable({ detail: fault })
        if (templateCode === undefined) return yield* checkWords(request)
        yield* templates.get(tenantId, templateCode).pipe(
          Effect.catchTags({
            TemplateNotFound: ({ message }) => Effect.fail(new Unprocessable({ detail: `template_code: ${message}` })),
            StoreUnavailable: storeToProblem
          })
        )
      })

      /** A failed batch does not keep its key for itself: the next try has one more at its end. */
      const openBatch = Effect.fnUntraced(
        function* (options: UploadOptions, columns: Columns) {
          const { key, request } = options
          const digest = digestOf(options)
          for (let attempt = 1; attempt <= maxTries; attempt += 1) {
            const now = yield* DateTime.now
            const opened = yield* store.open(
              {
                id: BatchId.make(uuidV7Unsafe()),
                tenantId: options.tenantId,
                kind: "csv",
                state: "open",
                name: request.name ?? nameOf(options.fileName),
                content: contentOf(request),
                sendAt: request.sendAt ?? null,
                details: { file: nameOf(options.fileName), columns: columns.names },
                requestId: key === undefined ? null : `${key.requestId}#${attempt}`,
                digest,
                createdBy: options.createdBy,
                correlationId: options.correlationId,
                expiresAt: expiry(now)
              },
              now
            )
            const { batch } = opened
            if (opened._tag === "Opened") return batch
            if (opened.digest !== digest) {
              return yield* new Unprocessable({ detail: `${key?.field}: it was used for another upload` })
            }
            if (batch.state === "open") {
              return yield* new Conflict({ detail: `${key?.field}: its upload is still coming in (${batch.id})` })
            }
            if (batch.state !== "failed") return yield* new UploadKnown({ batch })
          }
          return yield* new Conflict({ detail: `${key?.field}: it failed ${maxTries} times; take another one` })
        },
        Effect.catchTag("StoreUnavailable", storeToProblem)
      )

      const prolong = ({ id, tenantId }: Batch) =>
        Effect.flatMap(DateTime.now, (now) => store.prolong(tenantId, id, expiry(now))).pipe(
          Effect.catch((error) => Effect.logDebug("An upload could not be prolonged; tried again", error)),
          Effect.repeat(Schedule.spaced(Duration.times(lease, 1 / 3)))
        )

      const save = Effect.fnUntraced(function* ({ id, tenantId }: Batch, number: number, { errors, rows }: FullChunk) {
        const add = Effect.flatMap(DateTime.now, (now) => {
          const chunk: NewChunk = { number, digest: id, rows, errors, final: false, expiresAt: expiry(now) }
          return store.addChunk(tenantId, id, chunk, now)
        })
        yield* chargeRows(rows.length)
        const added = yield* Effect.catch(Effect.retry(add, saveAgain), storeToProblem)
        if (added._tag === "Added" || added._tag === "Known") return yield* progress.tell(added.batch)
        const state = "batch" in added ? added.batch.state : "gone"
        return yield* new Conflict({ detail: `The batch ${id} is ${state}; it takes no more rows.` })
      })

      const seal = Effect.fnUntraced(function* ({ id, tenantId }: Batch, chunks: number) {
        const sealing = Effect.flatMap(DateTime.now, (now) => store.seal(tenantId, id, chunks, now))
        const changed = yield* Effect.catch(Effect.retry(sealing, saveAgain), storeToProblem)
        if (changed._tag === "NotFound") return yield* new Conflict({ detail: `The batch ${id} is gone.` })
        const { batch } = changed
        // A seal whose answer was lost is refused the second time.
        const isSealed = changed._tag !== "Refused" || batch.lastChunk === chunks
        if (!isSealed) return yield* new Conflict({ detail: `The batch ${id} is ${batch.state}; it is not sent.` })
        nudges.batch.now()
        yield* progress.tell(batch, true)
        return batch
      })

      const begin = Effect.fn("BulkUploads.begin")(function* (options: UploadOptions) {
        yield* checkRequest(options)
        const { request } = options
        const scope = yield* Effect.scope
        const file = yield* FileReader.make(request.delimiter ?? ",")
        let batch: Batch | undefined
        let chunks = 0
        let reason: string | undefined = "The upload broke off."

        const abandon = Effect.suspend(() => {
          if (batch === undefined || reason === undefined) return Effect.void
          const { id, tenantId } = batch
          const why = reason
          return Effect.flatMap(DateTime.now, (now) => store.abandon(tenantId, id, why, now)).pipe(
            Effect.flatMap((changed) =>
              changed._tag === "Changed" ? progress.tell(changed.batch, true) : Effect.void
            ),
            Effect.catch((error) => Effect.logWarning(`The upload ${id} is given up when its lease ends`, error))
          )
        })
        yield* Effect.addFinalizer(() => abandon)

        const start = Effect.fnUntraced(function* (header: ReadonlyArray<string>) {
          const columns = yield* Effect.mapError(
            Effect.fromResult(columnsOf(header, request)),
            (detail) => new Unprocessable({ detail })
          )
          const fault = RowReader.wordsFault(request, columns)
          if (fault !== undefined) return yield* new Unprocessable({ detail: fault })
          const opened = yield* openBatch(options, columns)
          batch = opened
          yield* Effect.forkIn(prolong(opened), scope)
          return RowReader.make(request, columns)
        })

        const saveChunk = (chunk: FullChunk) =>
          Effect.suspend(() => {
            if (batch === undefined) return Effect.void
            chunks += 1
            return save(batch, chunks, chunk)
          })

        const noteWhy = (failure: UploadFailure) =>
          Effect.sync(() => {
            if ("detail" in failure) reason = failure.detail
          })

        const steps: FileReader.Steps<UploadFailure> = { start, save: saveChunk }

        const finish = Effect.gen(function* () {
          const { rows, sha256 } = yield* file.end(steps)
          if (batch === undefined) return yield* new Unprocessable({ detail: "file: it is empty" })
          if (rows === 0) return yield* new Unprocessable({ detail: "file: it has no rows behind its header" })
          if (request.sha256 !== undefined && request.sha256 !== sha256) {
            return yield* new Unprocessable({ detail: `sha256: the file that came has ${sha256}` })
          }
          const sealed = yield* seal(batch, chunks)
          reason = undefined
          return { batch: sealed, sha256 }
        })

        return {
          feed: (bytes: Uint8Array) => Effect.tapError(file.feed(bytes, steps), noteWhy),
          finish: Effect.tapError(finish, noteWhy)
        }
      })

      return { begin }
    })
  )
}
