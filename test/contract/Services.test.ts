import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Reactivity } from "effect/reactivity"
import { connect } from "node:net"
import {
  freshDatabase,
  sharedKafka,
  sharedRedis,
  startKafka,
  startPostgres,
  startRedis
} from "../support/services/Services.ts"

/** What Redis answers to `PING`, or how it does not. */
const ping = (port: number) =>
  Effect.callback<string>((resume) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: 300 })
    const end = (answer: string) => {
      socket.destroy()
      resume(Effect.succeed(answer))
    }
    socket.once("connect", () => socket.write("PING\r\n"))
    socket.once("data", (answer) => end(answer.toString().trim()))
    socket.once("timeout", () => end("silence"))
    socket.once("error", () => end("refused"))
  })

const query = (url: Redacted.Redacted, statement: string) =>
  PgClient.make({ url }).pipe(
    Effect.flatMap((sql) => sql.unsafe(statement)),
    Effect.scoped,
    Effect.provide(Reactivity.layer)
  )

describe("real services for tests", () => {
  it.effect("each caller has a database of its own on one server", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* freshDatabase, yield* freshDatabase]
      yield* query(one.url, "CREATE TABLE things (id int)")
      expect(yield* query(one.url, "SELECT count(*)::int AS n FROM things")).toEqual([{ n: 0 }])
      const there = "SELECT count(*)::int AS n FROM pg_tables WHERE tablename = 'things'"
      expect(yield* query(one.url, there)).toEqual([{ n: 1 }])
      expect(yield* query(two.url, there)).toEqual([{ n: 0 }])
      expect(new URL(Redacted.value(one.url)).host).toBe(new URL(Redacted.value(two.url)).host)
    })
  )

  it.effect("each caller has prefixes of its own on one Redis and one Kafka broker", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* sharedRedis, yield* sharedRedis]
      expect(Redacted.value(one.url)).toBe(Redacted.value(two.url))
      expect(one.prefix).not.toBe(two.prefix)
      const [three, four] = [yield* sharedKafka, yield* sharedKafka]
      expect(three.brokers).toEqual(four.brokers)
      expect(three.prefix).not.toBe(four.prefix)
    })
  )

  it.effect("a Redis of one's own freezes, thaws, stops, dies and starts again on its port", () =>
    Effect.gen(function* () {
      const redis = yield* startRedis()
      expect(yield* ping(redis.port)).toBe("+PONG")
      yield* redis.pause
      expect(yield* ping(redis.port)).toBe("silence")
      yield* redis.resume
      expect(yield* ping(redis.port)).toBe("+PONG")
      yield* redis.stop
      expect(yield* ping(redis.port)).toBe("refused")
      yield* redis.start
      yield* redis.kill
      expect(yield* ping(redis.port)).toBe("refused")
      yield* redis.start
      yield* redis.pause
      yield* redis.restart
      expect(yield* ping(redis.port)).toBe("+PONG")
    })
  )

  it.effect("a PostgreSQL server of one's own keeps its rows over a restart and a kill", () =>
    Effect.gen(function* () {
      const postgres = yield* startPostgres()
      yield* query(postgres.url, "CREATE TABLE things AS SELECT 1 AS id")
      yield* postgres.restart
      yield* postgres.kill
      yield* postgres.start
      expect(yield* query(postgres.url, "SELECT id FROM things")).toEqual([{ id: 1 }])
    })
  )

  it.effect(
    "a Kafka broker of one's own stops and starts again on its port",
    () =>
      Effect.gen(function* () {
        const kafka = yield* startKafka()
        const before = yield* kafka.processId
        yield* kafka.restart
        expect(yield* kafka.processId).not.toBe(before)
        yield* kafka.kill
        yield* kafka.start
      }),
    // A broker that was killed may register again only after its session has run out.
    90_000
  )
})
