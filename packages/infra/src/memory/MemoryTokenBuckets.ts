import { TokenBuckets } from "@beckon/domain/ports/TokenBuckets"
import { filled, holds, levelOf } from "@beckon/domain/TokenBucket"
import type { TokenBucket } from "@beckon/domain/TokenBucket"
import { Clock, Effect, Layer } from "effect"

/** Above it, buckets that are full again are forgotten. */
const sweepAbove = 50_000

interface Kept extends TokenBucket {
  /** When it is full again, and as good as none. */
  fullAt: number
}

const make = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const kept = new Map<string, Kept>()
  let sweepAt = sweepAbove

  const sweep = (now: number) => {
    for (const [name, { fullAt }] of kept) if (fullAt <= now) kept.delete(name)
    sweepAt = Math.max(sweepAbove, kept.size * 2)
  }

  return TokenBuckets.of({
    take: (group, buckets, asked) =>
      Effect.sync(() => {
        const now = clock.currentTimeMillisUnsafe()
        const names = buckets.map(({ name }) => `${group}\u0000${name}`)
        const held = buckets.map(({ limit }, index) => filled(kept.get(names[index] ?? ""), limit, now))
        const ok = buckets.every(({ limit }, index) => holds(held[index] ?? 0, limit, asked))
        const levels = buckets.map(({ limit }, index) => {
          const tokens = (held[index] ?? 0) - (ok ? asked : 0)
          const level = levelOf(tokens, limit, ok ? 0 : asked)
          if (ok) kept.set(names[index] ?? "", { tokens, at: now, fullAt: now + level.fullAfter })
          return level
        })
        if (kept.size > sweepAt) sweep(now)
        return { ok, levels }
      })
  })
})

/** Token buckets of this process. */
export const layer: Layer.Layer<TokenBuckets> = Layer.effect(TokenBuckets, make)
