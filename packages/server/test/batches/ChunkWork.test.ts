import { describe, expect, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Exit, Fiber, Option } from "effect"
import { TestClock } from "effect/testing"
import { BatchId } from "@beckon/domain/Batch"
import type { BatchRow } from "@beckon/domain/Batch"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { BatchStore } from "@beckon/domain/ports/BatchStore"
import type { NewBatch } from "@beckon/domain/ports/BatchStore"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { Unavailable } from "@beckon/domain/Problem"
import { ChunkWork } from "../../src/batches/ChunkWork.ts"
import { Mailboxes } from "../../src/mailbox/Mailboxes.ts"
import { layerBatchServices, Watched } from "./BatchServices.ts"

const tenantId = TenantId.make("acme")
const id = BatchId.make("01a1ff1c-ce64-7758-b5c2-76b54ff907db")
const lease = Duration.minutes(1)

const rowsOf = (count: number): ReadonlyArray<BatchRow> =>
  Array.from({ length: count }, (_, index) => ({ row: index + 1, userId: UserId.make(`user-${index + 1}`) }))

/** One batch of one chunk. */
const filled = Effect.fnUntraced(function* (
  rows: ReadonlyArray<BatchRow>,
  content: NewBatch["content"] = { notificationType: "sale", title: "Sale" }
) {
  const store = yield* BatchStore
  const now = yield* DateTime.now
  const expiresAt = DateTime.add(now, { days: 30 })
  yield* store.open(
    {
      id,
      tenantId,
      kind: "batch",
      state: "running",
      name: null,
      content,
      sendAt: null,
      details: null,
      requestId: null,
      digest: "",
      createdBy: "shop",
      correlationId: "c-1",
      expiresAt
    },
    now
  )
  yield* store.addChunk(tenantId, id, { number: 1, digest: "", rows, errors: [], final: true, expiresAt }, now)
})

const take = Effect.gen(function* () {
  const store = yield* BatchStore
  return yield* Effect.fromOption(yield* store.claim({ now: yield* DateTime.now, lease, worker: "worker" }))
})

const work = Effect.gen(function* () {
  const chunk = yield* take
  return yield* (yield* ChunkWork).run(chunk, () => false)
})

const batch = Effect.gen(function* () {
  return yield* Effect.fromOption(yield* (yield* BatchStore).get(tenantId, id))
})

const countsOf = Effect.map(batch, ({ counts, state }) => ({ state, ...counts }))

const cancel = Effect.gen(function* () {
  yield* (yield* BatchStore).change(tenantId, id, "cancel", yield* DateTime.now)
}).pipe(Effect.orDie)

const away = new Unavailable({ detail: "away" })

/** What happens once, after the drafts of a slice were saved. */
const once = Effect.fnUntraced(function* <R>(what: Effect.Effect<void, Unavailable, R>) {
  const watched = yield* Watched
  const context = yield* Effect.context<R>()
  watched.afterSave = Effect.suspend(() => {
    watched.afterSave = Effect.void
    return Effect.provideContext(what, context)
  })
})

const usersOf = Effect.map(Watched, ({ saved }) => saved.map(({ userId }) => String(userId)))

describe("a chunk of a batch", () => {
  it.effect("goes to the mailboxes slice by slice, each row with its own names", () =>
    Effect.gen(function* () {
      yield* filled(rowsOf(5))
      yield* work
      const { saved, told } = yield* Watched
      expect(yield* countsOf).toMatchObject({ state: "completed", total: 5, accepted: 5, pending: 0 })
      expect(saved.map(({ dedupeKey, options, title }) => [dedupeKey, options, title])[4]).toEqual([
        `batch:${id}:5`,
        { cancelKey: `batch:${id}`, correlationId: "c-1" },
        "Sale"
      ])
      expect(new Set(saved.map(({ id }) => id)).size).toBe(5)
      expect(saved[0]?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      // All within a quarter of a second: only the first and the last are told.
      expect(told.map(({ data, topic }) => [topic, data])).toMatchObject([
        [`batch:${id}`, { state: "running", counts: { accepted: 2 } }],
        [`batch:${id}`, { state: "completed", counts: { accepted: 5 } }]
      ])
    }).pipe(Effect.provide(layerBatchServices))
  )

  it.effect("rows that cannot be sent are errors that name the field, and stop nothing", () =>
    Effect.gen(function* () {
      const [one, two, three, four] = rowsOf(4)
      if (one === undefined || two === undefined || three === undefined || four === undefined) return
      yield* filled([
        { ...one, templateCode: "nowhere" },
        { ...two, title: "{{ name", variables: { name: "x" } },
        { ...three, title: "For {{ name }}", variables: { name: "Zoë" } },
        { ...four, title: "{{ name }} stays" }
      ])
      yield* work
      expect(yield* countsOf).toMatchObject({ state: "completed", accepted: 2, failed: 2 })
      const errors = yield* (yield* BatchStore).errors(tenantId, id, { limit: 10 })
      expect(errors.map(({ field, row, userId }) => [row, userId, field])).toEqual([
        [1, "user-1", "template_code"],
        [2, "user-2", "title"]
      ])
      // Words without variables are as they are.
      const { saved } = yield* Watched
      expect(saved.map(({ title }) => title)).toEqual(["For Zoë", "{{ name }} stays"])
    }).pipe(Effect.provide(layerBatchServices))
  )

  it.effect("a row whose user was erased is sent to nobody, and counts as cancelled", () =>
    Effect.gen(function* () {
      const erased = { row: 2, userId: "" as UserId, isErased: true } as const
      yield* filled(rowsOf(5).map((row) => (row.row === 2 ? erased : row)))
      yield* work
      expect(yield* countsOf).toMatchObject({
        state: "completed",
        accepted: 4,
        cancelled: 1,
        failed: 0,
        duplicates: 0,
        pending: 0
      })
      expect(yield* usersOf).toEqual(["user-1", "user-3", "user-4", "user-5"])
    }).pipe(Effect.provide(layerBatchServices))
  )

  for (const hours of [1, 30]) {
    it.effect(
      `${hours} hours after a slice was saved and not reported, nobody gets it twice`,
      () =>
        Effect.gen(function* () {
          yield* filled(rowsOf(5))
          yield* once(Effect.fail(away))
          expect(Exit.isFailure(yield* Effect.exit(work))).toBe(true)
          expect(yield* countsOf).toMatchObject({ accepted: 0, pending: 5 })
          yield* TestClock.adjust(Duration.hours(hours))
          yield* work
          expect(yield* countsOf).toMatchObject({ state: "completed", accepted: 5, duplicates: 0 })
          expect((yield* usersOf).toSorted()).toEqual(["user-1", "user-2", "user-3", "user-4", "user-5"])
        }).pipe(Effect.provide(layerBatchServices)),
      30_000
    )
  }

  it.effect("a request id that another call has used makes no notification and is a duplicate", () =>
    Effect.gen(function* () {
      const rows = rowsOf(2).map((row) => ({ ...row, requestId: "order-1" }))
      const [draft] = [
        { tenantId, userId: UserId.make("user-1"), type: "t", title: "T", message: "", priority: "low" }
      ] as const
      yield* (yield* Mailboxes).deliver([{ ...draft, dedupeKey: "request:order-1" }])
      yield* filled(rows)
      yield* work
      expect(yield* countsOf).toMatchObject({ state: "completed", accepted: 1, duplicates: 1 })
      expect(yield* usersOf).toEqual(["user-1", "user-2"])
    }).pipe(Effect.provide(layerBatchServices))
  )

  it.effect("cancelled in the middle: the slice that was being sent counts, the rest is not sent", () =>
    Effect.gen(function* () {
      yield* filled(rowsOf(5))
      yield* once(cancel)
      yield* work
      expect(yield* countsOf).toMatchObject({ state: "cancelled", accepted: 2, cancelled: 3, pending: 0 })
      expect(yield* usersOf).toEqual(["user-1", "user-2"])
      // What this slice made after the caller's cancellation has no deliveries left to plan.
      const planned = yield* (yield* DeliveryStore).plan(10, DateTime.makeUnsafe("2100-01-01"), () => [])
      expect(planned.notifications).toBe(0)
    }).pipe(Effect.provide(layerBatchServices))
  )

  it.effect(
    "cancelled after its worker died: what he had sent is counted, the rest is not sent",
    () =>
      Effect.gen(function* () {
        yield* filled(rowsOf(5))
        const dying = yield* Effect.forkChild(Effect.andThen(once(Effect.never), work))
        yield* Effect.yieldNow
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(dying)
        yield* cancel
        expect(yield* countsOf).toMatchObject({ state: "cancelled", accepted: 0, pending: 5 })
        yield* TestClock.adjust("30 hours")
        yield* work
        expect(yield* countsOf).toMatchObject({ state: "cancelled", accepted: 2, cancelled: 3, pending: 0 })
        expect(yield* usersOf).toEqual(["user-1", "user-2"])
        const now = yield* DateTime.now
        expect(yield* (yield* BatchStore).claim({ now, lease, worker: "w" })).toEqual(Option.none())
      }).pipe(Effect.provide(layerBatchServices)),
    30_000
  )

  it.effect("paused or stopped in the middle, it goes on at its mark", () =>
    Effect.gen(function* () {
      const store = yield* BatchStore
      yield* filled(rowsOf(6))
      const pause = Effect.flatMap(DateTime.now, (now) => store.change(tenantId, id, "pause", now))
      yield* once(Effect.orDie(Effect.asVoid(pause)))
      yield* work
      expect(yield* countsOf).toMatchObject({ state: "paused", accepted: 2, pending: 4 })
      yield* store.change(tenantId, id, "resume", yield* DateTime.now)
      let stopping = false
      yield* once(Effect.sync(() => void (stopping = true)))
      yield* (yield* ChunkWork).run(yield* take, () => stopping)
      expect(yield* countsOf).toMatchObject({ state: "running", accepted: 4, pending: 2 })
      // At once, without waiting for a lease.
      yield* work
      expect(yield* countsOf).toMatchObject({ state: "completed", accepted: 6 })
      expect(yield* usersOf).toHaveLength(6)
    }).pipe(Effect.provide(layerBatchServices))
  )

  it.effect("two workers: one that was frozen longer than its lease changes nothing and sends nothing more", () =>
    Effect.gen(function* () {
      yield* filled(rowsOf(6))
      const frozen = yield* take
      yield* TestClock.adjust("61 seconds")
      yield* work
      expect(yield* countsOf).toMatchObject({ state: "completed", accepted: 6 })
      yield* (yield* ChunkWork).run(frozen, () => false)
      expect(yield* countsOf).toMatchObject({ state: "completed", accepted: 6, duplicates: 0 })
      expect((yield* usersOf).toSorted()).toEqual(rowsOf(6).map(({ userId }) => userId))
    }).pipe(Effect.provide(layerBatchServices))
  )

  it.effect("a slice that takes longer than the lease keeps its chunk", () =>
    Effect.gen(function* () {
      yield* filled(rowsOf(6))
      yield* once(Effect.sleep("5 minutes"))
      const slow = yield* Effect.forkChild(work)
      for (let minute = 0; minute < 4; minute++) {
        yield* TestClock.adjust("61 seconds")
        const now = yield* DateTime.now
        expect(yield* (yield* BatchStore).claim({ now, lease, worker: "other" })).toEqual(Option.none())
      }
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.join(slow)
      expect(yield* countsOf).toMatchObject({ state: "completed", accepted: 6 })
    }).pipe(Effect.provide(layerBatchServices))
  )
})
