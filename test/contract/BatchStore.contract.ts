import { cancelKeyOf } from "@beckon/domain/Batch"
import type { BatchStore } from "@beckon/domain/ports/BatchStore"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Effect, Option } from "effect"
import {
  batchOf,
  chunkOf,
  claimAt,
  drain,
  errorOf,
  filled,
  newBatch,
  report,
  reportOf,
  rowsFrom,
  secondsAfterNoon,
  takeAt
} from "./BatchFixtures.ts"
import { email, planned, push } from "./DeliveryFixtures.ts"
import type { DeliveryServices } from "./DeliveryStore.contract.ts"
import { freshTenant, hoursAfterNoon, noon, user } from "./Fixtures.ts"

const counts = {
  total: 0,
  pending: 0,
  accepted: 0,
  duplicates: 0,
  failed: 0,
  invalid: 0,
  cancelled: 0
}

export const batchStoreContract = (it: Vitest.MethodsNonLive<BatchStore | DeliveryServices>) => {
  it.effect("a batch is kept as it was opened, once for each request id, and listed newest first", () =>
    Effect.gen(function* () {
      const store = yield* drain
      const tenantId = freshTenant()
      const first = newBatch(tenantId, {
        kind: "csv",
        state: "open",
        name: "Spring ø",
        content: { notificationType: "sale", templateCode: "sale", variables: { deep: [1, { text: "👋" }] } },
        sendAt: hoursAfterNoon(2),
        details: { mapping: { Email: "email" } },
        requestId: "spring",
        correlationId: "c-1"
      })
      const opened = yield* store.open(first, noon)
      expect(opened).toMatchObject({ _tag: "Opened", batch: { id: first.id, state: "open", counts, chunks: 0 } })
      expect(yield* store.open({ ...newBatch(tenantId), requestId: "spring" }, noon)).toEqual({
        _tag: "Known",
        batch: opened.batch,
        digest: "opening"
      })
      const second = newBatch(tenantId)
      yield* store.open(second, noon)
      expect((yield* store.open({ ...newBatch(freshTenant()), requestId: "spring" }, noon))._tag).toBe("Opened")
      expect(yield* batchOf(tenantId, first.id)).toEqual(opened.batch)
      expect(yield* store.get(freshTenant(), first.id)).toEqual(Option.none())
      const ids = (batches: ReadonlyArray<{ readonly id: string }>) => batches.map(({ id }) => id)
      expect(ids(yield* store.list(tenantId, { limit: 10 }))).toEqual([second.id, first.id])
      expect(ids(yield* store.list(tenantId, { limit: 1 }))).toEqual([second.id])
      expect(ids(yield* store.list(tenantId, { limit: 10, beforeId: second.id }))).toEqual([first.id])
      expect(ids(yield* store.list(tenantId, { limit: 10, kind: "csv" }))).toEqual([first.id])
      expect(ids(yield* store.list(tenantId, { limit: 10, state: "running" }))).toEqual([second.id])
    })
  )

  it.effect("a chunk comes once: the same rows again are known, other rows are refused", () =>
    Effect.gen(function* () {
      const store = yield* drain
      const tenantId = freshTenant()
      const { batch } = yield* store.open(newBatch(tenantId), noon)
      const errors = [errorOf(3, { raw: ["a", "ø,b"] }), errorOf(4, { userId: null })]
      const chunk = chunkOf(1, 2, { errors })
      const after = { ...counts, total: 4, pending: 2, invalid: 2 }
      expect(yield* store.addChunk(tenantId, batch.id, chunk, noon)).toMatchObject({
        _tag: "Added",
        batch: { counts: after, chunks: 1, keptErrors: 2 }
      })
      expect(yield* store.addChunk(tenantId, batch.id, chunk, noon)).toMatchObject({
        _tag: "Known",
        batch: { counts: after }
      })
      expect(yield* store.addChunk(tenantId, batch.id, { ...chunk, digest: "other" }, noon)).toEqual({
        _tag: "Differs"
      })
      expect(yield* store.addChunk(freshTenant(), batch.id, chunk, noon)).toEqual({ _tag: "NotFound" })
      expect(yield* store.errors(tenantId, batch.id, { limit: 10 })).toEqual(errors)
      expect(yield* store.errors(tenantId, batch.id, { limit: 1, afterRow: 3 })).toEqual(errors.slice(1))
      expect(yield* store.errors(freshTenant(), batch.id, { limit: 10 })).toEqual([])
    })
  )

  it.effect("chunks come in any order; the last one says how many there are", () =>
    Effect.gen(function* () {
      const store = yield* drain
      const tenantId = freshTenant()
      const { batch } = yield* store.open(newBatch(tenantId), noon)
      const add = (number: number, final = false, count = 1) =>
        Effect.map(store.addChunk(tenantId, batch.id, chunkOf(number, count, { final }), noon), ({ _tag }) => _tag)
      expect(yield* add(3, true)).toBe("Added")
      expect(yield* add(4)).toBe("Closed")
      expect(yield* add(1, true)).toBe("NotLast")
      expect(yield* add(1)).toBe("Added")
      expect(yield* batchOf(tenantId, batch.id)).toMatchObject({ chunks: 2, lastChunk: 3 })
      for (const _ of [1, 2]) yield* report(yield* takeAt(noon), reportOf(1))
      expect(yield* batchOf(tenantId, batch.id)).toMatchObject({ state: "running", finishedAt: null })
      // The missing one, without rows: everything is done.
      expect(yield* add(2, false, 0)).toBe("Added")
      expect(yield* batchOf(tenantId, batch.id)).toMatchObject({
        state: "completed",
        counts: { ...counts, total: 2, accepted: 2 },
        finishedAt: noon
      })
      expect(yield* add(2, false, 0)).toBe("Known")
      expect(yield* add(5)).toBe("Closed")
    })
  )

  it.effect("a known chunk can still be said to be the last one", () =>
    Effect.gen(function* () {
      const store = yield* drain
      const tenantId = freshTenant()
      const { batch } = yield* store.open(newBatch(tenantId), noon)
      yield* store.addChunk(tenantId, batch.id, chunkOf(1, 1), noon)
      yield* report(yield* takeAt(noon), reportOf(1))
      expect(yield* store.addChunk(tenantId, batch.id, chunkOf(1, 1, { final: true }), noon)).toMatchObject({
        _tag: "Known",
        batch: { state: "completed", counts: { total: 1, accepted: 1 } }
      })
    })
  )

  it.effect("a claim is a fence: a report moves the mark, and a worker that lost its lease changes nothing", () =>
    Effect.gen(function* () {
      yield* drain
      const tenantId = freshTenant()
      const id = yield* filled(tenantId, [5])
      const first = yield* takeAt(noon)
      expect(first).toMatchObject({ tenantId, batchId: id, number: 1, rows: rowsFrom(1, 5), triedSince: noon })
      expect(yield* claimAt(noon)).toEqual(Option.none())
      expect(yield* report(first, reportOf(2))).toMatchObject({
        _tag: "Reported",
        done: false,
        batch: { counts: { pending: 3, accepted: 2 } }
      })
      // The lease ends: another one goes on at the mark.
      const second = yield* takeAt(secondsAfterNoon(60))
      expect(second).toMatchObject({ rows: rowsFrom(3, 3), triedSince: noon })
      expect(yield* report(first, reportOf(3), secondsAfterNoon(61))).toEqual({ _tag: "Lost" })
      const mixed = reportOf(3, { accepted: 1, duplicates: 1, errors: [errorOf(5)] })
      expect(yield* report(second, mixed, secondsAfterNoon(62))).toMatchObject({ _tag: "Reported", done: true })
      expect(yield* batchOf(tenantId, id)).toMatchObject({
        state: "completed",
        counts: { ...counts, total: 5, accepted: 3, duplicates: 1, failed: 1 },
        keptErrors: 1,
        finishedAt: secondsAfterNoon(62)
      })
      expect(yield* report(second, reportOf(1), secondsAfterNoon(63))).toEqual({ _tag: "Lost" })
    })
  )

  it.effect("a chunk that is given back is due when its worker says", () =>
    Effect.gen(function* () {
      const store = yield* drain
      yield* filled(freshTenant(), [2])
      yield* store.release(yield* takeAt(noon), { due: secondsAfterNoon(5), certain: false })
      expect(yield* claimAt(secondsAfterNoon(4))).toEqual(Option.none())
      expect((yield* takeAt(secondsAfterNoon(5))).rows).toHaveLength(2)
    })
  )

  it.effect("tenants take turns, and so do the batches of one; nothing is sent before its time", () =>
    Effect.gen(function* () {
      yield* drain
      const [big, small] = [freshTenant(), freshTenant()]
      const one = yield* filled(big, [1, 1, 1])
      const two = yield* filled(big, [1, 1, 1])
      yield* filled(big, [1], { sendAt: hoursAfterNoon(1) })
      const other = yield* filled(small, [1, 1])
      const order: Array<string> = []
      for (let second = 1; second <= 8; second++) {
        order.push((yield* takeAt(secondsAfterNoon(second))).batchId)
      }
      expect(new Set(order.slice(0, 2))).toContain(other)
      expect(new Set(order.slice(2, 4))).toContain(other)
      expect(order.filter((id) => id === other)).toHaveLength(2)
      expect(new Set(order.filter((id) => id !== other).slice(0, 2))).toEqual(new Set([one, two]))
      expect(yield* claimAt(secondsAfterNoon(9))).toEqual(Option.none())
      expect((yield* takeAt(hoursAfterNoon(1))).rows).toHaveLength(1)
    })
  )

  it.effect("workers that claim at once never get the same", () =>
    Effect.gen(function* () {
      yield* drain
      yield* filled(
        freshTenant(),
        Array.from({ length: 10 }, () => 1)
      )
      const claims = yield* Effect.all(
        Array.from({ length: 12 }, () => claimAt(noon)),
        { concurrency: "unbounded" }
      )
      const numbers = claims.flatMap((claim) => (Option.isSome(claim) ? [claim.value.number] : []))
      expect(numbers.toSorted((left, right) => left - right)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    })
  )

  it.effect("reports at once are all counted", () =>
    Effect.gen(function* () {
      yield* drain
      const tenantId = freshTenant()
      const id = yield* filled(tenantId, [3, 3, 3, 3])
      const claims = yield* Effect.forEach([1, 2, 3, 4], () => takeAt(noon))
      const all = claims.flatMap((claim) => [claim, claim, claim])
      yield* Effect.forEach(all, (claim) => report(claim, reportOf(1)), { concurrency: "unbounded" })
      expect(yield* batchOf(tenantId, id)).toMatchObject({ state: "completed", counts: { pending: 0, accepted: 12 } })
    })
  )

  it.effect("a paused batch lends nothing until it goes on; its lent chunk may be reported", () =>
    Effect.gen(function* () {
      const store = yield* drain
      const tenantId = freshTenant()
      const id = yield* filled(tenantId, [2, 2])
      const lent = yield* takeAt(noon)
      const change = (what: "pause" | "resume" | "cancel") =>
        Effect.map(store.change(tenantId, id, what, noon), ({ _tag }) => _tag)
      expect(yield* change("resume")).toBe("Unchanged")
      expect(yield* change("pause")).toBe("Changed")
      expect(yield* change("pause")).toBe("Unchanged")
      expect((yield* store.change(freshTenant(), id, "pause", noon))._tag).toBe("NotFound")
      expect(yield* report(lent, reportOf(1))).toMatchObject({ batch: { state: "paused", counts: { accepted: 1 } } })
      yield* store.release(lent, { due: noon, certain: true })
      expect(yield* claimAt(hoursAfterNoon(1))).toEqual(Option.none())
      expect(yield* change("resume")).toBe("Changed")
      for (const _ of [1, 2]) {
        const claim = yield* takeAt(noon)
        yield* report(claim, reportOf(claim.rows.length))
      }
      expect(yield* batchOf(tenantId, id)).toMatchObject({ state: "completed", counts: { accepted: 4 } })
      for (const what of ["pause", "resume", "cancel"] as const) expect(yield* change(what)).toBe("Refused")
    })
  )

  it.effect("cancelling throws away what nobody began; what was begun is settled by a worker", () =>
    Effect.gen(function* () {
      const store = yield* drain
      const tenantId = freshTenant()
      const id = yield* filled(tenantId, [3, 3, 3, 3])
      const [lent, lost, back] = [yield* takeAt(noon), yield* takeAt(noon), yield* takeAt(noon)]
      yield* report(lent, reportOf(1))
      yield* report(back, reportOf(1))
      yield* store.release(back, { due: noon, certain: true })
      expect(yield* store.change(tenantId, id, "cancel", secondsAfterNoon(1))).toMatchObject({
        _tag: "Changed",
        batch: { state: "cancelled", counts: { pending: 5, accepted: 2, cancelled: 5 } }
      })
      expect(yield* store.change(tenantId, id, "cancel", secondsAfterNoon(2))).toMatchObject({ _tag: "Unchanged" })
      expect(yield* store.addChunk(tenantId, id, chunkOf(9, 1), noon)).toMatchObject({ _tag: "Closed" })
      expect(yield* report(lent, reportOf(2, { accepted: 1, cancelled: 1 }))).toMatchObject({ done: true })
      expect(yield* claimAt(secondsAfterNoon(59))).toEqual(Option.none())
      const settling = yield* takeAt(secondsAfterNoon(60))
      expect(settling).toMatchObject({ number: lost.number, batch: { state: "cancelled" }, rows: lost.rows })
      yield* report(settling, reportOf(3, { accepted: 2, cancelled: 1 }), secondsAfterNoon(60))
      expect(yield* batchOf(tenantId, id)).toMatchObject({
        state: "cancelled",
        counts: { ...counts, total: 12, accepted: 5, cancelled: 7 }
      })
      expect(yield* claimAt(hoursAfterNoon(1))).toEqual(Option.none())
    })
  )

  it.effect("an open batch is not sent before it is whole, and can be given up", () =>
    Effect.gen(function* () {
      const store = yield* drain
      const tenantId = freshTenant()
      const open = Effect.fnUntraced(function* () {
        const { batch } = yield* store.open(newBatch(tenantId, { kind: "csv", state: "open" }), noon)
        yield* store.addChunk(tenantId, batch.id, chunkOf(1, 2), noon)
        yield* store.addChunk(tenantId, batch.id, chunkOf(2, 2), noon)
        return batch.id
      })
      const [whole, cut, empty] = [yield* open(), yield* open(), newBatch(tenantId, { state: "open" })]
      expect(yield* claimAt(hoursAfterNoon(1))).toEqual(Option.none())
      expect(yield* store.change(tenantId, whole, "pause", noon)).toMatchObject({ _tag: "Refused" })
      expect(yield* store.abandon(tenantId, cut, "cut", noon)).toMatchObject({
        _tag: "Changed",
        batch: { state: "failed", reason: "cut", counts: { pending: 0, cancelled: 4 } }
      })
      expect(yield* store.abandon(tenantId, cut, "cut", noon)).toMatchObject({ _tag: "Refused" })
      expect(yield* store.seal(tenantId, cut, 2, noon)).toMatchObject({ _tag: "Refused" })
      expect(yield* store.seal(tenantId, whole, 2, noon)).toMatchObject({
        _tag: "Changed",
        batch: { state: "running" }
      })
      expect((yield* takeAt(noon)).batchId).toBe(whole)
      yield* store.open(empty, noon)
      expect(yield* store.seal(tenantId, empty.id, 0, noon)).toMatchObject({ batch: { state: "completed" } })
    })
  )

  it.effect("what gets no news in time ends: an open batch failed, one that waits for chunks has them all", () =>
    Effect.gen(function* () {
      const store = yield* drain
      const tenantId = freshTenant()
      const soon = { expiresAt: hoursAfterNoon(1) }
      const open = yield* store.open(newBatch(tenantId, { ...soon, state: "open" }), noon)
      const kept = yield* store.open(newBatch(tenantId, { ...soon, state: "open" }), noon)
      const waiting = yield* store.open(newBatch(tenantId, soon), noon)
      const full = yield* filled(tenantId, [1], soon)
      yield* store.addChunk(tenantId, waiting.batch.id, chunkOf(1, 1, soon), noon)
      yield* store.addChunk(tenantId, open.batch.id, chunkOf(1, 1, soon), noon)
      yield* store.prolong(tenantId, kept.batch.id, hoursAfterNoon(3))
      expect(yield* store.expire(secondsAfterNoon(3_599), 10)).toEqual([])
      const ended = yield* store.expire(hoursAfterNoon(1), 10)
      expect(new Map(ended.map(({ id, state }) => [id, state]))).toEqual(
        new Map([
          [open.batch.id, "failed"],
          [waiting.batch.id, "running"]
        ])
      )
      expect(yield* store.expire(hoursAfterNoon(2), 10)).toEqual([])
      for (const _ of [1, 2]) yield* report(yield* takeAt(hoursAfterNoon(2)), reportOf(1))
      expect(yield* batchOf(tenantId, waiting.batch.id)).toMatchObject({ state: "completed", lastChunk: 1 })
      expect(yield* batchOf(tenantId, full)).toMatchObject({ state: "completed" })
      expect(yield* batchOf(tenantId, kept.batch.id)).toMatchObject({ state: "open" })
    })
  )

  it.effect("what became of a batch is counted by state and channel", () =>
    Effect.gen(function* () {
      const store = yield* drain
      const notifications = yield* NotificationStore
      const tenantId = freshTenant()
      const { batch } = yield* store.open(newBatch(tenantId), noon)
      const key = { tenantId, userId: user("ada") }
      const options = { cancelKey: cancelKeyOf(batch.id) }
      const [first] = yield* planned(key, [push, { ...email, dueAt: hoursAfterNoon(9) }], 3, { options })
      yield* planned({ tenantId, userId: user("bob") }, [push], 1, { options: { cancelKey: "batch:other" } })
      if (first === undefined) return expect.unreachable()
      yield* notifications.setRead(key, [first.id], true, noon)
      expect(yield* store.outcomes(tenantId, batch.id)).toEqual({
        notifications: { read: 1, unread: 2 },
        deliveries: [
          { channel: "email", state: "pending", count: 3 },
          { channel: "push", state: "pending", count: 3 }
        ]
      })
      expect(yield* store.outcomes(freshTenant(), batch.id)).toEqual({
        notifications: { read: 0, unread: 0 },
        deliveries: []
      })
    })
  )
}
