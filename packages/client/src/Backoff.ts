/**
 * How long to wait before the next attempt: exponential with full jitter, so that the clients of a restarted server do not
 * come back in step.
 *
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
import { Duration, Effect, Random } from "effect"

export interface Backoff {
  /** The upper bound of the first wait. */
  readonly base: Duration.Input
  /** The upper bound of any wait. */
  readonly max: Duration.Input
}

/** Draws the wait before attempt number `attempt` (the first is 0). */
export const delay = (backoff: Backoff, attempt: number): Effect.Effect<Duration.Duration> => {
  const bound = Math.min(Duration.toMillis(backoff.max), Duration.toMillis(backoff.base) * 2 ** attempt)
  return Effect.map(Random.next, (chance) => Duration.millis(chance * bound))
}
