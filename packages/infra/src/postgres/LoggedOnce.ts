/**
 * Warnings about rows that every query meets again: each is logged once in the life of a process.
 */
import { Effect } from "effect"

/** Subjects that are remembered; beyond it they are logged again. */
const maxSubjects = 10_000

/** Logs `message` with `details`, unless it has done so for this subject. */
export const make = () => {
  const known = new Set<string>()
  return (subject: string, message: string, details: Readonly<Record<string, unknown>>): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (known.has(subject)) return Effect.void
      if (known.size >= maxSubjects) known.clear()
      known.add(subject)
      return Effect.annotateLogs(Effect.logWarning(message), details)
    })
}
