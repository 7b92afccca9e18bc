import type { TenantId } from "@beckon/domain/Identifiers"
import { TopicSnapshots, TopicSnapshotsUnavailable } from "@beckon/domain/ports/TopicSnapshots"
import { Duration, Effect, Layer, Schema } from "effect"
import { decodeReply, RedisClient } from "./RedisClient.ts"
import type { RedisUnavailable } from "./RedisClient.ts"

const textOrNull = decodeReply("GET", Schema.NullOr(Schema.String))

const refail = (effect: Effect.Effect<unknown, RedisUnavailable>) =>
  effect.pipe(
    Effect.flatMap(textOrNull),
    Effect.mapError((cause) => new TopicSnapshotsUnavailable({ cause })),
    Effect.map((json) => json ?? undefined)
  )

const make = Effect.gen(function* () {
  const redis = yield* RedisClient
  const keyOf = (tenantId: TenantId, topic: string) => redis.spreadKey("topic-last", `${tenantId}\u0000${topic}`)

  return TopicSnapshots.of({
    swap: (tenantId, topic, json, keptFor) =>
      refail(redis.send("SET", keyOf(tenantId, topic), json, "PX", Math.ceil(Duration.toMillis(keptFor)), "GET")),
    last: (tenantId, topic) => refail(redis.send("GET", keyOf(tenantId, topic)))
  })
})

/** The last messages of topics in Redis (6.2 or newer: `SET` with `GET`). */
export const layer: Layer.Layer<TopicSnapshots, never, RedisClient> = Layer.effect(TopicSnapshots, make)
