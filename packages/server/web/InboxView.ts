/**
 * What a panel shows: the list as the server last gave it, with every event since folded in.
 *
 * **Details**
 *
 * Events that come while a list is on its way are folded in twice: at once, and again on the list, because the list may be from
 * before them. Folding is idempotent as long as the order is kept.
 */
import { DateTime } from "effect"
import type { InboxEvent, Notification, Page } from "@beckon/client"

export type Items = ReadonlyMap<string, Notification>

/** Folds one event in; answers the same map when nothing changed. */
export const apply = (items: Items, event: InboxEvent): Items => {
  switch (event._tag) {
    case "Notification":
      return new Map(items).set(event.notification.id, event.notification)
    case "Changed": {
      const next = new Map(items)
      for (const { deleted, id, readAt } of event.changes) {
        const item = next.get(id)
        if (deleted) next.delete(id)
        else if (item !== undefined) next.set(id, { ...item, readAt })
      }
      return next
    }
    case "AllRead":
      return new Map(
        [...items].map(([id, item]) =>
          item.readAt === null && item.seq <= event.upToSeq ? [id, { ...item, readAt: event.readAt }] : [id, item]
        )
      )
    case "Subscribed":
    case "CaughtUp":
    case "Unknown":
      return items
  }
}

/** Adds a page of the list below what is there. */
export const add = (items: Items, page: Page): Items => {
  const next = new Map(items)
  for (const item of page.items) next.set(item.id, item)
  return next
}

export const newestFirst = (items: Items): ReadonlyArray<Notification> =>
  [...items.values()].toSorted((a, b) => b.seq - a.seq)

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" })

const units = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000]
] as const

/** "just now", "5 min. ago", "yesterday". */
export const ago = (at: DateTime.Utc, nowMillis: number): string => {
  const age = nowMillis - DateTime.toEpochMillis(at)
  const unit = units.find(([, length]) => age >= length)
  return unit === undefined ? "just now" : relative.format(-Math.floor(age / unit[1]), unit[0])
}
