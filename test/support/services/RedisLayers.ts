import { RedisClient } from "@beckon/infra/redis/RedisClient"
import type { RedisSettings } from "@beckon/infra/redis/RedisSettings"
import { Context, Effect, Layer, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { sharedRedis, startRedis } from "./Services.ts"

/** A client of the shared Redis, with a prefix of its own. */
export const layerSharedRedis = (settings?: Pick<RedisSettings, "commandTimeout">) =>
  Layer.unwrap(
    Effect.map(sharedRedis, ({ prefix, url }) =>
      RedisClient.layer({ servers: { kind: "single", url }, prefix, ...settings })
    )
  )

const lastSlot = 16_383
const clusterSize = 3

const startNode = Effect.gen(function* () {
  const { port, url } = yield* startRedis({ args: ["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"] })
  const client = yield* Layer.build(
    Layer.fresh(RedisClient.layer({ servers: { kind: "single", url }, prefix: "setup" }))
  )
  return { port, client: Context.get(client, RedisClient) }
})

const startCluster = Effect.gen(function* () {
  const nodes = yield* Effect.all(Array.from({ length: clusterSize }, () => startNode))
  const first = Math.ceil((lastSlot + 1) / clusterSize)
  for (const [index, { client, port }] of nodes.entries()) {
    yield* client.send("CLUSTER", "ADDSLOTSRANGE", index * first, Math.min((index + 1) * first - 1, lastSlot))
    if (index > 0) yield* nodes[0]?.client.send("CLUSTER", "MEET", "127.0.0.1", port) ?? Effect.void
  }
  const agreed = ({ client }: (typeof nodes)[number]) =>
    Effect.map(
      client.send("CLUSTER", "INFO"),
      (info) => /cluster_state:ok/.test(String(info)) && String(info).includes(`cluster_size:${clusterSize}`)
    )
  yield* Effect.forEach(nodes, (node) =>
    Effect.repeat(agreed(node), { until: (yes) => yes, schedule: Schedule.spaced("50 millis") })
  ).pipe(TestClock.withLive)
  return nodes.map(({ port }) => ({ host: "127.0.0.1", port }))
})

/** A client of a Redis Cluster of its own with three nodes, which refuse keys of two slots in one command. */
export const layerRedisCluster = Layer.unwrap(
  Effect.map(startCluster, (nodes) => RedisClient.layer({ servers: { kind: "cluster", nodes }, prefix: "test" }))
)
