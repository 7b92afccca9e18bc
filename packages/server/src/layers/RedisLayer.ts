/**
 * The connection to Redis that the configuration describes.
 */
import { Duration, Effect, Layer, Option } from "effect"
import { RedisClient } from "@beckon/infra/redis/RedisClient"
import type { RedisNode, RedisServers } from "@beckon/infra/redis/RedisSettings"
import { ServerConfig } from "./ServerConfig.ts"
import type { ServerConfigShape } from "./ServerConfig.ts"

const defaultPort = { redis: 6_379, sentinel: 26_379 } as const

const nodesOf = (list: string, port: number): ReadonlyArray<RedisNode> =>
  list.split(",").map((entry) => {
    const [host = "", given] = entry.trim().split(":")
    return { host, port: given === undefined ? port : Number(given) }
  })

const serversOf = (config: ServerConfigShape): RedisServers | undefined => {
  if (Option.isSome(config.redisUrl)) return { kind: "single", url: config.redisUrl.value }
  if (Option.isSome(config.redisSentinels) && Option.isSome(config.redisSentinelName)) {
    const sentinels = nodesOf(config.redisSentinels.value, defaultPort.sentinel)
    return { kind: "sentinel", name: config.redisSentinelName.value, sentinels }
  }
  return Option.isSome(config.redisClusterNodes)
    ? { kind: "cluster", nodes: nodesOf(config.redisClusterNodes.value, defaultPort.redis) }
    : undefined
}

export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const config = yield* ServerConfig
    const servers = serversOf(config)
    if (servers === undefined) return yield* Effect.die("Redis is asked for without being configured")
    return RedisClient.layer({
      servers,
      prefix: config.prefix,
      username: Option.getOrUndefined(config.redisUsername),
      password: Option.getOrUndefined(config.redisPassword),
      tls: config.redisTls ? {} : undefined,
      commandTimeout: Duration.times(config.lease, 1 / 3)
    })
  })
)
