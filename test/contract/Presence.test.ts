import * as MemoryPresence from "@beckon/infra/memory/MemoryPresence"
import * as RedisPresence from "@beckon/infra/redis/RedisPresence"
import { layer } from "@effect/vitest"
import { Effect, Layer, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { layerRedisCluster, layerSharedRedis } from "../support/services/RedisLayers.ts"
import { presenceContract } from "./Presence.contract.ts"

layer(MemoryPresence.layer())("Presence in memory", (it) => {
  presenceContract(it, (gone) =>
    Effect.asVoid(Effect.repeat(Effect.andThen(TestClock.adjust("5 seconds"), gone), { until: (met) => met }))
  )
})

for (const [name, redis] of [
  ["Presence in Redis", layerSharedRedis()],
  ["Presence in a Redis Cluster", layerRedisCluster]
] as const) {
  layer(RedisPresence.layer({ timeToLive: "400 millis" }).pipe(Layer.provide(redis)), { timeout: "60 seconds" })(
    name,
    (it) => {
      // Redis's own clock decides, so this is real time.
      presenceContract(it, (gone) =>
        Effect.asVoid(
          TestClock.withLive(Effect.repeat(gone, { until: (met) => met, schedule: Schedule.spaced("50 millis") }))
        )
      )
    }
  )
}
