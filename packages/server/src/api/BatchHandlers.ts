/**
 * `/api/v1/services/batches` and the calls that fill them.
 */
import { Effect, Result } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { BatchId } from "@beckon/domain/Batch"
import type { Batch } from "@beckon/domain/Batch"
import { CurrentIdentity } from "@beckon/domain/Identity"
import type { Outcomes } from "@beckon/domain/ports/BatchStore"
import { Unprocessable } from "@beckon/domain/Problem"
import { Audit } from "../audit/Audit.ts"
import * as BatchAudit from "../batches/BatchAudit.ts"
import { Batches } from "../batches/Batches.ts"
import type { Taken } from "../batches/Batches.ts"
import * as Cursor from "../inbox/Cursor.ts"

const defaultLimit = 20

const takenView = ({ batch, chunkNumber, duplicate }: Taken) => ({
  data: { batchId: batch.id, chunkNumber, state: batch.state, duplicate, counts: batch.counts }
})

const viewOf = ({ correlationId: _correlation, id, tenantId: _tenant, ...batch }: Batch) => ({ ...batch, batchId: id })

const outcomesView = ({ deliveries, notifications }: Outcomes) => {
  const channels: Record<string, Record<string, number>> = {}
  for (const { channel, count, state } of deliveries) (channels[channel] ??= {})[state] = count
  return { notifications, deliveries: channels }
}

const ofRow = (row: number): string => Cursor.ofId(String(row))

const toRow = (cursor: string): Result.Result<number, Unprocessable> =>
  Result.flatMap(Cursor.toId(cursor), (text) =>
    /^\d{1,15}$/.test(text)
      ? Result.succeed(Number(text))
      : Result.fail(new Unprocessable({ detail: "cursor: not a cursor that this list gave" }))
  )

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "batches",
  Effect.fn(function* (handlers) {
    const batches = yield* Batches
    const audit = yield* Audit

    /** One entry for a batch, however many chunks it has. */
    const noteNew = (taken: Taken) => (taken.isNew ? audit.record(BatchAudit.created(taken.batch)) : Effect.void)

    return handlers.handleAll({
      sendBatch: ({ payload }) =>
        Effect.flatMap(CurrentIdentity, (identity) =>
          Effect.map(Effect.tap(batches.sendBatch(identity, payload), noteNew), takenView)
        ),
      sendChunk: ({ payload }) =>
        Effect.flatMap(CurrentIdentity, (identity) =>
          Effect.map(Effect.tap(batches.sendChunk(identity, payload), noteNew), takenView)
        ),
      list: ({ query: { cursor, limit = defaultLimit, ...filter } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const beforeId = cursor === undefined ? undefined : yield* Effect.fromResult(Cursor.toId(cursor))
          const rows = yield* batches.list(tenantId, {
            ...filter,
            ...(beforeId === undefined ? {} : { beforeId: BatchId.make(beforeId) }),
            limit: limit + 1
          })
          return Cursor.pageOf(rows.map(viewOf), limit, ({ batchId }) => Cursor.ofId(batchId))
        }),
      get: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const { batch, outcomes } = yield* batches.get(tenantId, params.id)
          return { data: { ...viewOf(batch), outcomes: outcomesView(outcomes) } }
        }),
      errors: ({ params, query: { cursor, limit = defaultLimit } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const afterRow = cursor === undefined ? 0 : yield* Effect.fromResult(toRow(cursor))
          const rows = yield* batches.errors(tenantId, params.id, { afterRow, limit: limit + 1 })
          return Cursor.pageOf(rows, limit, ({ row }) => ofRow(row))
        }),
      cancel: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const { batch, deliveries } = yield* batches.cancel(tenantId, params.id)
          yield* audit.record(BatchAudit.changed("cancel", batch))
          return { data: { ...viewOf(batch), cancelledDeliveries: deliveries } }
        }),
      pause: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const batch = yield* batches.pause(tenantId, params.id)
          yield* audit.record(BatchAudit.changed("pause", batch))
          return { data: viewOf(batch) }
        }),
      resume: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const batch = yield* batches.resume(tenantId, params.id)
          yield* audit.record(BatchAudit.changed("resume", batch))
          return { data: viewOf(batch) }
        })
    })
  })
)
