import { RedisClient } from "@beckon/infra/redis/RedisClient"
import type { RedisSettings } from "@beckon/infra/redis/RedisSettings"
import { Effect, Layer } from "effect"
import { sharedRedis } from "./Services.ts"

/** A client of the shared Redis, with a prefix of its own. */
export const layerSharedRedis = (settings?: Pick<RedisSettings, "commandTimeout">) =>
  Layer.unwrap(
    Effect.map(sharedRedis, ({ prefix, url }) =>
      RedisClient.layer({ servers: { kind: "single", url }, prefix, ...settings })
    )
  )
