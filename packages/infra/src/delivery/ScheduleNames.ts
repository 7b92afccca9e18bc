/**
 * Which scheduled notifications are one: those with the same tenant, user and dedupe key.
 */
import type { Scheduled } from "@beckon/domain/ports/ScheduleStore"

/** The same for entries that are one. */
export const nameOf = ({ draft, id }: Pick<Scheduled, "draft" | "id">): string =>
  draft.dedupeKey === undefined ? id : [draft.tenantId, draft.userId, draft.dedupeKey].join("\u0000")

/** The first entry of each name. */
export const namesOf = (entries: ReadonlyArray<Scheduled>): ReadonlyMap<string, Scheduled> => {
  const first = new Map<string, Scheduled>()
  for (const entry of entries) {
    const name = nameOf(entry)
    if (!first.has(name)) first.set(name, entry)
  }
  return first
}
