/**
 * Presence for all nodes, in Redis.
 *
 * **Details**
 *
 * A user's sessions are one hash (`gateway NUL session` → since when), in a slot of its own. The gateways' heartbeats are one
 * sorted set, scored by Redis's own time. Whoever reads counts the sessions of gateways that live, so a gateway that was
 * killed is gone for all at the same moment, and one that was only frozen is back with all its sessions. What the dead
 * leave behind is removed an hour later by whoever gives a heartbeat.
 */
import { GatewayId, SessionId } from "@beckon/domain/Identifiers"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { Presence, presenceTimeToLive, PresenceUnavailable } from "@beckon/domain/ports/Presence"
import type { PresentSession } from "@beckon/domain/ports/Presence"
import { Duration, Effect, Layer, Schema } from "effect"
import { decodeReply, luaScript, RedisClient } from "./RedisClient.ts"
import type { RedisUnavailable } from "./RedisClient.ts"

const room = "presence"

/** So late that a gateway which wakes from a long sleep never meets the one who cleans up after it. */
const reapAfter = Duration.hours(1)

/** Commands in flight while the sessions of a dead gateway are removed. */
const reapConcurrency = 64

const time = `local t = redis.call("TIME")
local now = t[1] * 1000 + math.floor(t[2] / 1000)
`

/** KEYS gateways; ARGV gateway, reap after. Gives whether it was known, then the gateways to clean up after. */
const heartbeat = luaScript(
  "heartbeat",
  `${time}local answer = { redis.call("ZSCORE", KEYS[1], ARGV[1]) and "1" or "0" }
redis.call("ZADD", KEYS[1], now, ARGV[1])
for _, dead in ipairs(redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", now - ARGV[2])) do table.insert(answer, dead) end
return answer`
)

/** KEYS gateways; ARGV time to live. Gives the gateways that live. */
const living = luaScript("living", `${time}return redis.call("ZRANGEBYSCORE", KEYS[1], "(" .. (now - ARGV[1]), "+inf")`)

const separator = "\u0000"
const texts = decodeReply("presence", Schema.Array(Schema.String))
const page = decodeReply("SSCAN", Schema.Tuple([Schema.String, Schema.Array(Schema.String)]))
const isGatewayId = Schema.is(GatewayId)
const isSessionId = Schema.is(SessionId)

const refail = <A>(effect: Effect.Effect<A, RedisUnavailable>) =>
  Effect.mapError(effect, (cause) => new PresenceUnavailable({ cause }))

const make = Effect.fnUntraced(function* (options: { readonly timeToLive: Duration.Input }) {
  const redis = yield* RedisClient
  const timeToLive = Duration.toMillis(Duration.fromInputUnsafe(options.timeToLive))
  const gateways = redis.key(room, "gateways")
  const userKey = ({ tenantId, userId }: MailboxKey) => redis.spreadKey(room, "user", tenantId + separator + userId)
  /** What a gateway holds, for those who clean up: `user's key NUL session`. */
  const heldKey = (gatewayId: string) => redis.spreadKey(room, "gateway", gatewayId)
  const fieldOf = (gatewayId: string, sessionId: string) => gatewayId + separator + sessionId

  const alive = redis.evaluate(living, [gateways], [timeToLive]).pipe(
    Effect.flatMap(texts),
    Effect.map((ids): ReadonlySet<string> => new Set(ids))
  )
  const gatewayOf = (field: string) => field.slice(0, field.indexOf(separator))

  const forget = Effect.fnUntraced(function* (gatewayId: string) {
    let cursor = "0"
    do {
      const [next, members] = yield* Effect.flatMap(redis.send("SSCAN", heldKey(gatewayId), cursor, "COUNT", 500), page)
      cursor = next
      yield* Effect.forEach(
        members,
        (member) => {
          const at = member.lastIndexOf(separator)
          return redis.send("HDEL", member.slice(0, at), fieldOf(gatewayId, member.slice(at + 1)))
        },
        { concurrency: reapConcurrency, discard: true }
      )
    } while (cursor !== "0")
    yield* redis.send("DEL", heldKey(gatewayId))
    yield* redis.send("ZREM", gateways, gatewayId)
  })

  const sessionsOf = Effect.fnUntraced(function* (key: MailboxKey) {
    const [flat, ids] = yield* Effect.all([Effect.flatMap(redis.send("HGETALL", userKey(key)), texts), alive], {
      concurrency: "unbounded"
    })
    const sessions: Array<PresentSession> = []
    for (let index = 0; index + 1 < flat.length; index += 2) {
      const [gatewayId, sessionId] = (flat[index] ?? "").split(separator)
      if (!isGatewayId(gatewayId) || !isSessionId(sessionId) || !ids.has(gatewayId)) continue
      sessions.push({ gatewayId, sessionId, at: Number(flat[index + 1]) })
    }
    return sessions.toSorted((one, other) => one.at - other.at)
  })

  return Presence.of({
    online: (key, gatewayId, sessionId, at) =>
      refail(
        Effect.all(
          [
            redis.send("SADD", heldKey(gatewayId), userKey(key) + separator + sessionId),
            redis.send("HSET", userKey(key), fieldOf(gatewayId, sessionId), at)
          ],
          { concurrency: "unbounded", discard: true }
        )
      ),
    offline: (key, gatewayId, sessionId) =>
      refail(
        Effect.all(
          [
            redis.send("HDEL", userKey(key), fieldOf(gatewayId, sessionId)),
            redis.send("SREM", heldKey(gatewayId), userKey(key) + separator + sessionId)
          ],
          { concurrency: "unbounded", discard: true }
        )
      ),
    heartbeat: (gatewayId) =>
      refail(
        redis.evaluate(heartbeat, [gateways], [gatewayId, Duration.toMillis(reapAfter)]).pipe(
          Effect.flatMap(texts),
          Effect.tap(([, ...dead]) => Effect.forEach(dead, forget, { discard: true })),
          Effect.map(([known]) => known === "1")
        )
      ),
    leave: (gatewayId) => refail(Effect.andThen(redis.send("ZREM", gateways, gatewayId), forget(gatewayId))),
    isOnline: (keys) =>
      refail(
        Effect.flatMap(alive, (ids) =>
          Effect.forEach(
            keys,
            (key) =>
              redis.send("HKEYS", userKey(key)).pipe(
                Effect.flatMap(texts),
                Effect.map((fields) => fields.some((field) => ids.has(gatewayOf(field))))
              ),
            { concurrency: "unbounded" }
          )
        )
      ),
    sessionsOf: (key) => refail(sessionsOf(key))
  })
})

/** Presence in Redis. */
export const layer = (options?: { readonly timeToLive?: Duration.Input }): Layer.Layer<Presence, never, RedisClient> =>
  Layer.effect(Presence, make({ timeToLive: options?.timeToLive ?? presenceTimeToLive }))
