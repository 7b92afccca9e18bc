import { cancelKeyOf } from "@beckon/domain/Batch"
import type { BatchId, BatchRow, RowError } from "@beckon/domain/Batch"
import type { DeliveryChannel, DeliveryState } from "@beckon/domain/Delivery"
import type { TenantId } from "@beckon/domain/Identifiers"
import { BatchStore } from "@beckon/domain/ports/BatchStore"
import type { Changed, ChunkClaim, ChunkRef } from "@beckon/domain/ports/BatchStore"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { DateTime, Effect, Layer, Option } from "effect"
import * as Record from "../batches/BatchRecord.ts"
import type { BatchRecord } from "../batches/BatchRecord.ts"
import { byBytes } from "./ByteOrder.ts"
import { MemoryNotifications } from "./MemoryNotifications.ts"

interface Chunk {
  readonly number: number
  readonly digest: string
  /** Of those that are not reported; none when it is closed. */
  rows: ReadonlyArray<BatchRow>
  dueAt: DateTime.Utc | null
  claims: number
  uncertain: boolean
  triedSince: DateTime.Utc | null
}

interface Entry {
  record: BatchRecord
  readonly chunks: Map<number, Chunk>
  readonly errors: Map<number, RowError>
}

/** A copy as a database would give it back: what the caller changes later is not saved. */
const copy = <A>(rows: ReadonlyArray<A>): ReadonlyArray<A> => JSON.parse(JSON.stringify(rows))

const isDue = ({ dueAt }: Chunk, now: DateTime.Utc): boolean =>
  dueAt !== null && DateTime.isLessThanOrEqualTo(dueAt, now)

const byDue = (left: Chunk, right: Chunk): number =>
  (left.dueAt?.epochMilliseconds ?? 0) - (right.dueAt?.epochMilliseconds ?? 0) || left.number - right.number

const servedFirst = (left: Entry, right: Entry): number =>
  left.record.servedAt.epochMilliseconds - right.record.servedAt.epochMilliseconds

const make = Effect.gen(function* () {
  const notifications = yield* MemoryNotifications
  const deliveries = yield* DeliveryStore
  const entries = new Map<string, Entry>()

  const nameOf = (tenantId: TenantId, id: BatchId): string => `${tenantId}\u0000${id}`
  const at = (tenantId: TenantId, id: BatchId) => entries.get(nameOf(tenantId, id))

  const keepErrors = ({ errors, record }: Entry, more: ReadonlyArray<RowError>): void => {
    for (const error of copy(more).slice(0, Record.roomForErrors(record))) errors.set(error.row, error)
  }

  const changing = (
    tenantId: TenantId,
    id: BatchId,
    decide: (entry: Entry) => BatchRecord | "Unchanged" | "Refused"
  ): Effect.Effect<Changed> =>
    Effect.sync(() => {
      const entry = at(tenantId, id)
      if (entry === undefined) return { _tag: "NotFound" }
      const decided = decide(entry)
      if (typeof decided === "string") return { _tag: decided, batch: Record.toBatch(entry.record) }
      entry.record = decided
      return { _tag: "Changed", batch: Record.toBatch(decided) }
    })

  const close = (chunk: Chunk): void => {
    chunk.rows = []
    chunk.dueAt = null
    chunk.uncertain = false
  }

  const closeUntouched = ({ chunks }: Entry) => {
    const closed = [...chunks.values()].filter(({ dueAt, uncertain }) => dueAt !== null && !uncertain)
    const rows = closed.reduce((sum, chunk) => sum + chunk.rows.length, 0)
    for (const chunk of closed) close(chunk)
    return { chunks: closed.length, rows }
  }

  const abandoned = (entry: Entry, reason: string, now: DateTime.Utc): BatchRecord => {
    entry.chunks.clear()
    return Record.abandoned(entry.record, reason, now)
  }

  /** The chunk, while the claim is the last one. */
  const held = ({ batchId, claim, number, tenantId }: ChunkRef) => {
    const entry = at(tenantId, batchId)
    const chunk = entry?.chunks.get(number)
    return entry === undefined || chunk === undefined || chunk.dueAt === null || chunk.claims !== claim
      ? undefined
      : { entry, chunk }
  }

  /** Of each tenant the batch that waits longest, the tenants by when they were served last. */
  const turns = (now: DateTime.Utc): ReadonlyArray<Entry> => {
    const active = [...entries.values()]
      .filter(({ record }) => Record.isActive(record) && DateTime.isLessThanOrEqualTo(record.servedAt, now))
      .toSorted(servedFirst)
    const lastServed = new Map<TenantId, number>()
    const first = new Map<TenantId, Entry>()
    for (const entry of active) {
      const { servedAt, tenantId } = entry.record
      lastServed.set(tenantId, servedAt.epochMilliseconds)
      if (!first.has(tenantId) && [...entry.chunks.values()].some((chunk) => isDue(chunk, now))) {
        first.set(tenantId, entry)
      }
    }
    const servedAt = ({ record }: Entry): number => lastServed.get(record.tenantId) ?? 0
    return [...first.values()].toSorted((left, right) => servedAt(left) - servedAt(right))
  }

  return BatchStore.of({
    open: (batch, now) =>
      Effect.sync(() => {
        const known = [...entries.values()].find(
          ({ record }) =>
            batch.requestId !== null && record.tenantId === batch.tenantId && record.requestId === batch.requestId
        )
        if (known !== undefined) {
          return { _tag: "Known", batch: Record.toBatch(known.record), digest: known.record.digest }
        }
        const record = Record.opened({ ...batch, content: structuredClone(batch.content) }, now)
        entries.set(nameOf(batch.tenantId, batch.id), { record, chunks: new Map(), errors: new Map() })
        return { _tag: "Opened", batch: Record.toBatch(record) }
      }),

    addChunk: (tenantId, id, chunk, now) =>
      Effect.sync(() => {
        const entry = at(tenantId, id)
        if (entry === undefined) return { _tag: "NotFound" }
        const { record } = entry
        const verdict = Record.verdictOf(record, chunk, entry.chunks.get(chunk.number)?.digest)
        switch (verdict) {
          case "Differs":
            return { _tag: "Differs" }
          case "Closed":
          case "NotLast":
            return { _tag: verdict, batch: Record.toBatch(record) }
          case "Known":
            if (chunk.final && record.lastChunk === null) entry.record = Record.withChunk(record, chunk, false, now)
            return { _tag: "Known", batch: Record.toBatch(entry.record) }
          case "Add":
            entry.chunks.set(chunk.number, {
              number: chunk.number,
              digest: chunk.digest,
              rows: copy(chunk.rows),
              dueAt: chunk.rows.length === 0 ? null : (record.sendAt ?? now),
              claims: 0,
              uncertain: false,
              triedSince: null
            })
            keepErrors(entry, chunk.errors)
            entry.record = Record.withChunk(record, chunk, true, now)
            return { _tag: "Added", batch: Record.toBatch(entry.record) }
        }
      }),

    seal: (tenantId, id, chunks, now) =>
      changing(tenantId, id, ({ record }) =>
        record.state === "open" ? Record.sealed(record, chunks, now) : "Refused"
      ),

    abandon: (tenantId, id, reason, now) =>
      changing(tenantId, id, (entry) => (entry.record.state === "open" ? abandoned(entry, reason, now) : "Refused")),

    prolong: (tenantId, id, expiresAt) =>
      Effect.sync(() => {
        const entry = at(tenantId, id)
        if (entry?.record.state === "open") entry.record = { ...entry.record, expiresAt }
      }),

    expire: (now, limit) =>
      Effect.sync(() => {
        const late = [...entries.values()]
          .filter(({ record: { expiresAt } }) => expiresAt !== null && DateTime.isLessThanOrEqualTo(expiresAt, now))
          .toSorted(
            ({ record: left }, { record: right }) =>
              (left.expiresAt?.epochMilliseconds ?? 0) - (right.expiresAt?.epochMilliseconds ?? 0)
          )
          .slice(0, limit)
        for (const entry of late) {
          entry.record =
            entry.record.state === "open" ? abandoned(entry, "incomplete", now) : Record.expired(entry.record, now)
        }
        return late.map(({ record }) => Record.toBatch(record))
      }),

    get: (tenantId, id) =>
      Effect.sync(() => Option.map(Option.fromUndefinedOr(at(tenantId, id)), ({ record }) => Record.toBatch(record))),

    list: (tenantId, { beforeId, kind, limit, state }) =>
      Effect.sync(() =>
        [...entries.values()]
          .map(({ record }) => record)
          .filter(
            (record) =>
              record.tenantId === tenantId &&
              (kind === undefined || record.kind === kind) &&
              (state === undefined || record.state === state) &&
              (beforeId === undefined || byBytes(record.id, beforeId) < 0)
          )
          .toSorted((left, right) => byBytes(right.id, left.id))
          .slice(0, limit)
          .map(Record.toBatch)
      ),

    errors: (tenantId, id, { afterRow = 0, limit }) =>
      Effect.sync(() =>
        copy(
          [...(at(tenantId, id)?.errors.values() ?? [])]
            .filter(({ row }) => row > afterRow)
            .toSorted((left, right) => left.row - right.row)
            .slice(0, limit)
        )
      ),

    outcomes: Effect.fn("BatchStore.outcomes")(function* (tenantId, id) {
      const mine = notifications
        .mailboxes(tenantId)
        .flatMap((mailbox) => mailbox.where(({ options }) => options?.cancelKey === cancelKeyOf(id)))
      const read = mine.filter(({ readAt }) => readAt !== null).length
      const counts = new Map<string, { channel: DeliveryChannel; state: DeliveryState; count: number }>()
      for (const notification of mine) {
        for (const { channel, state } of yield* deliveries.ofNotification(tenantId, notification.id)) {
          const name = `${channel} ${state}`
          counts.set(name, { channel, state, count: (counts.get(name)?.count ?? 0) + 1 })
        }
      }
      return {
        notifications: { read, unread: mine.length - read },
        deliveries: [...counts].toSorted(([left], [right]) => byBytes(left, right)).map(([, count]) => count)
      }
    }),

    change: (tenantId, id, change, now) =>
      changing(tenantId, id, (entry) => {
        const verdict = Record.changeOf(entry.record, change)
        if (verdict !== "Changed") return verdict
        if (change === "pause") return Record.paused(entry.record, now)
        if (change === "resume") return Record.resumed(entry.record, now)
        return Record.cancelled(entry.record, closeUntouched(entry), now)
      }),

    claim: ({ lease, now }) =>
      Effect.sync((): Option.Option<ChunkClaim> => {
        const [entry] = turns(now)
        const chunk =
          entry === undefined
            ? undefined
            : [...entry.chunks.values()].filter((each) => isDue(each, now)).toSorted(byDue)[0]
        if (entry === undefined || chunk === undefined) return Option.none()
        const { record } = entry
        chunk.claims += 1
        chunk.dueAt = DateTime.addDuration(now, lease)
        chunk.uncertain = true
        chunk.triedSince ??= now
        entry.record = { ...record, servedAt: now }
        return Option.some({
          tenantId: record.tenantId,
          batchId: record.id,
          number: chunk.number,
          claim: chunk.claims,
          batch: Record.toBatch(record),
          rows: copy(chunk.rows),
          triedSince: chunk.triedSince
        })
      }),

    report: (ref, report, until, now) =>
      Effect.sync(() => {
        const found = held(ref)
        if (found === undefined) return { _tag: "Lost" }
        const { chunk, entry } = found
        chunk.rows = chunk.rows.slice(report.rows)
        chunk.dueAt = until
        const done = chunk.rows.length === 0
        if (done) close(chunk)
        keepErrors(entry, report.errors)
        entry.record = Record.reported(entry.record, report, done, now)
        return { _tag: "Reported", batch: Record.toBatch(entry.record), done }
      }),

    release: (ref, { certain, due }) =>
      Effect.sync(() => {
        const found = held(ref)
        if (found === undefined) return
        found.chunk.dueAt = due
        found.chunk.uncertain = !certain
      })
  })
})

/** Batches in memory. */
export const layer: Layer.Layer<BatchStore, never, MemoryNotifications | DeliveryStore> = Layer.effect(BatchStore, make)
