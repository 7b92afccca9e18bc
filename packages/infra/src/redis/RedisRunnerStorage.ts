/**
 * Who takes part in the cluster, and who holds which shard, in Redis.
 *
 * **Details**
 *
 * All decisions are made by Lua with Redis's own time: clocks of nodes do not matter. A shard's lease is one field of one
 * hash (`<expires at>|<address>`); a runner's heartbeat comes with each refresh of its leases. A runner that has not been heard
 * of for the length of a lease is not a runner any more. Machine ids (0 to 1023) stay with their address for a day after
 * it was last heard of.
 *
 * **Gotchas**
 *
 * A lease protects from two owners only while Redis keeps what it was told: after a failover that lost writes, and in an owner
 * that was frozen past its lease, the fence in SQL is what protects.
 */
import { Duration, Effect, Layer, Schema } from "effect"
import { PersistenceError } from "effect/cluster/ClusterError"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import { ShardingConfig } from "effect/cluster/ShardingConfig"
import { decodeReply, luaScript, RedisClient } from "./RedisClient.ts"
import type { RedisUnavailable } from "./RedisClient.ts"

const room = "cluster"

/** An address that was not heard of for so long is forgotten, with its machine id. */
const forgetAfter = Duration.days(1)

const time = `local t = redis.call("TIME")
local now = t[1] * 1000 + math.floor(t[2] / 1000)
`

/** KEYS runners, health, heartbeats, machines, seen, counter; ARGV address, runner, healthy, forget after. Gives the machine id. */
const register = luaScript(
  "register",
  `${time}local runners, health, heartbeats, machines, seen, counter = unpack(KEYS)
local address = ARGV[1]
for _, old in ipairs(redis.call("ZRANGEBYSCORE", seen, "-inf", now - ARGV[4])) do
  if not redis.call("ZSCORE", heartbeats, old) then
    redis.call("HDEL", machines, old)
    redis.call("ZREM", seen, old)
  end
end
redis.call("HSET", runners, address, ARGV[2])
redis.call("HSET", health, address, ARGV[3])
redis.call("ZADD", heartbeats, now, address)
redis.call("ZADD", seen, now, address)
local mine = redis.call("HGET", machines, address)
if mine then return tonumber(mine) end
local used = {}
for _, id in ipairs(redis.call("HVALS", machines)) do used[tonumber(id)] = true end
local id = redis.call("INCR", counter) % 1024
for _ = 1, 1024 do
  if not used[id] then break end
  id = redis.call("INCR", counter) % 1024
end
redis.call("HSET", machines, address, id)
return id`
)

/** KEYS runners, health, heartbeats, seen, leases; ARGV address, lease. Also removes runners that died long ago. */
const unregister = luaScript(
  "unregister",
  `${time}local runners, health, heartbeats, seen, leases = unpack(KEYS)
local gone = redis.call("ZRANGEBYSCORE", heartbeats, "-inf", now - 10 * ARGV[2])
table.insert(gone, ARGV[1])
for _, address in ipairs(gone) do
  redis.call("HDEL", runners, address)
  redis.call("HDEL", health, address)
  redis.call("ZREM", heartbeats, address)
end
if redis.call("ZSCORE", seen, ARGV[1]) then redis.call("ZADD", seen, now, ARGV[1]) end
local all = redis.call("HGETALL", leases)
for i = 1, #all, 2 do
  local expires = string.match(all[i + 1], "^(%d+)|")
  if tonumber(expires) <= now then redis.call("HDEL", leases, all[i]) end
end
return 0`
)

/** KEYS runners, health, heartbeats; ARGV lease. Gives runner, healthy, runner, healthy, … */
const runners = luaScript(
  "getRunners",
  `${time}local answer = {}
for _, address in ipairs(redis.call("ZRANGEBYSCORE", KEYS[3], "(" .. (now - ARGV[1]), "+inf")) do
  local runner = redis.call("HGET", KEYS[1], address)
  if runner then
    table.insert(answer, runner)
    table.insert(answer, redis.call("HGET", KEYS[2], address) or "0")
  end
end
return answer`
)

/** KEYS health; ARGV address, healthy. Only of a runner that is known. */
const setHealth = luaScript(
  "setRunnerHealth",
  `if redis.call("HEXISTS", KEYS[1], ARGV[1]) == 1 then redis.call("HSET", KEYS[1], ARGV[1], ARGV[2]) end
return 0`
)

/** KEYS leases; ARGV address, lease, shards … Takes what is free or already mine; gives what is held. */
const acquire = luaScript(
  "acquire",
  `${time}local address, held = ARGV[1], {}
for i = 3, #ARGV do
  local current = redis.call("HGET", KEYS[1], ARGV[i])
  local expires, owner = string.match(current or "0|", "^(%d+)|(.*)$")
  if owner == address or tonumber(expires) <= now then
    redis.call("HSET", KEYS[1], ARGV[i], string.format("%d|%s", now + ARGV[2], address))
    table.insert(held, ARGV[i])
  end
end
return held`
)

/** KEYS leases, heartbeats, seen; ARGV address, lease, shards … Prolongs what is mine and has not run out; gives that. */
const refresh = luaScript(
  "refresh",
  `${time}local address, held = ARGV[1], {}
redis.call("ZADD", KEYS[2], "XX", now, address)
redis.call("ZADD", KEYS[3], "XX", now, address)
for i = 3, #ARGV do
  local current = redis.call("HGET", KEYS[1], ARGV[i])
  local expires, owner = string.match(current or "0|", "^(%d+)|(.*)$")
  if owner == address and tonumber(expires) > now then
    redis.call("HSET", KEYS[1], ARGV[i], string.format("%d|%s", now + ARGV[2], address))
    table.insert(held, ARGV[i])
  end
end
return held`
)

/** KEYS leases; ARGV address, shards … (none: all). Removes what is mine. */
const release = luaScript(
  "release",
  `local shards = {}
for i = 2, #ARGV do table.insert(shards, ARGV[i]) end
if #shards == 0 then shards = redis.call("HKEYS", KEYS[1]) end
for _, shard in ipairs(shards) do
  local owner = string.match(redis.call("HGET", KEYS[1], shard) or "0|", "^%d+|(.*)$")
  if owner == ARGV[1] then redis.call("HDEL", KEYS[1], shard) end
end
return 0`
)

const machineReply = decodeReply("register", Schema.Int)
const heldReply = decodeReply("acquire", Schema.Array(Schema.String))
const runnersReply = decodeReply("getRunners", Schema.Array(Schema.String))

const refail = <A>(effect: Effect.Effect<A, RedisUnavailable>) =>
  Effect.mapError(effect, (cause) => new PersistenceError({ cause }))

const pairs = (flat: ReadonlyArray<string>): Array<readonly [runner: string, healthy: boolean]> => {
  const found: Array<readonly [string, boolean]> = []
  for (let index = 0; index + 1 < flat.length; index += 2) found.push([flat[index] ?? "", flat[index + 1] === "1"])
  return found
}

/** `lease`: how long a shard stays with an owner that is not heard of. */
export const make = Effect.fnUntraced(function* (options: { readonly lease: Duration.Input }) {
  const redis = yield* RedisClient
  const lease = Duration.toMillis(Duration.fromInputUnsafe(options.lease))
  const key = (name: string) => redis.key(room, name)
  const [all, health, heartbeats, machines, counter, seen, leases] = [
    key("runners"),
    key("health"),
    key("heartbeats"),
    key("machines"),
    key("machine"),
    key("seen"),
    key("leases")
  ]

  return RunnerStorage.makeEncoded({
    getRunners: refail(
      redis.evaluate(runners, [all, health, heartbeats], [lease]).pipe(Effect.flatMap(runnersReply), Effect.map(pairs))
    ),
    register: (address, runner, healthy) =>
      refail(
        redis
          .evaluate(
            register,
            [all, health, heartbeats, machines, seen, counter],
            [address, runner, healthy ? 1 : 0, Duration.toMillis(forgetAfter)]
          )
          .pipe(Effect.flatMap(machineReply))
      ),
    unregister: (address) =>
      refail(Effect.asVoid(redis.evaluate(unregister, [all, health, heartbeats, seen, leases], [address, lease]))),
    setRunnerHealth: (address, healthy) =>
      refail(Effect.asVoid(redis.evaluate(setHealth, [health], [address, healthy ? 1 : 0]))),
    acquire: (address, shardIds) =>
      refail(
        redis.evaluate(acquire, [leases], [address, lease, ...shardIds]).pipe(
          Effect.flatMap(heldReply),
          Effect.map((held) => Array.from(held))
        )
      ),
    refresh: (address, shardIds) =>
      refail(
        redis
          .evaluate(refresh, [leases, heartbeats, seen], [address, lease, ...shardIds])
          .pipe(Effect.flatMap(heldReply))
      ),
    release: (address, shardId) => refail(Effect.asVoid(redis.evaluate(release, [leases], [address, shardId]))),
    releaseAll: (address) => refail(Effect.asVoid(redis.evaluate(release, [leases], [address])))
  })
})

/** Leases of `shardLockExpiration`. */
export const layer: Layer.Layer<RunnerStorage.RunnerStorage, never, RedisClient | ShardingConfig> = Layer.effect(
  RunnerStorage.RunnerStorage,
  Effect.flatMap(ShardingConfig, ({ shardLockExpiration }) => make({ lease: shardLockExpiration }))
)
