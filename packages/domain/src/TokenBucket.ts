/**
 * The arithmetic of one token bucket; a test compares Redis's script with it.
 *
 * **Details**
 *
 * A bucket that nobody has touched is full. A call that asks for more than the burst gets it from a full bucket and leaves it in
 * debt, since it would never get it otherwise: a batch of 1,000 rows passes, and what comes after it waits.
 */
import type { RateLimit } from "./Tenant.ts"
import type { Level } from "./ports/TokenBuckets.ts"

export interface TokenBucket {
  tokens: number
  /** Milliseconds since 1970. */
  at: number
}

/** What it holds at `now`; a clock that goes back fills nothing. */
export const filled = (bucket: TokenBucket | undefined, { burst, perSecond }: RateLimit, now: number): number =>
  bucket === undefined ? burst : Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1_000) * perSecond)

/** Whether as many are there; of more than the burst, a full bucket. */
export const holds = (tokens: number, limit: RateLimit, asked: number): boolean =>
  tokens >= Math.min(asked, limit.burst)

export const levelOf = (tokens: number, limit: RateLimit, asked: number): Level => {
  // What binary fractions add is no millisecond.
  const millisFor = (missing: number) => Math.max(0, Math.ceil((missing / limit.perSecond) * 1_000 - 1e-6))
  return {
    remaining: Math.max(0, Math.floor(tokens)),
    fullAfter: millisFor(limit.burst - tokens),
    enoughAfter: millisFor(Math.min(asked, limit.burst) - tokens)
  }
}
