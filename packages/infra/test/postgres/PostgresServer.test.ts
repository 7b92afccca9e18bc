import { PgClient } from "@effect/sql-pg/PgClient"
import { describe, expect, it, layer } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import { layerServer } from "../../src/postgres/DatabaseClient.ts"
import { DatabaseInfo } from "../../src/postgres/DatabaseInfo.ts"
import { parseServerUrl } from "../../src/postgres/PostgresServer.ts"
import { migrationsTable, runMigrations } from "../../src/postgres/SqlMigrations.ts"
import { startPostgres } from "./PostgresProcess.ts"
import type { PostgresProcess } from "./PostgresProcess.ts"

class Server extends Context.Service<Server, PostgresProcess>()("test/PostgresServer") {
  static readonly layer = Layer.effect(Server, startPostgres)
}

const backendId = Effect.gen(function* () {
  const sql = yield* PgClient
  const rows = yield* sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`
  return rows[0]?.pid ?? 0
})

layer(Server.layer, { timeout: 60_000 })("a pool of connections to a server", (it) => {
  it.effect("fails with a ConnectionError when no connection becomes free in time", () =>
    Effect.gen(function* () {
      const { url } = yield* Server
      yield* Effect.gen(function* () {
        const sql = yield* PgClient
        const info = yield* DatabaseInfo
        const held = yield* Deferred.make<void>()
        const holder = yield* Effect.forkChild(
          sql.withTransaction(Effect.andThen(Deferred.succeed(held, undefined), Effect.never))
        )
        yield* Deferred.await(held)
        const waiting = yield* Effect.forkChild(Effect.flip(sql`SELECT 1`), { startImmediately: true })
        yield* TestClock.adjust("3 seconds")
        const error = yield* Fiber.join(waiting)
        expect(error.reason).toMatchObject({ _tag: "ConnectionError", operation: "acquire" })
        expect(yield* info.connectionsInUse).toBe(1)
        yield* Fiber.interrupt(holder)
        expect(yield* sql`SELECT 1 AS one`).toEqual([{ one: 1 }])
        expect(yield* info.connectionsInUse).toBe(0)
      }).pipe(Effect.provide(layerServer({ url, maxConnections: 1, acquireTimeout: "3 seconds" })))
    })
  )

  it.effect("replaces a rested connection whose server no longer answers", () =>
    Effect.gen(function* () {
      const { url } = yield* Server
      yield* Effect.gen(function* () {
        const first = yield* backendId
        // A stopped process keeps its socket open and says nothing, as a server behind a dead link does.
        yield* Effect.acquireRelease(
          Effect.sync(() => process.kill(first, "SIGSTOP")),
          () => Effect.sync(() => process.kill(first, "SIGCONT"))
        )
        yield* TestClock.adjust("6 seconds")
        const asked = yield* Effect.forkChild(backendId, { startImmediately: true })
        yield* TestClock.adjust("3 seconds")
        expect(yield* Fiber.join(asked)).not.toBe(first)
      }).pipe(Effect.scoped, Effect.provide(layerServer({ url, maxConnections: 1, acquireTimeout: "1 minute" })))
    })
  )

  it.effect("replaces a connection which the server has ended", () =>
    Effect.gen(function* () {
      const { url } = yield* Server
      yield* Effect.gen(function* () {
        const sql = yield* PgClient
        const first = yield* backendId
        const ended = yield* sql<{ ended: boolean }>`SELECT pg_terminate_backend(${first}, 5000) AS ended`.pipe(
          Effect.exit
        )
        // The session ended itself: its own statement is what fails.
        expect(Exit.isFailure(ended)).toBe(true)
        expect(yield* backendId).not.toBe(first)
      }).pipe(Effect.provide(layerServer({ url, maxConnections: 1 })))
    })
  )

  it.effect("replaces a connection that is older than the recycle age", () =>
    Effect.gen(function* () {
      const { url } = yield* Server
      yield* Effect.gen(function* () {
        const first = yield* backendId
        expect(yield* backendId).toBe(first)
        yield* TestClock.adjust("11 minutes")
        expect(yield* backendId).not.toBe(first)
      }).pipe(Effect.provide(layerServer({ url, maxConnections: 1, connectionTTL: "10 minutes" })))
    })
  )

  it.effect("lets two processes migrate at once, each migration running once", () =>
    Effect.gen(function* () {
      const { url } = yield* Server
      const start = Effect.gen(function* () {
        const sql = yield* PgClient
        return yield* runMigrations({
          "0001_table": Effect.asVoid(sql`CREATE TABLE raced (id int)`),
          "0002_slow": Effect.asVoid(sql`INSERT INTO raced SELECT 1 FROM pg_sleep(0.2)`)
        })
      }).pipe(Effect.provide(layerServer({ url, maxConnections: 2 }), { local: true }))
      const applied = yield* Effect.all([start, start, start], { concurrency: "unbounded" })
      expect(applied.map((ids) => ids.length).toSorted((left, right) => left - right)).toEqual([0, 0, 2])
      yield* Effect.gen(function* () {
        const sql = yield* PgClient
        expect(yield* sql`SELECT id FROM raced`).toEqual([{ id: 1 }])
        expect(yield* sql`SELECT migration_id FROM ${sql(migrationsTable)} ORDER BY 1`).toHaveLength(2)
      }).pipe(Effect.provide(layerServer({ url })))
    })
  )

  it.effect("knows what it is connected to", () =>
    Effect.gen(function* () {
      const { port, url } = yield* Server
      const info = yield* DatabaseInfo.pipe(Effect.provide(layerServer({ url, maxConnections: 7 })))
      expect(info).toMatchObject({ kind: "postgres", host: "127.0.0.1", port, name: "postgres", poolSize: 7 })
    })
  )

  it.effect("never shows the password in an error", () =>
    Effect.gen(function* () {
      const { url } = yield* Server
      const good = Redacted.value(url)
      const bad = [
        good.replace("test-password", "sec%72et-pass"),
        good.replace("test-password", "secret-pass"),
        good.replace(/127\.0\.0\.1:\d+/, "127.0.0.1:1").replace("test-password", "secret-pass"),
        "postgres://user:secret-pass@host:99999/name",
        "postgres://user:secret-pass%@host/name",
        "mysql://user:secret-pass@host/name",
        "user:secret-pass@host"
      ]
      for (const text of bad) {
        const exit = yield* Effect.exit(Effect.scoped(Layer.build(layerServer({ url: Redacted.make(text) }))))
        expect(Exit.isFailure(exit)).toBe(true)
        const shown = Exit.isFailure(exit)
          ? `${Cause.pretty(exit.cause)} ${inspect(exit, { depth: 20, showHidden: true })} ${JSON.stringify(exit)}`
          : ""
        expect(shown).not.toContain("secret-pass")
      }
    })
  )
})

describe("a server URL", () => {
  it.effect("tells host, port and name with the defaults of libpq", () =>
    Effect.gen(function* () {
      const parse = (text: string) => parseServerUrl(Redacted.make(text))
      expect(yield* parse("postgres://me:pw@db.example:6000/app")).toEqual({
        host: "db.example",
        port: 6000,
        name: "app"
      })
      expect(yield* parse("postgresql://me@[::1]")).toEqual({ host: "::1", port: 5432, name: "me" })
      expect(yield* parse("postgres:///app?host=/run/pg&port=7")).toEqual({ host: "/run/pg", port: 7, name: "app" })
    })
  )
})
