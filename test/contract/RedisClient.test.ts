import { describe, expect, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer, Logger, Redacted, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import { startRedis } from "../support/services/Services.ts"
import { luaScript, RedisClient } from "@beckon/infra/redis/RedisClient"
import type { RedisSettings } from "@beckon/infra/redis/RedisSettings"

const connect = (settings: RedisSettings) =>
  Effect.map(Layer.build(RedisClient.layer(settings)), Context.get(RedisClient))
const single = (url: Redacted.Redacted, rest: Partial<RedisSettings> = {}): RedisSettings => ({
  servers: { kind: "single", url },
  prefix: "test",
  ...rest
})
const within = (url: Redacted.Redacted, user: string, password: string) =>
  Redacted.make(Redacted.value(url).replace("//", `//${user}:${password}@`))

const add = luaScript("add", `return redis.call("INCRBY", KEYS[1], ARGV[1])`)
const both = luaScript("both", `redis.call("SET", KEYS[1], "1") return redis.call("SET", KEYS[2], "2")`)

describe("a client of Redis", () => {
  it.effect("sends commands and runs scripts, also after Redis has forgotten them", () =>
    Effect.gen(function* () {
      const redis = yield* connect(single((yield* startRedis()).url))
      const key = redis.spreadKey("numbers", "one")
      expect(key).toBe("test:numbers:one")
      expect(yield* redis.evaluate(add, [key], [2])).toBe(2)
      yield* redis.send("SCRIPT", "FLUSH")
      expect(yield* redis.evaluate(add, [key], [3])).toBe(5)
      expect(yield* redis.send("GET", key)).toBe("5")
      expect(yield* Effect.flip(redis.send("HGET", key, "field"))).toMatchObject({ code: "WRONGTYPE", command: "HGET" })
    })
  )

  it.effect("a Redis that hangs is an error in time and serves again by itself", () =>
    Effect.gen(function* () {
      const server = yield* startRedis()
      const redis = yield* connect(single(server.url, { commandTimeout: "200 millis" }))
      yield* server.pause
      const start = performance.now()
      expect(yield* Effect.flip(redis.ping)).toMatchObject({ _tag: "RedisUnavailable", code: "TIMEOUT" })
      // The second meets a connection that is given up: it must not wait for the next one.
      expect((yield* Effect.flip(redis.ping))._tag).toBe("RedisUnavailable")
      expect((yield* Effect.flip(redis.ping))._tag).toBe("RedisUnavailable")
      expect(performance.now() - start).toBeLessThan(1_500)
      yield* server.resume
      yield* Effect.retry(redis.ping, { times: 30 })
    })
  )

  it.effect("a Redis that is down is an error in time, also at the start", () =>
    Effect.gen(function* () {
      const server = yield* startRedis()
      const redis = yield* connect(single(server.url, { commandTimeout: "500 millis" }))
      yield* server.stop
      const start = performance.now()
      expect((yield* Effect.flip(redis.ping))._tag).toBe("RedisUnavailable")
      const error = yield* Effect.flip(Effect.scoped(connect(single(server.url, { commandTimeout: "500 millis" }))))
      expect(error).toMatchObject({ code: "CLOSED", reason: expect.stringContaining("ECONNREFUSED") })
      expect(performance.now() - start).toBeLessThan(3_000)
      yield* server.start
      yield* Effect.retry(redis.ping, { times: 30 })
    })
  )

  it.effect("an ACL user signs in by the URL or by settings, and may do what he may", () =>
    Effect.gen(function* () {
      const server = yield* startRedis({
        args: [
          "--user",
          "default",
          "off",
          "--user",
          "beckon",
          "on",
          ">s3cret-word",
          "~test:*",
          "~{test:*",
          "&test:*",
          "+@all",
          "-flushall"
        ]
      })
      const byUrl = yield* connect(single(within(server.url, "beckon", "s3cret-word")))
      const bySettings = yield* connect(
        single(server.url, { username: "beckon", password: Redacted.make("s3cret-word") })
      )
      yield* byUrl.send("SET", byUrl.spreadKey("numbers", "one"), "1")
      expect(yield* bySettings.send("GET", bySettings.spreadKey("numbers", "one"))).toBe("1")
      expect(yield* Effect.flip(byUrl.send("FLUSHALL"))).toMatchObject({ code: "NOPERM" })
      expect(yield* Effect.flip(byUrl.send("GET", "elsewhere"))).toMatchObject({ code: "NOPERM" })
    })
  )

  it.effect("a wrong password is refused at the start, and no secret is in the error or in the log", () =>
    Effect.gen(function* () {
      const server = yield* startRedis({ args: ["--requirepass", "the-right-password"] })
      const lines: Array<string> = []
      const spy = Logger.make(
        ({ cause, message }) => void lines.push(inspect([message, Cause.pretty(cause)], { depth: 9 }))
      )
      const refused = yield* Effect.exit(
        Effect.scoped(connect(single(within(server.url, "default", "the-wrong-password")))).pipe(
          Effect.provide(Logger.layer([spy]))
        )
      )
      if (!Exit.isFailure(refused)) return expect.unreachable()
      expect(Cause.squash(refused.cause)).toMatchObject({ _tag: "RedisUnavailable", code: "WRONGPASS" })
      const told = [inspect(refused, { depth: 9, showHidden: true }), Cause.pretty(refused.cause), ...lines].join("\n")
      expect(told).not.toMatch(/the-(wrong|right)-password/)
      const none = yield* Effect.flip(Effect.scoped(connect(single(server.url))))
      expect(none).toMatchObject({ _tag: "RedisUnavailable", code: "NOAUTH" })
    })
  )

  it.effect("settings that cannot be used are refused without quoting them", () =>
    Effect.gen(function* () {
      const bad = [
        "secret",
        "http://u:secret@host",
        "redis://u:secret%zz@host",
        "redis://u:secret@host/zero",
        "redis://u:secret@host?db=1"
      ]
      for (const url of bad) {
        const error = yield* Effect.flip(Effect.scoped(connect(single(Redacted.make(url)))))
        expect(error._tag).toBe("RedisSettingsInvalid")
        expect(inspect(error, { depth: 9 })).not.toMatch(/secret/)
      }
      const prefix = yield* Effect.flip(
        Effect.scoped(connect(single(Redacted.make("redis://host"), { prefix: "a{b}" })))
      )
      expect(prefix._tag).toBe("RedisSettingsInvalid")
    })
  )

  it.effect("by Sentinel it finds the master, and follows a failover", () =>
    Effect.gen(function* () {
      const password = Redacted.make("s3cret-word")
      const auth = ["--requirepass", "s3cret-word", "--masterauth", "s3cret-word"]
      const master = yield* startRedis({ args: auth })
      const replica = yield* startRedis({ args: [...auth, "--replicaof", `127.0.0.1 ${master.port}`] })
      const sentinel = yield* startRedis({
        args: ["--sentinel"],
        configuration: [
          `sentinel monitor main 127.0.0.1 ${master.port} 1`,
          "sentinel auth-pass main s3cret-word",
          "sentinel down-after-milliseconds main 500",
          "sentinel failover-timeout main 5000"
        ]
      })
      const redis = yield* connect({
        servers: { kind: "sentinel", name: "main", sentinels: [{ host: "127.0.0.1", port: sentinel.port }] },
        prefix: "test",
        password,
        commandTimeout: "1 second"
      })
      const key = redis.spreadKey("numbers", "one")
      yield* redis.send("SET", key, "1")
      const onReplica = yield* connect(single(replica.url, { password }))
      const soon = <E>(condition: Effect.Effect<boolean, E>) =>
        TestClock.withLive(
          Effect.repeat(
            Effect.orElseSucceed(condition, () => false),
            {
              until: (met) => met,
              schedule: Schedule.spaced("50 millis")
            }
          )
        )
      yield* soon(Effect.map(onReplica.send("GET", key), (value) => value === "1"))
      // Sentinel must have seen the replica before it can choose it.
      const asked = yield* connect(single(sentinel.url))
      yield* soon(
        Effect.map(asked.send("SENTINEL", "REPLICAS", "main"), (replicas) =>
          JSON.stringify(replicas).includes(String(replica.port))
        )
      )
      yield* master.kill
      yield* soon(Effect.map(redis.send("SET", key, "2"), (reply) => reply === "OK"))
      expect(yield* onReplica.send("GET", key)).toBe("2")
    })
  )

  it.effect("on a Redis Cluster the keys of a room share a slot, and a cluster that is gone is an error in time", () =>
    Effect.gen(function* () {
      const server = yield* startRedis({ args: ["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"] })
      const setup = yield* connect(single(server.url))
      yield* setup.send("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)
      yield* Effect.repeat(setup.send("CLUSTER", "INFO"), {
        until: (info) => String(info).includes("cluster_state:ok")
      })
      const redis = yield* connect({
        servers: { kind: "cluster", nodes: [{ host: "127.0.0.1", port: server.port }] },
        prefix: "test",
        commandTimeout: "1 second"
      })
      expect(redis.isCluster).toBe(true)
      expect(yield* redis.evaluate(both, [redis.key("room", "one"), redis.key("room", "two")], [])).toBe("OK")
      const apart = redis.evaluate(both, [redis.spreadKey("room", "one"), redis.spreadKey("room", "two")], [])
      expect((yield* Effect.flip(apart)).reason).toMatch(/slot/i)
      yield* server.stop
      const start = performance.now()
      expect((yield* Effect.flip(redis.send("GET", redis.key("room", "one"))))._tag).toBe("RedisUnavailable")
      expect(performance.now() - start).toBeLessThan(1_500)
    })
  )
})
