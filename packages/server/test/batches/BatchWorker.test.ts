import { describe, expect, it } from "@effect/vitest"
import { DateTime, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { BatchId } from "@beckon/domain/Batch"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { BatchStore } from "@beckon/domain/ports/BatchStore"
import { Unavailable } from "@beckon/domain/Problem"
import * as BatchWorker from "../../src/batches/BatchWorker.ts"
import { layerBatchServices, Watched } from "./BatchServices.ts"

const layerWorking = BatchWorker.layer("node").pipe(Layer.provideMerge(layerBatchServices))

const tenantId = TenantId.make("acme")

/** A batch with so many chunks of two rows. */
const filled = Effect.fnUntraced(function* (name: string, chunks: number, final = true) {
  const store = yield* BatchStore
  const now = yield* DateTime.now
  const id = BatchId.make(name)
  const expiresAt = DateTime.add(now, { minutes: 5 })
  yield* store.open(
    {
      id,
      tenantId,
      kind: "chunks",
      state: "running",
      name: null,
      content: { notificationType: "sale", title: "Sale" },
      sendAt: null,
      details: null,
      requestId: null,
      digest: "",
      createdBy: "shop",
      correlationId: null,
      expiresAt
    },
    now
  )
  for (let number = 1; number <= chunks; number++) {
    const rows = [1, 2].map((place) => ({
      row: (number - 1) * 1_000 + place,
      userId: UserId.make(`user-${number}-${place}`)
    }))
    const chunk = { number, digest: "", rows, errors: [], final: final && number === chunks, expiresAt }
    yield* store.addChunk(tenantId, id, chunk, now)
  }
  return id
})

const batchOf = Effect.fnUntraced(function* (id: BatchId) {
  return yield* Effect.fromOption(yield* (yield* BatchStore).get(tenantId, id))
})

describe("the worker of batches", () => {
  it.effect("sends all chunks, and what comes later", () =>
    Effect.gen(function* () {
      const first = yield* filled("first", 10)
      yield* TestClock.adjust("2 seconds")
      expect(yield* batchOf(first)).toMatchObject({ state: "completed", counts: { accepted: 20 } })
      const second = yield* filled("second", 3)
      yield* TestClock.adjust("2 seconds")
      expect(yield* batchOf(second)).toMatchObject({ state: "completed", counts: { accepted: 6 } })
    }).pipe(Effect.provide(layerWorking))
  )

  it.effect("while mailboxes do not answer it asks less and less often; then all is sent, to nobody twice", () =>
    Effect.gen(function* () {
      const watched = yield* Watched
      const tries: Array<number> = []
      watched.afterSave = Effect.gen(function* () {
        tries.push((yield* DateTime.now).epochMilliseconds)
        return yield* new Unavailable({ detail: "away" })
      })
      const id = yield* filled("away", 1)
      for (let second = 0; second < 300; second++) yield* TestClock.adjust("1 second")
      expect(yield* batchOf(id)).toMatchObject({ state: "running", counts: { accepted: 0, pending: 2 } })
      // Doubling from half a second to half a minute.
      expect(tries.length).toBeGreaterThan(8)
      expect(tries.length).toBeLessThan(40)
      watched.afterSave = Effect.void
      for (let second = 0; second < 60; second++) yield* TestClock.adjust("1 second")
      expect(yield* batchOf(id)).toMatchObject({ state: "completed", counts: { accepted: 2, duplicates: 0 } })
      expect(watched.saved).toHaveLength(2)
    }).pipe(Effect.provide(layerWorking))
  )

  it.effect("ends a batch whose next chunk never comes, and tells it", () =>
    Effect.gen(function* () {
      const id = yield* filled("waiting", 2, false)
      yield* TestClock.adjust("1 minute")
      expect(yield* batchOf(id)).toMatchObject({ state: "running", counts: { accepted: 4 } })
      yield* TestClock.adjust("5 minutes")
      expect(yield* batchOf(id)).toMatchObject({ state: "completed", lastChunk: 2 })
      const { told } = yield* Watched
      expect(told.at(-1)).toMatchObject({ topic: "batch:waiting", data: { state: "completed" } })
    }).pipe(Effect.provide(layerWorking))
  )
})
