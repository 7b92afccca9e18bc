/**
 * Ids that sort by the time at which they were made: UUIDv7 (RFC 9562 section 5.7).
 */
import type { DateTime } from "effect"

/** Not greater than any id that was made at `at` or later, and greater than all that were made before. */
export const idBefore = (at: DateTime.Utc): string => {
  const digits = Math.max(0, at.epochMilliseconds).toString(16).padStart(12, "0")
  return `${digits.slice(0, 8)}-${digits.slice(8)}`
}
