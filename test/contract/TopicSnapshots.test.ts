import * as MemoryTopicSnapshots from "@beckon/infra/memory/MemoryTopicSnapshots"
import * as RedisTopicSnapshots from "@beckon/infra/redis/RedisTopicSnapshots"
import { layer } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { layerRedisCluster, layerSharedRedis } from "../support/services/RedisLayers.ts"
import { topicSnapshotsContract } from "./TopicSnapshots.contract.ts"

layer(MemoryTopicSnapshots.layer)("TopicSnapshots in memory", (it) => {
  topicSnapshotsContract(it, TestClock.adjust)
})

for (const [name, redis] of [
  ["TopicSnapshots in Redis", layerSharedRedis()],
  ["TopicSnapshots in a Redis Cluster", layerRedisCluster]
] as const) {
  layer(RedisTopicSnapshots.layer.pipe(Layer.provide(redis)), { timeout: "60 seconds" })(name, (it) => {
    // Redis's own clock decides, so this is real time; its keys expire with the millisecond after.
    topicSnapshotsContract(it, (time) => TestClock.withLive(Effect.sleep(Duration.sum(time, Duration.millis(20)))))
  })
}
