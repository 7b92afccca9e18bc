/**
 * Token buckets in Redis, one script and one round trip for all buckets of a call.
 *
 * **Details**
 *
 * A bucket is one text, `tokens:milliseconds`, that expires when it is full again. Redis's own clock counts, so that nodes whose
 * clocks differ fill nothing twice. The buckets of one group are in one slot of a Redis Cluster.
 */
import { TokenBuckets, TokenBucketsUnavailable } from "@beckon/domain/ports/TokenBuckets"
import { levelOf } from "@beckon/domain/TokenBucket"
import { Effect, Layer, Schema } from "effect"
import { decodeReply, luaScript, RedisClient } from "./RedisClient.ts"

/** KEYS buckets; ARGV asked, then rate per second and burst of each. Gives 1 or 0, then what each held before, as text. */
const take = luaScript(
  "take",
  `local t = redis.call("TIME")
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local asked = tonumber(ARGV[1])
local ok = 1
local held = {}
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local tokens = burst
  local saved = redis.call("GET", key)
  if saved then
    local left, at = string.match(saved, "^(.+):(%d+)$")
    tokens = math.min(burst, tonumber(left) + math.max(0, now - tonumber(at)) / 1000 * rate)
  end
  held[i] = tokens
  if tokens < math.min(asked, burst) then ok = 0 end
end
local answer = { ok }
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local tokens = held[i]
  if ok == 1 then
    tokens = tokens - asked
    local ttl = math.max(1, math.ceil((burst - tokens) / rate * 1000))
    redis.call("SET", key, string.format("%.17g:%d", tokens, now), "PX", ttl)
  end
  answer[i + 1] = string.format("%.17g", tokens)
end
return answer`
)

const texts = decodeReply("take", Schema.Array(Schema.Union([Schema.Int, Schema.String])))

/** No id has it: without it `a}:user:b` would be the name of a tenant, and of a user of the tenant `a`. */
const separator = "\u0000"

const make = Effect.gen(function* () {
  const redis = yield* RedisClient

  return TokenBuckets.of({
    take: (group, buckets, asked) =>
      redis
        .evaluate(
          take,
          buckets.map(({ name }) => redis.key(`limits:${group}${separator}`, name)),
          [asked, ...buckets.flatMap(({ limit }) => [limit.perSecond, limit.burst])]
        )
        .pipe(
          Effect.flatMap(texts),
          Effect.map(([ok, ...held]) => ({
            ok: ok === 1,
            levels: buckets.map(({ limit }, index) => levelOf(Number(held[index]), limit, ok === 1 ? 0 : asked))
          })),
          Effect.mapError((cause) => new TokenBucketsUnavailable({ cause }))
        )
  })
})

/** Token buckets in Redis. */
export const layer: Layer.Layer<TokenBuckets, never, RedisClient> = Layer.effect(TokenBuckets, make)
