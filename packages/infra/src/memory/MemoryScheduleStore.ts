import type { NotificationId } from "@beckon/domain/Identifiers"
import { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { ScheduleStore } from "@beckon/domain/ports/ScheduleStore"
import type { Scheduled } from "@beckon/domain/ports/ScheduleStore"
import { DateTime, Effect, Layer } from "effect"
import { nameOf, namesOf } from "../delivery/ScheduleNames.ts"

interface Row {
  readonly entry: Scheduled
  dueAt: DateTime.Utc
}

/** A copy as a database would give it back: what the caller changes later is not saved. */
const copy = (entry: Scheduled): Scheduled => ({ ...entry, draft: JSON.parse(JSON.stringify(entry.draft)) })

const make = Effect.sync(() => {
  const rows = new Map<NotificationId, Row>()
  const byName = new Map<string, NotificationId>()

  const remove = (id: NotificationId): void => {
    const row = rows.get(id)
    if (row === undefined) return
    rows.delete(id)
    byName.delete(nameOf(row.entry))
  }

  return ScheduleStore.of({
    add: (entries) =>
      Effect.suspend(() => {
        const fresh = [...namesOf(entries)].filter(
          ([name, { draft }]) => draft.dedupeKey === undefined || !byName.has(name)
        )
        const ids = fresh.map(([, { id }]) => id)
        if (new Set(ids).size < ids.length || ids.some((id) => rows.has(id))) {
          const cause = new Error("An id is taken")
          return Effect.fail(new StoreUnavailable({ operation: "ScheduleStore.add", cause }))
        }
        for (const [name, entry] of fresh) {
          rows.set(entry.id, { entry: copy(entry), dueAt: entry.sendAt })
          byName.set(name, entry.id)
        }
        return Effect.succeed(entries.map((entry) => byName.get(nameOf(entry)) ?? entry.id))
      }),

    claim: (limit, now, lease) =>
      Effect.sync(() => {
        const order = (left: Row, right: Row) =>
          left.dueAt.epochMilliseconds - right.dueAt.epochMilliseconds || (left.entry.id < right.entry.id ? -1 : 1)
        const due = [...rows.values()]
          .filter((row) => DateTime.isLessThanOrEqualTo(row.dueAt, now))
          .toSorted(order)
          .slice(0, limit)
        for (const row of due) row.dueAt = DateTime.addDuration(now, lease)
        return due
          .map(({ entry }) => copy(entry))
          .toSorted(
            (left, right) =>
              left.sendAt.epochMilliseconds - right.sendAt.epochMilliseconds || (left.id < right.id ? -1 : 1)
          )
      }),

    remove: (ids) =>
      Effect.sync(() => {
        for (const id of ids) remove(id)
      }),

    get: (tenantId, id) =>
      Effect.sync(() => {
        const entry = rows.get(id)?.entry
        return entry === undefined || entry.draft.tenantId !== tenantId ? undefined : copy(entry)
      }),

    cancel: (tenantId, target, now) =>
      Effect.sync(() => {
        const meant = [...rows.values()].filter(
          ({ dueAt, entry: { draft, id, sendAt } }) =>
            draft.tenantId === tenantId &&
            ("id" in target ? id === target.id : draft.options?.cancelKey === target.cancelKey) &&
            (DateTime.Equivalence(dueAt, sendAt) || DateTime.isLessThanOrEqualTo(dueAt, now))
        )
        for (const { entry } of meant) remove(entry.id)
        return meant.length
      })
  })
})

/** Scheduled notifications in memory. */
export const layer: Layer.Layer<ScheduleStore> = Layer.effect(ScheduleStore, make)
