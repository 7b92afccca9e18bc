/**
 * Effect's own `Redis` service over ioredis, so that the stores of effect/persistence run on the same Redis.
 *
 * **Details**
 *
 * The stores below begin their keys with the deployment's prefix and keep each store in one slot of a Redis Cluster, because
 * some of their scripts touch two keys.
 *
 * **Gotchas**
 *
 * On a Redis Cluster `clear` of a persistence store reaches the keys of one server only. `RedisError.cause` is a
 * `RedisUnavailable`.
 */
import { Effect, Exit, Layer, Scope } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as Persistence from "effect/persistence/Persistence"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Redis from "effect/persistence/Redis"
import { RedisClient, unavailable } from "./RedisClient.ts"
import type { RedisConnection } from "./RedisClient.ts"

const errorOf = (cause: unknown) => new Redis.RedisError({ cause })

const callOn =
  (connection: RedisConnection) =>
  <A = unknown>(command: string, ...args: ReadonlyArray<string>): Effect.Effect<A, Redis.RedisError> =>
    Effect.tryPromise({
      // The caller says what the reply is, as in every implementation of this service.
      try: () => Promise.resolve(connection.call(command.toUpperCase(), ...args) as Promise<A>),
      catch: (cause) => errorOf(unavailable(command, cause))
    })

const make = Effect.gen(function* () {
  const client = yield* RedisClient
  const isLoad = (command: string, args: ReadonlyArray<string>) =>
    command.toUpperCase() === "SCRIPT" && args[0]?.toUpperCase() === "LOAD"

  return yield* Redis.make({
    send: <A = unknown>(command: string, ...args: ReadonlyArray<string>) =>
      Effect.mapBoth(isLoad(command, args) ? client.load(args[1] ?? "") : client.send(command, ...args), {
        onSuccess: (reply) => reply as A,
        onFailure: errorOf
      }),

    // ioredis comes back with its subscriptions, so listening never fails.
    subscribe: Effect.fnUntraced(function* (channel, onMessage) {
      const connection = yield* client.connect()
      connection.on("message", (from: string, message: string) => onMessage({ channel: from, message }))
      yield* Effect.tryPromise({
        try: () => connection.subscribe(channel),
        catch: (cause) => errorOf(unavailable("SUBSCRIBE", cause))
      })
      return yield* Effect.succeed(Effect.never)
    }),

    connect: Effect.gen(function* () {
      const scope = yield* Scope.make()
      const connection = yield* Scope.provide(client.connect({ blocks: true }), scope)
      return { send: callOn(connection), close: Scope.close(scope, Exit.void) }
    })
  })
})

/** Effect's `Redis`. */
export const layer: Layer.Layer<Redis.Redis, never, RedisClient> = Layer.effect(Redis.Redis, make)

const withClient = <A, E>(store: (client: RedisClient["Service"]) => Layer.Layer<A, E, Redis.Redis>) =>
  Layer.unwrap(Effect.map(RedisClient, store)).pipe(Layer.provide(layer))

/** Rate limits that all nodes share. */
export const layerRateLimiterStore: Layer.Layer<RateLimiter.RateLimiterStore, never, RedisClient> = withClient(
  (client) => RateLimiter.layerStoreRedis({ prefix: client.key("rate", "") })
)

/** Circuit breakers that all nodes share. */
export const layerCircuitBreakerStore: Layer.Layer<CircuitBreaker.CircuitBreakerStore, never, RedisClient> = withClient(
  (client) => CircuitBreaker.layerStoreRedis({ prefix: client.key("breaker", "") })
)

/** Results kept for all nodes, for `PersistedCache`. */
export const layerPersistence: Layer.Layer<Persistence.Persistence, never, RedisClient> = withClient((client) =>
  Persistence.layer.pipe(
    Layer.provide(
      Layer.effect(
        Persistence.BackingPersistence,
        Effect.map(Persistence.BackingPersistence, ({ make: makeStore }) => ({
          make: (storeId: string) => makeStore(client.key("cache", storeId))
        }))
      ).pipe(Layer.provide(Persistence.layerBackingRedis))
    )
  )
)
