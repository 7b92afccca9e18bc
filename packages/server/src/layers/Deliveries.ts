/**
 * Everything that brings notifications to their users beyond the socket.
 */
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { Effect, Layer } from "effect"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import * as EffectRedis from "@beckon/infra/redis/EffectRedis"
import * as RedisTopicBus from "@beckon/infra/redis/RedisTopicBus"
import * as LiquidRenderer from "@beckon/infra/templates/LiquidRenderer"
import { ExternalUsers } from "@beckon/infra/users/ExternalUsers"
import { Aftermath } from "../delivery/Aftermath.ts"
import { Circuits } from "../delivery/Circuits.ts"
import { Composer } from "../delivery/Composer.ts"
import { DeliverySettings } from "../delivery/DeliverySettings.ts"
import { Nudges } from "../delivery/Nudges.ts"
import * as Planner from "../delivery/Planner.ts"
import * as Reconciler from "../delivery/Reconciler.ts"
import { Reporter } from "../delivery/Reporter.ts"
import * as Routing from "../delivery/Routing.ts"
import * as ScheduleRelay from "../delivery/ScheduleRelay.ts"
import { Sending } from "../delivery/Sending.ts"
import { Words } from "../delivery/Words.ts"
import { Worker } from "../delivery/Worker.ts"
import { Templates } from "../templates/Templates.ts"
import { Tenants } from "../tenants/Tenants.ts"
import * as RecipientDirectory from "../users/RecipientDirectory.ts"
import { Recipients } from "../users/Recipients.ts"
import { UserServices } from "../users/UserServices.ts"
import * as Providers from "./Providers.ts"
import * as RedisLayer from "./RedisLayer.ts"
import * as Secrets from "./Secrets.ts"
import { isJoined, ServerConfig } from "./ServerConfig.ts"

const layerSettings = Layer.unwrap(
  Effect.map(ServerConfig, (config) =>
    DeliverySettings.layer({
      ackTimeout: config.ackTimeout,
      lease: config.deliveryLease,
      tries: config.deliveryTries,
      retryBase: config.deliveryRetryBase,
      breakerOpen: config.breakerOpen
    })
  )
)

/** What nodes share: circuits, rates and the news of templates. */
export const layerShared = Layer.unwrap(
  Effect.map(ServerConfig, (config) =>
    isJoined(config)
      ? Layer.mergeAll(
          EffectRedis.layerCircuitBreakerStore,
          EffectRedis.layerRateLimiterStore,
          RedisTopicBus.layer
        ).pipe(Layer.provide(RedisLayer.layer))
      : Layer.mergeAll(CircuitBreaker.layerStoreMemory(), RateLimiter.layerStoreMemory, MemoryTopicBus.layer)
  )
)

/** What is known of tenants. Needs the stores. */
export const layerTenants = Tenants.layer.pipe(Layer.provide(layerShared))

/** Who users are, over the directory of the stores: it stands before that for everybody above. */
const layerRecipients = RecipientDirectory.layer.pipe(
  Layer.provideMerge(Recipients.layer),
  Layer.provideMerge(UserServices.layer),
  Layer.provide(ExternalUsers.layer)
)

/** When mailboxes have deliveries planned, and the means to send them. Needs the stores. */
export const layerMeans = Layer.mergeAll(Routing.layer, Templates.layer, layerRecipients).pipe(
  Layer.provide(LiquidRenderer.layer),
  Layer.provideMerge(Providers.layerTenants),
  Layer.provideMerge(Providers.layer),
  Layer.provideMerge(layerShared),
  Layer.provideMerge(Nudges.layer),
  Layer.provideMerge(layerSettings)
)

const layerWorker = Layer.unwrap(
  Effect.map(ServerConfig, (config) =>
    Worker.layer(isJoined(config) ? `${config.nodeHost}:${config.nodePort}` : "alone")
  )
)

/** Plans, sends and looks after deliveries, on every node. Needs `layerMeans` and the mailboxes. */
export const layerWork = Layer.mergeAll(Planner.layer, layerWorker, ScheduleRelay.layer, Reconciler.layer).pipe(
  Layer.provide([Composer.layer, Sending.layer, Reporter.layer, Aftermath.layer]),
  Layer.provide([Words.layer, Circuits.layer, Secrets.layerReceipts])
)
