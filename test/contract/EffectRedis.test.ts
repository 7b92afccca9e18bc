import { expect, layer } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Queue, Schedule, Schema } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Persistable from "effect/persistence/Persistable"
import * as PersistedCache from "effect/persistence/PersistedCache"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Redis from "effect/persistence/Redis"
import { TestClock } from "effect/testing"
import { layerRedisCluster, layerSharedRedis } from "../support/services/RedisLayers.ts"
import * as EffectRedis from "@beckon/infra/redis/EffectRedis"
import { RedisClient } from "@beckon/infra/redis/RedisClient"

class Square extends Persistable.Class<{ payload: { readonly of: number } }>()("Square", {
  primaryKey: ({ of }) => String(of),
  success: Schema.Int
}) {}

const count = Redis.script((key: string) => [key], {
  lua: `return redis.call("INCR", KEYS[1])`,
  numberOfKeys: 1
}).withReturnType<number>()

/** A store of its own, as another node has. */
const another = <I, S, E, R>(tag: Context.Key<I, S>, of: Layer.Layer<I, E, R>) =>
  Effect.map(Layer.build(Layer.fresh(of)), Context.get(tag))

const effectRedis = (it: Vitest.MethodsNonLive<Redis.Redis | RedisClient>) => {
  it.effect("sends commands, runs scripts also after Redis has forgotten them, and fails with a RedisError", () =>
    Effect.gen(function* () {
      const redis = yield* Redis.Redis
      const key = (yield* RedisClient).key("test", "count")
      expect(yield* redis.eval(count)(key)).toBe(1)
      yield* redis.send("SCRIPT", "FLUSH")
      expect(yield* redis.eval(count)(key)).toBe(2)
      expect(yield* redis.send<string>("GET", key)).toBe("2")
      expect(yield* Effect.flip(redis.send("HGET", key, "field"))).toMatchObject({
        _tag: "RedisError",
        cause: { _tag: "RedisUnavailable", code: "WRONGTYPE" }
      })
    })
  )

  it.effect("subscribes for the lifetime of a scope", () =>
    Effect.gen(function* () {
      const redis = yield* Redis.Redis
      const channel = (yield* RedisClient).spreadKey("test", "channel")
      const messages = yield* redis.subscribe(channel)
      const published = redis.send<number>("PUBLISH", channel, "hello")
      yield* TestClock.withLive(
        Effect.repeat(published, { until: (n) => n === 1, schedule: Schedule.spaced("10 millis") })
      )
      expect(yield* Queue.take(messages)).toEqual({ channel, message: "hello" })
    })
  )

  it.effect("a reserved connection blocks for itself alone, for longer than a command may take", () =>
    Effect.gen(function* () {
      const redis = yield* Redis.Redis
      const list = (yield* RedisClient).key("test", "list")
      const connection = yield* redis.reserve
      const waiting = yield* Effect.forkChild(connection.send("BLPOP", list, "0"), { startImmediately: true })
      yield* redis.send("PING")
      yield* TestClock.withLive(Effect.sleep("600 millis"))
      expect(waiting.pollUnsafe()).toBeUndefined()
      yield* redis.send("RPUSH", list, "hello")
      expect(yield* Fiber.join(waiting)).toEqual([list, "hello"])
    })
  )

  it.effect("a rate limit holds over nodes", () =>
    Effect.gen(function* () {
      const nodes = yield* Effect.forEach([1, 2], () =>
        another(RateLimiter.RateLimiter, RateLimiter.layer.pipe(Layer.provide(EffectRedis.layerRateLimiterStore)))
      )
      for (const algorithm of ["fixed-window", "token-bucket"] as const) {
        const consume = (node: RateLimiter.RateLimiter) =>
          node.consume({ algorithm, window: "1 minute", limit: 4, key: `sender-${algorithm}`, onExceeded: "fail" })
        for (const node of [...nodes, ...nodes]) yield* consume(node)
        for (const node of nodes) {
          expect(yield* Effect.flip(consume(node))).toMatchObject({ reason: { _tag: "RateLimitExceeded" } })
        }
      }
      const client = yield* RedisClient
      expect(yield* client.send("EXISTS", client.key("rate", "sender-fixed-window"))).toBe(1)
    })
  )

  it.effect("a result that one node worked out is there for the other", () =>
    Effect.gen(function* () {
      let worked = 0
      const cache = PersistedCache.make(
        (square: Square) =>
          Effect.sync(() => {
            worked++
            return square.of * square.of
          }),
        { storeId: "squares", timeToLive: () => "1 minute" }
      ).pipe(Effect.provide(Layer.fresh(EffectRedis.layerPersistence)))
      const [one, two] = [yield* cache, yield* cache]
      expect(yield* one.get(new Square({ of: 7 }))).toBe(49)
      expect(yield* two.get(new Square({ of: 7 }))).toBe(49)
      expect(worked).toBe(1)
      const client = yield* RedisClient
      const kept = `${client.key("cache", "squares").replaceAll(":", "%3A")}:7`
      expect(yield* client.send("EXISTS", kept)).toBe(1)
      yield* one.invalidate(new Square({ of: 7 }))
      expect(yield* (yield* cache).get(new Square({ of: 7 }))).toBe(49)
      expect(worked).toBe(2)
    })
  )

  it.effect("a circuit that one node opened is open for the other", () =>
    Effect.gen(function* () {
      const breaker = Effect.flatMap(
        another(CircuitBreaker.CircuitBreakerStore, EffectRedis.layerCircuitBreakerStore),
        (store) =>
          Effect.provideService(
            CircuitBreaker.make({ tripPolicy: CircuitBreaker.consecutive(2), openDuration: "1 minute" }),
            CircuitBreaker.CircuitBreakerStore,
            store
          )
      )
      const [one, two] = [yield* breaker, yield* breaker]
      const broken = Effect.fail("broken")
      expect(yield* Effect.flip(one.execute(broken, { key: "provider" }))).toBe("broken")
      expect(yield* Effect.flip(two.execute(broken, { key: "provider" }))).toBe("broken")
      const refused = { _tag: "CircuitBreakerError", reason: { _tag: "CircuitOpen" } }
      expect(yield* Effect.flip(one.execute(broken, { key: "provider" }))).toMatchObject(refused)
      expect(yield* Effect.flip(two.execute(broken, { key: "provider" }))).toMatchObject(refused)
    })
  )
}

const over = <E>(redis: Layer.Layer<RedisClient, E>) =>
  layer(EffectRedis.layer.pipe(Layer.provideMerge(redis)), { timeout: "60 seconds" })

over(layerSharedRedis({ commandTimeout: "500 millis" }))("Effect's Redis over ioredis", effectRedis)
over(layerRedisCluster)("Effect's Redis over ioredis, on a Redis Cluster", effectRedis)
