/**
 * The statements about batches, over tables of a real size: most batches are done, some are running, some wait.
 */
import { BatchId } from "@beckon/domain/Batch"
import { TenantId } from "@beckon/domain/Identifiers"
import { BatchStore } from "@beckon/domain/ports/BatchStore"
import { asOwner } from "@beckon/infra/postgres/DatabaseSession"
import { expect, layer } from "@effect/vitest"
import { DateTime, Effect, Option } from "effect"
import type { Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { chunkOf, errorOf, minute, newBatch, reportOf } from "./BatchFixtures.ts"
import { hoursAfterNoon, noon } from "./Fixtures.ts"
import { indexesOfCall, plansOf, record, scans } from "./PlannedStatements.ts"
import type { layerPglite } from "./SqlStores.ts"

const tenantId = TenantId.make("planned0")
const now = DateTime.add(noon, { days: 1 })

/** Batches of 20 tenants; one of a hundred is active. Each has five chunks, of which those of active ones are due. */
const seed = Effect.fnUntraced(function* (batches: number) {
  const sql = yield* SqlClient
  yield* sql`
    insert into batches (
      tenant_id, id, kind, state, active, content, request_id, digest, chunks, created_by, created_at, updated_at, served_at, expires_at
    )
    select 'planned' || n % 20, 'seeded-' || lpad(n::text, 8, '0'), 'chunks',
      case when n % 100 = 0 then 'running' else 'completed' end, n % 100 = 0, '{"notificationType":"sale","title":"T"}',
      'request-' || n, '', 5, 'shop', now(), now(), now(), case when n % 100 = 0 then '2030-01-01'::timestamptz end
    from generate_series(1, ${batches}) n`
  yield* sql`
    insert into batch_chunks (tenant_id, batch_id, number, digest, rows, row_count, due_at)
    select b.tenant_id, b.id, n, '', case when b.active then '[{"row":1,"userId":"u"}]'::jsonb end, 1,
      case when b.active then '2026-03-01'::timestamptz end
    from batches b cross join generate_series(1, 5) n`
  yield* sql`
    insert into batch_errors (tenant_id, batch_id, row_number, field, message)
    select b.tenant_id, b.id, n, 'field', 'message' from batches b cross join generate_series(1, 5) n`
  yield* sql`
    insert into notifications (tenant_id, user_id, seq, id, type, title, message, priority, push, options, created_at)
    select 'planned' || n % 20, 'user-' || n, 1, 'of-batch-' || n, 'type', 'Title', 'Message', 'medium', 'fallback',
      case when n % 2 = 0 then jsonb_build_object('cancelKey', 'batch:seeded-' || lpad((n % 1000)::text, 8, '0')) end, now()
    from generate_series(1, ${batches}) n`
  yield* sql`
    insert into deliveries (
      id, tenant_id, user_id, notification_id, seq, channel, target, condition, state, urgency, due_at, created_at, updated_at, cancel_key
    )
    select 'of-batch-' || n, 'planned' || n % 20, 'user-' || n, 'of-batch-' || n, 1, 'push', '{"_tag":"User"}', 'always', 'sent', 5, now(),
      now(), now(), case when n % 2 = 0 then 'batch:seeded-' || lpad((n % 1000)::text, 8, '0') end
    from generate_series(1, ${batches}) n`
  yield* sql`
    insert into delivery_items (tenant_id, notification_id, channel, delivery_id, user_id, seq, cancel_key)
    select 'planned' || n % 20, 'of-batch-' || n, 'email', 'of-batch-' || n, 'user-' || n, 1, 'batch:seeded-' || n
    from generate_series(1, ${batches}) n`
  yield* asOwner(sql`analyze`)
})

/** Calls everything that the store can do, in every form. */
const use = Effect.gen(function* () {
  const store = yield* BatchStore
  const seeded = BatchId.make("seeded-00000100")
  const { batch } = yield* store.open(newBatch(tenantId, { requestId: "new", details: {} }), now)
  yield* store.open(newBatch(tenantId, { requestId: "new" }), now)
  yield* store.addChunk(tenantId, batch.id, chunkOf(1, 2, { errors: [errorOf(9)] }), now)
  yield* store.change(tenantId, batch.id, "pause", now)
  yield* store.change(tenantId, batch.id, "resume", now)
  const claim = yield* store.claim({ now, lease: minute, worker: "worker" })
  if (Option.isNone(claim)) return expect.unreachable()
  yield* store.report(claim.value, reportOf(1, { errors: [errorOf(1)] }), now, now)
  yield* store.release(claim.value, { due: now, certain: true })
  yield* store.change(tenantId, batch.id, "cancel", now)
  const open = yield* store.open(newBatch(tenantId, { state: "open" }), now)
  yield* store.prolong(tenantId, open.batch.id, hoursAfterNoon(30))
  yield* store.seal(tenantId, open.batch.id, 1, now)
  const cut = yield* store.open(newBatch(tenantId, { state: "open" }), now)
  yield* store.abandon(tenantId, cut.batch.id, "cut", now)
  yield* store.expire(now, 10)
  yield* store.get(tenantId, seeded)
  yield* store.list(tenantId, { limit: 20 })
  yield* store.list(tenantId, { kind: "chunks", state: "completed", beforeId: seeded, limit: 20 })
  yield* store.errors(tenantId, seeded, { limit: 20 })
  yield* store.outcomes(tenantId, seeded)
})

export const batchQueryPlans = <E>(
  name: string,
  stores: Layer.Layer<Layer.Success<typeof layerPglite>, E>,
  batches: number,
  milliseconds: number
): void =>
  layer(stores, { timeout: "60 seconds" })(`query plans of batches, ${name}`, (it) => {
    it.effect(
      "no statement about batches reads a whole table",
      () =>
        Effect.gen(function* () {
          yield* seed(batches)
          const statements = yield* record(use)
          // One for each method and each form of it: a statement that no call reaches would go unplanned.
          expect(statements).toHaveLength(22)
          const reading: Array<unknown> = []
          for (const statement of statements) {
            for (const plan of plansOf(statement, tenantId)) {
              const nodes = yield* plan
              if (scans(nodes).length > 0) reading.push({ statement: statement[0], scans: scans(nodes) })
            }
          }
          expect(reading).toEqual([])
        }),
      milliseconds
    )

    it.effect("what became of a batch is counted from the indexes that hold nothing else, for a tenant too", () =>
      Effect.gen(function* () {
        const store = yield* BatchStore
        const [inboxes, deliveries] = yield* indexesOfCall(
          tenantId,
          store.outcomes(tenantId, BatchId.make("seeded-00000100"))
        )
        expect(inboxes).toEqual([{ index: "notifications_batch", condition: expect.stringContaining("cancelKey") }])
        expect(deliveries).toContainEqual({
          index: "deliveries_batch",
          condition: expect.stringContaining("cancel_key")
        })
      })
    )
  })
