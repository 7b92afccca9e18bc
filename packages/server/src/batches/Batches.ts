/**
 * Batches on behalf of a tenant: opened, filled, looked at, paused, resumed, cancelled.
 *
 * **Details**
 *
 * A call is answered when its rows are saved; workers send them afterwards. Rows are checked as far as that needs no
 * rendering, and a call with a row that is wrong is refused as a whole, with the place of the row.
 */
import { Cache, Context, Data, DateTime, Duration, Effect, Layer, Option } from "effect"
import { uuidV7Unsafe } from "effect/crypto/SecureRandom"
import type { Opening, SendBatchRequest, SendChunkRequest } from "@beckon/domain/api/BatchRequest"
import { BatchId, cancelKeyOf, maxRows } from "@beckon/domain/Batch"
import type { Batch, BatchKind, BatchState, Recipient, RowError } from "@beckon/domain/Batch"
import { CallOrigin } from "@beckon/domain/CallOrigin"
import type { Identity } from "@beckon/domain/Identity"
import type { TenantId } from "@beckon/domain/Identifiers"
import { BatchStore } from "@beckon/domain/ports/BatchStore"
import type { BatchChange, Outcomes } from "@beckon/domain/ports/BatchStore"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { Conflict, NotFound, Unprocessable } from "@beckon/domain/Problem"
import type { TooManyRequests, Unavailable } from "@beckon/domain/Problem"
import { Nudges } from "../delivery/Nudges.ts"
import { RateLimits } from "../http/RateLimits.ts"
import { storeToProblem } from "../inbox/Inbox.ts"
import { Templates } from "../templates/Templates.ts"
import { BatchSettings } from "./BatchSettings.ts"
import * as Digest from "./Digest.ts"
import { Progress } from "./Progress.ts"
import { contentOf, faultOf } from "./RowContent.ts"

/** Counting a large batch reads all of its index: so long its outcomes are told again. */
const outcomesKept = Duration.seconds(5)
const largeBatch = 10_000

const wireNames: Readonly<Record<string, string>> = { sendAt: "send_at", requestId: "request_id" }

const unknown = new NotFound({ detail: "id: no batch of your tenant has this id" })

export interface Taken {
  readonly batch: Batch
  readonly chunkNumber: number
  /** The same call came before. */
  readonly duplicate: boolean
  /** The batch began with this call. */
  readonly isNew: boolean
}

type NotTaken = Conflict | NotFound | TooManyRequests | Unavailable | Unprocessable

/** With the state, so that what is told of a finished batch was counted after its end. */
class OutcomesKey extends Data.Class<Pick<Batch, "tenantId" | "id" | "state">> {}

/** Why a change is not allowed. */
const refusal = (change: BatchChange, { state }: Batch): Conflict =>
  new Conflict({
    detail:
      state === "open"
        ? `state: it is open, ${change} it when its file is whole, or cancel it`
        : `state: it is ${state}, which ${change} does not change`
  })

export class Batches extends Context.Service<
  Batches,
  {
    readonly sendBatch: (
      identity: Identity,
      request: SendBatchRequest
    ) => Effect.Effect<Taken, Exclude<NotTaken, NotFound>>
    readonly sendChunk: (identity: Identity, request: SendChunkRequest) => Effect.Effect<Taken, NotTaken>
    readonly get: (
      tenantId: TenantId,
      id: BatchId
    ) => Effect.Effect<{ readonly batch: Batch; readonly outcomes: Outcomes }, NotFound | Unavailable>
    /** Newest first. */
    readonly list: (
      tenantId: TenantId,
      query: {
        readonly kind?: BatchKind
        readonly state?: BatchState
        readonly beforeId?: BatchId
        readonly limit: number
      }
    ) => Effect.Effect<ReadonlyArray<Batch>, Unavailable>
    readonly errors: (
      tenantId: TenantId,
      id: BatchId,
      query: { readonly afterRow?: number; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<RowError>, NotFound | Unavailable>
    readonly pause: (tenantId: TenantId, id: BatchId) => Effect.Effect<Batch, Conflict | NotFound | Unavailable>
    readonly resume: (tenantId: TenantId, id: BatchId) => Effect.Effect<Batch, Conflict | NotFound | Unavailable>
    readonly cancel: (
      tenantId: TenantId,
      id: BatchId
    ) => Effect.Effect<{ readonly batch: Batch; readonly deliveries: number }, Conflict | NotFound | Unavailable>
  }
>()("@beckon/server/batches/Batches") {
  static readonly layer = Layer.effect(
    Batches,
    Effect.gen(function* () {
      const store = yield* BatchStore
      const deliveries = yield* DeliveryStore
      const templates = yield* Templates
      const limits = yield* RateLimits
      const progress = yield* Progress
      const { patience } = yield* BatchSettings
      const nudges = yield* Nudges

      const checkOpening = Effect.fnUntraced(function* (tenantId: TenantId, { content, sendAt }: Opening) {
        const { templateCode } = content
        const now = yield* DateTime.now
        if (sendAt !== undefined && DateTime.isGreaterThan(sendAt, DateTime.add(now, { days: 366 }))) {
          return yield* new Unprocessable({ detail: "send_at: at most 366 days ahead" })
        }
        if (templateCode === undefined) return
        yield* templates.get(tenantId, templateCode).pipe(
          Effect.catchTags({
            TemplateNotFound: ({ message }) =>
              Effect.fail(new Unprocessable({ detail: `content.template_code: ${message}` })),
            StoreUnavailable: storeToProblem
          })
        )
      })

      const checkRows = Effect.fnUntraced(function* (content: Batch["content"], recipients: ReadonlyArray<Recipient>) {
        const now = yield* DateTime.now
        for (const [index, recipient] of recipients.entries()) {
          const fault = faultOf(contentOf(content, recipient), now)
          if (fault !== undefined) return yield* new Unprocessable({ detail: `recipients[${index}].${fault}` })
        }
      })

      /** The call itself is counted already. */
      const takeTokens = Effect.fnUntraced(function* (identity: Identity, rows: number) {
        if (rows <= 1) return
        const { refused } = yield* limits.take(identity, rows - 1)
        if (refused !== undefined) return yield* refused
      })

      const expiry = Effect.map(DateTime.now, (now) => DateTime.addDuration(now, patience))

      const open = Effect.fnUntraced(
        function* (identity: Identity, kind: "batch" | "chunks", opening: Opening) {
          const { content, name = null, requestId, sendAt = null } = opening
          const { tenantId, userId } = identity
          const digest = Digest.ofOpening(kind, opening)
          const { correlationId } = yield* CallOrigin
          const opened = yield* store.open(
            {
              id: BatchId.make(uuidV7Unsafe()),
              tenantId,
              kind,
              state: "running",
              name,
              content,
              sendAt,
              details: null,
              // Files have names of their own.
              requestId: requestId === undefined ? null : `request:${requestId}`,
              digest,
              createdBy: userId,
              correlationId,
              expiresAt: yield* expiry
            },
            yield* DateTime.now
          )
          if (opened._tag === "Known" && opened.digest !== digest) {
            return yield* new Conflict({ detail: "request_id: another batch has it" })
          }
          return { batch: opened.batch, isNew: opened._tag === "Opened" }
        },
        Effect.catchTag("StoreUnavailable", storeToProblem)
      )

      const add = Effect.fnUntraced(function* (
        { batch, isNew }: Pick<Taken, "batch" | "isNew">,
        number: number,
        recipients: ReadonlyArray<Recipient>,
        final: boolean
      ): Effect.fn.Return<Taken, Conflict | NotFound | Unavailable> {
        const first = (number - 1) * maxRows + 1
        const chunk = {
          number,
          digest: Digest.ofRows(recipients),
          rows: recipients.map((recipient, index) => ({ ...recipient, row: first + index })),
          errors: [],
          final,
          expiresAt: yield* expiry
        }
        const added = yield* store
          .addChunk(batch.tenantId, batch.id, chunk, yield* DateTime.now)
          .pipe(Effect.catch(storeToProblem))
        switch (added._tag) {
          case "Added":
            nudges.batch.now()
            return { batch: added.batch, chunkNumber: number, duplicate: false, isNew }
          case "Known":
            return { batch: added.batch, chunkNumber: number, duplicate: true, isNew }
          case "Differs":
            return yield* new Conflict({ detail: `chunk_number: chunk ${number} came before, with other recipients` })
          case "Closed":
            return yield* new Conflict({
              detail:
                added.batch.lastChunk === null || number <= added.batch.lastChunk
                  ? `batch_id: the batch is ${added.batch.state} and takes no more chunks`
                  : `chunk_number: chunk ${added.batch.lastChunk} was the last one`
            })
          case "NotLast":
            return yield* new Conflict({
              detail:
                added.batch.lastChunk === null
                  ? `final: chunk ${number} is not the last one, a higher number came before`
                  : `final: chunk ${added.batch.lastChunk} is the last one already`
            })
          case "NotFound":
            return yield* unknown
        }
      })

      const find = Effect.fnUntraced(function* (tenantId: TenantId, id: BatchId) {
        const found = yield* Effect.catch(store.get(tenantId, id), storeToProblem)
        return Option.isNone(found) ? yield* unknown : found.value
      })

      const sendBatch = Effect.fn("Batches.sendBatch")(function* (identity: Identity, request: SendBatchRequest) {
        const { recipients, ...opening } = request
        yield* checkOpening(identity.tenantId, opening)
        yield* checkRows(opening.content, recipients)
        yield* takeTokens(identity, recipients.length)
        const opened = yield* open(identity, "batch", opening)
        return yield* add(opened, 1, recipients, true).pipe(
          // It was removed since it was opened.
          Effect.catchTag("NotFound", ({ detail }) => Effect.fail(new Conflict({ detail: detail ?? "" })))
        )
      })

      const batchFor = Effect.fnUntraced(function* (identity: Identity, request: SendChunkRequest) {
        const { batchId, chunkNumber: _number, content, final: _final, recipients: _recipients, ...rest } = request
        if (batchId !== undefined) {
          const named = Object.keys({ ...rest, ...(content === undefined ? {} : { content }) })[0]
          return named === undefined
            ? yield* find(identity.tenantId, batchId)
            : yield* new Unprocessable({ detail: `${wireNames[named] ?? named}: not together with batch_id` })
        }
        if (content === undefined) {
          return yield* new Unprocessable({ detail: "content: needed where there is no batch_id" })
        }
        yield* checkOpening(identity.tenantId, { ...rest, content })
        return { ...rest, content }
      })

      const sendChunk = Effect.fn("Batches.sendChunk")(function* (identity: Identity, request: SendChunkRequest) {
        const { chunkNumber, final = false, recipients } = request
        if (recipients.length === 0 && !final) {
          return yield* new Unprocessable({ detail: "recipients: may only be empty with final" })
        }
        const target = yield* batchFor(identity, request)
        yield* checkRows(target.content, recipients)
        yield* takeTokens(identity, recipients.length)
        const opened = "state" in target ? { batch: target, isNew: false } : yield* open(identity, "chunks", target)
        if (opened.batch.kind !== "chunks") {
          return yield* new Conflict({ detail: "batch_id: the batch was not opened by send-chunk" })
        }
        return yield* add(opened, chunkNumber, recipients, final)
      })

      const change = Effect.fnUntraced(function* (tenantId: TenantId, id: BatchId, what: BatchChange) {
        const changed = yield* Effect.catch(store.change(tenantId, id, what, yield* DateTime.now), storeToProblem)
        switch (changed._tag) {
          case "Changed":
            nudges.batch.now()
            yield* progress.tell(changed.batch, true)
            return changed.batch
          case "Unchanged":
            return changed.batch
          case "Refused":
            return yield* refusal(what, changed.batch)
          case "NotFound":
            return yield* unknown
        }
      })

      const outcomes = yield* Cache.make({
        capacity: 1_000,
        timeToLive: outcomesKept,
        lookup: ({ id, tenantId }: OutcomesKey) => store.outcomes(tenantId, id)
      })

      const outcomesOf = ({ counts, id, state, tenantId }: Batch) =>
        Effect.catch(
          counts.total > largeBatch
            ? Cache.get(outcomes, new OutcomesKey({ tenantId, id, state }))
            : store.outcomes(tenantId, id),
          storeToProblem
        )

      return {
        sendBatch,
        sendChunk,
        get: Effect.fn("Batches.get")(function* (tenantId, id) {
          const batch = yield* find(tenantId, id)
          return { batch, outcomes: yield* outcomesOf(batch) }
        }),
        list: (tenantId, query) => Effect.catch(store.list(tenantId, query), storeToProblem),
        errors: Effect.fn("Batches.errors")(function* (tenantId, id, query) {
          yield* find(tenantId, id)
          return yield* Effect.catch(store.errors(tenantId, id, query), storeToProblem)
        }),
        pause: Effect.fn("Batches.pause")((tenantId, id) => change(tenantId, id, "pause")),
        resume: Effect.fn("Batches.resume")((tenantId, id) => change(tenantId, id, "resume")),
        cancel: Effect.fn("Batches.cancel")(function* (tenantId, id) {
          const batch = yield* change(tenantId, id, "cancel")
          const cancelled = yield* Effect.catch(
            deliveries.cancel(tenantId, { cancelKey: cancelKeyOf(id) }, yield* DateTime.now),
            storeToProblem
          )
          return { batch, deliveries: cancelled }
        })
      }
    })
  )
}
