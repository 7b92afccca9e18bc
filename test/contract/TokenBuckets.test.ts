/**
 * One contract over the token buckets of a process and of Redis.
 */
import { TokenBuckets } from "@beckon/domain/ports/TokenBuckets"
import * as MemoryTokenBuckets from "@beckon/infra/memory/MemoryTokenBuckets"
import { RedisClient } from "@beckon/infra/redis/RedisClient"
import * as RedisTokenBuckets from "@beckon/infra/redis/RedisTokenBuckets"
import { describe, expect, layer } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Array, Effect, Layer, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { layerRedisCluster, layerSharedRedis } from "../support/services/RedisLayers.ts"

let groups = 0
const freshGroup = () => `tenant-${++groups}`

/** Fills so slowly that nothing comes back during a test. */
const still = (burst: number) => ({ perSecond: 0.01, burst })

const contract = (it: Vitest.MethodsNonLive<TokenBuckets>) => {
  it.effect("a bucket gives its burst and no more, and says when there is more", () =>
    Effect.gen(function* () {
      const { take } = yield* TokenBuckets
      const group = freshGroup()
      const bucket = [{ name: "a", limit: still(3) }]
      expect(yield* take(group, bucket, 2)).toMatchObject({ ok: true, levels: [{ remaining: 1, enoughAfter: 0 }] })
      const refused = yield* take(group, bucket, 2)
      expect(refused).toMatchObject({ ok: false, levels: [{ remaining: 1 }] })
      expect(refused.levels[0]?.enoughAfter).toBeGreaterThan(99_000)
      expect(refused.levels[0]?.enoughAfter).toBeLessThanOrEqual(100_000)
      expect(refused.levels[0]?.fullAfter).toBeGreaterThan(199_000)
      expect(yield* take(group, bucket, 1)).toMatchObject({ ok: true, levels: [{ remaining: 0 }] })
      expect((yield* take(group, bucket, 1)).ok).toBe(false)
      expect((yield* take(freshGroup(), bucket, 1)).ok).toBe(true)
      expect((yield* take(group, [{ name: "b", limit: still(3) }], 1)).ok).toBe(true)
    })
  )

  it.effect("of several buckets all give or none", () =>
    Effect.gen(function* () {
      const { take } = yield* TokenBuckets
      const group = freshGroup()
      const tenant = { name: "tenant", limit: still(10) }
      const ada = { name: "ada", limit: still(2) }
      yield* take(group, [tenant, ada], 2)
      for (let count = 0; count < 5; count++) {
        expect(yield* take(group, [tenant, ada], 1)).toMatchObject({
          ok: false,
          levels: [{ remaining: 8, enoughAfter: 0 }, { remaining: 0 }]
        })
      }
      expect(yield* take(group, [tenant], 8)).toMatchObject({ ok: true, levels: [{ remaining: 0 }] })
    })
  )

  it.effect("more than the burst comes from a full bucket and leaves a debt", () =>
    Effect.gen(function* () {
      const { take } = yield* TokenBuckets
      const group = freshGroup()
      const bucket = [{ name: "rows", limit: still(10) }]
      const big = yield* take(group, bucket, 1_000)
      expect(big).toMatchObject({ ok: true, levels: [{ remaining: 0 }] })
      expect(big.levels[0]?.fullAfter).toBeGreaterThan(99_000_000)
      expect((yield* take(group, bucket, 1)).levels[0]?.enoughAfter).toBeGreaterThan(99_000_000)
    })
  )

  it.effect("of many at the same time no more pass than there are tokens", () =>
    Effect.gen(function* () {
      const { take } = yield* TokenBuckets
      const group = freshGroup()
      const taken = yield* Effect.forEach(Array.range(1, 50), () => take(group, [{ name: "a", limit: still(20) }], 1), {
        concurrency: "unbounded"
      })
      expect(taken.filter(({ ok }) => ok)).toHaveLength(20)
    })
  )
}

describe("TokenBuckets", () => {
  layer(MemoryTokenBuckets.layer)("in memory", (it) => {
    contract(it)

    it.effect("tokens come back in time, up to the burst", () =>
      Effect.gen(function* () {
        const { take } = yield* TokenBuckets
        const group = freshGroup()
        const bucket = [{ name: "a", limit: { perSecond: 2, burst: 4 } }]
        yield* take(group, bucket, 4)
        yield* TestClock.adjust(499)
        expect(yield* take(group, bucket, 1)).toMatchObject({
          ok: false,
          levels: [{ enoughAfter: 1, fullAfter: 1_501 }]
        })
        yield* TestClock.adjust(1)
        expect((yield* take(group, bucket, 1)).ok).toBe(true)
        yield* TestClock.adjust("1 hour")
        expect(yield* take(group, bucket, 4)).toMatchObject({ ok: true, levels: [{ remaining: 0 }] })
        expect((yield* take(group, bucket, 1)).ok).toBe(false)
      })
    )
  })

  for (const [name, redis] of [
    ["in Redis", layerSharedRedis()],
    ["in a Redis Cluster", layerRedisCluster]
  ] as const) {
    layer(RedisTokenBuckets.layer.pipe(Layer.provideMerge(redis)), { timeout: "60 seconds" })(name, (it) => {
      contract(it)

      it.effect("tokens come back in time", () =>
        Effect.gen(function* () {
          const { take } = yield* TokenBuckets
          const group = freshGroup()
          const bucket = [{ name: "a", limit: { perSecond: 20, burst: 2 } }]
          yield* take(group, bucket, 2)
          expect((yield* take(group, bucket, 2)).ok).toBe(false)
          // Redis's own clock decides, so this is real time.
          yield* Effect.repeat(take(group, bucket, 2), { until: ({ ok }) => ok, schedule: Schedule.spaced("5 millis") })
        }).pipe(TestClock.withLive)
      )

      it.effect("a bucket that is full again leaves nothing in Redis", () =>
        Effect.gen(function* () {
          const { take } = yield* TokenBuckets
          const redis = yield* RedisClient
          const group = freshGroup()
          const key = redis.key(`limits:${group}\u0000`, "a")
          yield* take(group, [{ name: "a", limit: { perSecond: 50, burst: 2 } }], 1)
          yield* Effect.repeat(redis.send("EXISTS", key), {
            until: (count) => count === 0,
            schedule: Schedule.spaced("5 millis")
          })
        }).pipe(TestClock.withLive)
      )
    })
  }
})
