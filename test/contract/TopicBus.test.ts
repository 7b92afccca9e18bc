import { TopicBus } from "@beckon/domain/ports/TopicBus"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import { RedisClient } from "@beckon/infra/redis/RedisClient"
import * as RedisTopicBus from "@beckon/infra/redis/RedisTopicBus"
import { describe, expect, it, layer } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import { layerRedisCluster, layerSharedRedis } from "../support/services/RedisLayers.ts"
import { sharedRedis, startRedis } from "../support/services/Services.ts"
import type { SharedRedis } from "../support/services/Services.ts"
import { topicBusContract } from "./TopicBus.contract.ts"

layer(MemoryTopicBus.layer)("TopicBus in the process", (it) => {
  topicBusContract(it)
})

layer(RedisTopicBus.layer.pipe(Layer.provide(layerSharedRedis())), { timeout: "60 seconds" })(
  "TopicBus in Redis",
  (it) => {
    topicBusContract(it)
  }
)

layer(RedisTopicBus.layer.pipe(Layer.provide(layerRedisCluster)), { timeout: "60 seconds" })(
  "TopicBus in a Redis Cluster",
  (it) => {
    topicBusContract(it)
  }
)

const node = ({ prefix, url }: SharedRedis) =>
  Effect.map(
    Layer.build(
      Layer.fresh(RedisTopicBus.layer).pipe(
        Layer.provide(RedisClient.layer({ servers: { kind: "single", url }, prefix, commandTimeout: "500 millis" }))
      )
    ),
    Context.get(TopicBus)
  )

describe("TopicBus between nodes", () => {
  it.effect("what one node publishes another gets, and a deployment with another prefix does not", () =>
    Effect.gen(function* () {
      const ours = yield* sharedRedis
      const [one, two, foreign] = [yield* node(ours), yield* node(ours), yield* node(yield* sharedRedis)]
      const stream = yield* two.subscribe("topic")
      yield* foreign.publish("topic", '"foreign"')
      yield* one.publish("topic", '"ours"')
      expect(yield* Stream.runCollect(Stream.take(stream, 1))).toEqual(['"ours"'])
    })
  )

  it.effect("subscriptions come back by themselves after Redis has been away", () =>
    Effect.gen(function* () {
      const redis = yield* startRedis()
      const place = { url: redis.url, prefix: "test" }
      const [one, two] = [yield* node(place), yield* node(place)]
      const stream = yield* two.subscribe("topic")
      yield* redis.kill
      expect((yield* Effect.flip(one.publish("topic", "1")))._tag).toBe("TopicBusUnavailable")
      yield* redis.start
      const got = yield* Effect.forkChild(Stream.runCollect(Stream.take(stream, 1)), { startImmediately: true })
      // Nobody says when the other node listens again: publish until it has.
      yield* Effect.ignore(one.publish("topic", "2")).pipe(
        Effect.repeat({ until: () => got.pollUnsafe() !== undefined, schedule: Schedule.spaced("20 millis") }),
        TestClock.withLive
      )
      expect(yield* Fiber.join(got)).toEqual(["2"])
    })
  )
})
