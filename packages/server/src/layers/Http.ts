/**
 * What every HTTP call gets, whatever it calls: limits, idempotency, correlation, headers.
 */
import { Effect, Layer } from "effect"
import * as MemoryTokenBuckets from "@beckon/infra/memory/MemoryTokenBuckets"
import * as RedisTokenBuckets from "@beckon/infra/redis/RedisTokenBuckets"
import { CallGuard } from "../http/CallGuard.ts"
import * as Edge from "../http/Edge.ts"
import { defaults, HttpSettings } from "../http/HttpSettings.ts"
import { Idempotency } from "../http/Idempotency.ts"
import { RateLimits } from "../http/RateLimits.ts"
import * as RedisLayer from "./RedisLayer.ts"
import { isJoined, ServerConfig } from "./ServerConfig.ts"

const layerSettings = Layer.unwrap(
  Effect.map(ServerConfig, (config) =>
    HttpSettings.layer({
      trustedProxies: config.trustedProxies,
      allowedOrigins: config.allowedOrigins,
      limits: {
        tenant: config.tenantLimit,
        key: config.keyLimit,
        user: config.userLimit,
        failures: config.failureLimit
      },
      answersKeptFor: config.answersKeptFor,
      claimLease: defaults.claimLease
    })
  )
)

/** Shared by all nodes where there are several. */
export const layerBuckets = Layer.unwrap(
  Effect.map(ServerConfig, (config) =>
    isJoined(config) ? RedisTokenBuckets.layer.pipe(Layer.provide(RedisLayer.layer)) : MemoryTokenBuckets.layer
  )
)

/** For `Authorization`, and what is limited besides. Needs the stores, the tenants and the buckets. */
export const layerGuard = CallGuard.layer.pipe(
  Layer.provideMerge(RateLimits.layer),
  Layer.provideMerge(Idempotency.layer),
  Layer.provideMerge(layerSettings)
)

/** Around every route. Needs `layerGuard`. */
export const layerEdge = Edge.layer
