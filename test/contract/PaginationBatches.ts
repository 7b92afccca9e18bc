/**
 * The lists of batches and of their errors.
 *
 * **Gotchas**
 *
 * Batches end long after any test, so that a running server leaves them alone.
 */
import { BatchId } from "@beckon/domain/Batch"
import type { TenantId } from "@beckon/domain/Identifiers"
import { BatchStore } from "@beckon/domain/ports/BatchStore"
import { Effect } from "effect"
import { errorOf, newBatch } from "./BatchFixtures.ts"
import { noon } from "./Fixtures.ts"
import { byName, eraser, never, paged } from "./PaginationLists.ts"
import type { Row } from "./PaginationWalk.ts"

const batches = Effect.fnUntraced(function* (tenantId: TenantId) {
  const store = yield* BatchStore
  return {
    direction: "descending" as const,
    path: "/api/v1/services/batches",
    role: "admin" as const,
    member: "batch_id",
    insert: ({ name }: { readonly name: string }) => {
      const batch = newBatch(tenantId, { id: BatchId.make(name), state: "open", expiresAt: never })
      return Effect.as(store.open(batch, noon), byName(name))
    },
    // Kept, whatever becomes of it.
    remove: undefined,
    read: paged(
      (before, limit) =>
        store.list(tenantId, { limit, ...(before === undefined ? {} : { beforeId: BatchId.make(before) }) }),
      ({ id }) => id
    )
  }
})

const batchErrors = Effect.fnUntraced(function* (tenantId: TenantId) {
  const store = yield* BatchStore
  const erase = yield* eraser
  const id = BatchId.make(`batch of ${tenantId}`)
  yield* store.open(newBatch(tenantId, { id, state: "open", expiresAt: never }), noon)
  return {
    direction: "ascending" as const,
    path: "/api/v1/services/batches/{id}/errors",
    id,
    role: "admin" as const,
    member: "row",
    insert: ({ number }: { readonly number: number }) => {
      const chunk = { number, digest: "d", rows: [], errors: [errorOf(number)], final: false, expiresAt: never }
      return Effect.as(store.addChunk(tenantId, id, chunk, noon), { key: String(number), place: number })
    },
    remove: erase === undefined ? undefined : (row: Row) => erase(tenantId, `user-${row.key}`),
    read: paged(
      (after, limit) =>
        store.errors(tenantId, id, { limit, ...(after === undefined ? {} : { afterRow: Number(after) }) }),
      ({ row }) => String(row)
    )
  }
})

/** Each makes its list for a tenant that has nothing. */
export const listsOfBatches = { batches, batchErrors }
