/**
 * The header `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date.
 */
import { Duration } from "effect"

/** Nobody waits longer than a day because a server says so. */
const longest = Duration.days(1)

/** `undefined` without the header, when it is not understood, and when its date is over; `now` in ms since 1970. */
export const retryAfterOf = (header: unknown, now: number): Duration.Duration | undefined => {
  if (typeof header !== "string") return undefined
  const text = header.trim()
  const millis = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - now
  return Number.isFinite(millis) && millis > 0 ? Duration.min(Duration.millis(millis), longest) : undefined
}
