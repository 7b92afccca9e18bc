/**
 * One chunk, from its mark to its end, for as long as it is ours and its batch runs.
 *
 * **Details**
 *
 * Rows go to their mailboxes in slices; each slice is reported before the next one begins, so that only one is ever uncertain.
 * Mailboxes know the dedupe keys of the last 24 hours: within them a slice that is sent again makes nothing twice. A chunk that
 * was begun longer ago is compared with the saved notifications first, however long ago that was.
 *
 * Of a cancelled batch nothing more is sent. What a lost worker had sent is counted, and its deliveries are cancelled like those
 * that were planned before.
 */
import { Context, Data, DateTime, Duration, Effect, Layer, Result } from "effect"
import { cancelKeyOf } from "@beckon/domain/Batch"
import type { BatchRow, RowError } from "@beckon/domain/Batch"
import type { NotificationId } from "@beckon/domain/Identifiers"
import { BatchStore } from "@beckon/domain/ports/BatchStore"
import type { ChunkClaim, RowsReport } from "@beckon/domain/ports/BatchStore"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import type { Unavailable } from "@beckon/domain/Problem"
import { Mailboxes } from "../mailbox/Mailboxes.ts"
import { BatchSettings } from "./BatchSettings.ts"
import { Progress } from "./Progress.ts"
import { RowDrafts } from "./RowDrafts.ts"
import type { RowDraft } from "./RowDrafts.ts"
import { notificationIdOf, rowKeyOf } from "./RowNames.ts"

/** Well within the 24 hours for which mailboxes know their keys. */
const trusted = Duration.hours(20)

/** Clocks of nodes differ. */
const slack = Duration.minutes(10)

/** Somebody else has the chunk now. */
class LeaseLost extends Data.TaggedError("LeaseLost") {}

/** By row: the notification that its key has made. */
type Made = ReadonlyMap<number, NotificationId>

const nothingMade: Made = new Map()

const nothingDone: RowsReport = { rows: 0, accepted: 0, duplicates: 0, cancelled: 0, errors: [] }

const isDraft = (one: RowDraft | undefined): one is RowDraft => one !== undefined

export class ChunkWork extends Context.Service<
  ChunkWork,
  {
    /** Fails when a mailbox or the store does not answer: the rest of the chunk is for later. */
    readonly run: (chunk: ChunkClaim, isStopping: () => boolean) => Effect.Effect<void, Unavailable | StoreUnavailable>
  }
>()("@beckon/server/batches/ChunkWork") {
  static readonly layer = Layer.effect(
    ChunkWork,
    Effect.gen(function* () {
      const store = yield* BatchStore
      const notifications = yield* NotificationStore
      const deliveries = yield* DeliveryStore
      const mailboxes = yield* Mailboxes
      const drafts = yield* RowDrafts
      const progress = yield* Progress
      const settings = yield* BatchSettings

      const madeSince = Effect.fnUntraced(function* (chunk: ChunkClaim, rows: ReadonlyArray<BatchRow>) {
        const { batch, tenantId, triedSince } = chunk
        const keys = rows.map((row) => ({ tenantId, userId: row.userId, dedupeKey: rowKeyOf(batch, row) }))
        const since = DateTime.subtractDuration(triedSince, slack)
        const found = yield* notifications.findDuplicates(keys, since)
        const ids = new Map(
          found.map(({ dedupeKey, notificationId, userId }) => [`${userId}\u0000${dedupeKey}`, notificationId])
        )
        const made = new Map<number, NotificationId>()
        rows.forEach((row) => {
          const id = ids.get(`${row.userId}\u0000${rowKeyOf(batch, row)}`)
          if (id !== undefined) made.set(row.row, id)
        })
        return made
      })

      const report = Effect.fnUntraced(function* (chunk: ChunkClaim, done: RowsReport) {
        const now = yield* DateTime.now
        const reported = yield* store.report(chunk, done, DateTime.addDuration(now, settings.lease), now)
        if (reported._tag === "Lost") return yield* new LeaseLost()
        yield* progress.tell(reported.batch)
        return reported.batch
      })

      /** However long a slice takes, the chunk is ours while this node is not silent. */
      const keep = (chunk: ChunkClaim) =>
        Effect.gen(function* () {
          const now = yield* DateTime.now
          yield* store.report(chunk, nothingDone, DateTime.addDuration(now, settings.lease), now)
        }).pipe(
          Effect.catch((error) => Effect.logDebug("The lease of a chunk was not prolonged; tried again", error)),
          Effect.delay(Duration.times(settings.lease, 1 / 3)),
          Effect.forever
        )

      const cancelDeliveries = Effect.fnUntraced(function* ({ batchId, tenantId }: ChunkClaim) {
        yield* deliveries.cancel(tenantId, { cancelKey: cancelKeyOf(batchId) }, yield* DateTime.now)
      })

      /** Counts what was sent; the rest never will be. */
      const settle = Effect.fnUntraced(function* (chunk: ChunkClaim, rows: ReadonlyArray<BatchRow>, made: Made) {
        const accepted = rows.filter(({ row }) => made.get(row) === notificationIdOf(chunk.batch, row)).length
        yield* cancelDeliveries(chunk)
        if (rows.length === 0) return
        yield* report(chunk, {
          rows: rows.length,
          accepted,
          duplicates: 0,
          cancelled: rows.length - accepted,
          errors: []
        })
      })

      const sendSlice = Effect.fnUntraced(function* (chunk: ChunkClaim, rows: ReadonlyArray<BatchRow>, made: Made) {
        const erased = rows.filter(({ isErased }) => isErased === true).length
        const fresh = rows.filter(({ isErased, row }) => isErased !== true && !made.has(row))
        const composed = yield* drafts.compose(chunk.batch, fresh)
        const ready = composed.map((one) => (Result.isSuccess(one) ? one.success : undefined)).filter(isDraft)
        const answers = yield* mailboxes.deliver(ready.map(({ draft }) => draft))
        const ids = new Map([
          ...made,
          ...ready.flatMap(({ row: { row } }, index) => {
            const answer = answers[index]
            return answer === undefined ? [] : [[row, answer.notificationId] as const]
          })
        ])
        const errors = composed.flatMap((one): ReadonlyArray<RowError> => (Result.isFailure(one) ? [one.failure] : []))
        // A row that was sent before answers the same id: only another's notification is a duplicate.
        const accepted = rows.filter(({ row }) => ids.get(row) === notificationIdOf(chunk.batch, row)).length
        const duplicates = rows.length - erased - errors.length - accepted
        return yield* report(chunk, { rows: rows.length, accepted, duplicates, cancelled: erased, errors })
      })

      const work = Effect.fnUntraced(function* (chunk: ChunkClaim, isStopping: () => boolean) {
        const now = yield* DateTime.now
        const isOld = DateTime.isLessThan(chunk.triedSince, DateTime.subtractDuration(now, trusted))
        const isCancelled = chunk.batch.state === "cancelled"
        const made = isOld || isCancelled ? yield* madeSince(chunk, chunk.rows) : nothingMade
        if (isCancelled) return yield* settle(chunk, chunk.rows, made)
        for (let from = 0; from < chunk.rows.length; from += settings.slice) {
          if (isStopping()) return yield* store.release(chunk, { due: yield* DateTime.now, certain: true })
          const rows = chunk.rows.slice(from, from + settings.slice)
          const batch = yield* sendSlice(chunk, rows, made)
          if (batch.state === "cancelled") {
            return yield* settle(chunk, chunk.rows.slice(from + settings.slice), made)
          }
          if (batch.state === "paused") {
            return yield* store.release(chunk, { due: yield* DateTime.now, certain: true })
          }
        }
      })

      /** What was sent before the lease was lost may have come after the batch was cancelled. */
      const afterLoss = Effect.fnUntraced(function* (chunk: ChunkClaim) {
        const batch = yield* store.get(chunk.tenantId, chunk.batchId)
        if (batch._tag === "Some" && batch.value.state === "cancelled") yield* cancelDeliveries(chunk)
      })

      return {
        run: Effect.fn("ChunkWork.run")((chunk: ChunkClaim, isStopping: () => boolean) =>
          Effect.raceFirst(work(chunk, isStopping), keep(chunk)).pipe(
            Effect.catchTag("LeaseLost", () => afterLoss(chunk))
          )
        )
      }
    })
  )
}
