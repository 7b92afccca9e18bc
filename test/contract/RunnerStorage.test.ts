import { RedisClient } from "@beckon/infra/redis/RedisClient"
import * as RedisRunnerStorage from "@beckon/infra/redis/RedisRunnerStorage"
import { describe, expect, it, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { Duration } from "effect"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as ShardId from "effect/cluster/ShardId"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import { layerRedisCluster, layerSharedRedis } from "../support/services/RedisLayers.ts"
import { startRedis } from "../support/services/Services.ts"
import type { OwnRedis } from "../support/services/Services.ts"
import { runnerStorageContract, sharedRunnerStorageContract } from "./RunnerStorage.contract.ts"

const overRedis = RedisRunnerStorage.layer.pipe(
  Layer.provide(ShardingConfig.layer({ shardLockExpiration: "400 millis" }))
)

layer(RunnerStorage.layerMemory)("RunnerStorage in memory", (it) => {
  runnerStorageContract(it)
})

layer(Layer.provide(overRedis, layerRedisCluster), { timeout: "60 seconds" })(
  "RunnerStorage in a Redis Cluster",
  (it) => {
    runnerStorageContract(it)
    sharedRunnerStorageContract(it)
  }
)

layer(Layer.provide(overRedis, layerSharedRedis()), { timeout: "60 seconds" })("RunnerStorage in Redis", (it) => {
  runnerStorageContract(it)
  sharedRunnerStorageContract(it)
})

describe("RunnerStorage in a Redis that fails", () => {
  const address = RunnerAddress.make("host", 1)
  const shards = [ShardId.make("default", 1)]
  const storageOver = ({ url }: OwnRedis, commandTimeout: Duration.Input) =>
    Effect.flatMap(
      Layer.build(RedisClient.layer({ servers: { kind: "single", url }, prefix: "test", commandTimeout })),
      (client) => Effect.provide(RedisRunnerStorage.make({ lease: "30 seconds" }), client)
    )

  it.effect("a Redis that hangs becomes an error within the command timeout, and leases go on when it is back", () =>
    Effect.gen(function* () {
      const redis = yield* startRedis()
      const storage = yield* storageOver(redis, "300 millis")
      yield* storage.acquire(address, shards)
      yield* redis.pause
      const started = performance.now()
      const error = yield* Effect.flip(storage.refresh(address, shards))
      expect(performance.now() - started).toBeLessThan(1_000)
      expect(error).toMatchObject({ _tag: "PersistenceError", cause: { _tag: "RedisUnavailable", code: "TIMEOUT" } })
      yield* redis.resume
      expect(yield* Effect.retry(storage.refresh(address, shards), { times: 20 })).toEqual(shards)
    })
  )

  it.effect("a Redis that lost everything knows no lease: nothing is refreshed, and all is free", () =>
    Effect.gen(function* () {
      const redis = yield* startRedis()
      const storage = yield* storageOver(redis, "1 second")
      yield* storage.acquire(address, shards)
      yield* redis.kill
      expect((yield* Effect.flip(storage.refresh(address, shards)))._tag).toBe("PersistenceError")
      yield* redis.start
      expect(yield* Effect.retry(storage.refresh(address, shards), { times: 20 })).toEqual([])
      expect(yield* storage.acquire(RunnerAddress.make("other", 1), shards)).toEqual(shards)
      expect(yield* storage.acquire(address, shards)).toEqual([])
    })
  )
})
