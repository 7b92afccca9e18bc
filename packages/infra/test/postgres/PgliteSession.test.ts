import { PgClient } from "@effect/sql-pg/PgClient"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { layerEmbedded } from "../../src/postgres/DatabaseClient.ts"
import { DatabaseInfo } from "../../src/postgres/DatabaseInfo.ts"
import { acquirePglite } from "../../src/postgres/PgliteDatabase.ts"
import { parseListen } from "../../src/postgres/PgliteWire.ts"

/** Collects what a connection answers until its last message is `ReadyForQuery`. */
const answers = (connection: NodeJS.ReadWriteStream, count: number) =>
  Effect.callback<string>((resume) => {
    let seen = Buffer.alloc(0)
    const onData = (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk])
      if (seen.toString("latin1").split("Z\0\0\0\x05").length - 1 < count) return
      connection.off("data", onData)
      resume(Effect.succeed(seen.toString("latin1")))
    }
    connection.on("data", onData)
  })

const startup = (() => {
  const body = Buffer.from("user\0postgres\0\0")
  const head = Buffer.alloc(8)
  head.writeInt32BE(8 + body.length, 0)
  head.writeInt32BE(196608, 4)
  return Buffer.concat([head, body])
})()

const query = (sql: string) => {
  const body = Buffer.from(`${sql}\0`)
  const head = Buffer.from([0x51, 0, 0, 0, 0])
  head.writeInt32BE(4 + body.length, 1)
  return Buffer.concat([head, body])
}

describe("connections to the embedded backend", () => {
  it.live(
    "read messages that arrive byte by byte, and several in one chunk",
    () =>
      Effect.gen(function* () {
        const session = yield* acquirePglite({ dataDir: "memory" })
        const connection = session.connect()
        const bytes = Buffer.concat([startup, query("SELECT 'first'"), query("SELECT 'second'")])
        const received = yield* Effect.forkChild(answers(connection, 3), { startImmediately: true })
        for (const byte of bytes) connection.write(Buffer.from([byte]))
        const split = yield* Fiber.join(received)
        expect(split.indexOf("first")).toBeLessThan(split.indexOf("second"))
        const merged = yield* Effect.forkChild(answers(connection, 2), { startImmediately: true })
        connection.write(Buffer.concat([query("SELECT 'third'"), query("SELECT 'fourth'")]))
        expect(yield* Fiber.join(merged)).toContain("fourth")
        connection.end()
      }),
    30_000
  )

  it.live(
    "end their transaction when they are cut off",
    () =>
      Effect.gen(function* () {
        const session = yield* acquirePglite({ dataDir: "memory" })
        const [left, right] = [session.connect(), session.connect()]
        const leftReady = yield* Effect.forkChild(answers(left, 2), { startImmediately: true })
        left.write(Buffer.concat([startup, query("BEGIN; CREATE TABLE half (id int)")]))
        yield* Fiber.join(leftReady)
        const rightReady = yield* Effect.forkChild(answers(right, 2), { startImmediately: true })
        right.write(Buffer.concat([startup, query("SELECT to_regclass('half') IS NULL AS gone")]))
        expect(session.busyConnections).toBe(2)
        left.destroy()
        expect(yield* Fiber.join(rightReady)).toContain("\0\x01t")
        right.end()
      }),
    30_000
  )

  it.live(
    "fail after the wait timeout instead of hanging behind their own transaction",
    () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        yield* sql`CREATE TABLE waits (id int)`
        // A fiber that was started outside of the transaction uses another connection.
        const release = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(Effect.andThen(Deferred.await(release), Effect.flip(sql`SELECT 1`)))
        const reason = yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`INSERT INTO waits VALUES (1)`
            yield* Deferred.succeed(release, undefined)
            return (yield* Fiber.join(fiber)).reason
          })
        )
        expect(reason._tag).toBe("LockTimeoutError")
        expect(yield* sql`SELECT id FROM waits`).toEqual([{ id: 1 }])
      }).pipe(Effect.provide(layerEmbedded({ dataDir: "memory", waitTimeout: "200 millis" }))),
    30_000
  )

  it.live(
    "give up waiting when their fiber is interrupted",
    () =>
      Effect.gen(function* () {
        const sql = yield* PgClient
        const info = yield* DatabaseInfo
        yield* sql`CREATE TABLE waits (id int)`
        const release = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(
          Effect.andThen(Deferred.await(release), sql`INSERT INTO waits VALUES (2)`)
        )
        yield* sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`INSERT INTO waits VALUES (1)`
            yield* Deferred.succeed(release, undefined)
            while ((yield* info.connectionsInUse) < 2) yield* Effect.yieldNow
            // Without an answer to its cancel request the driver would wait for 5 seconds.
            yield* Effect.timeout(Fiber.interrupt(fiber), "3 seconds")
          })
        )
        expect(yield* sql`SELECT id FROM waits`).toEqual([{ id: 1 }])
      }).pipe(Effect.provide(layerEmbedded({ dataDir: "memory", waitTimeout: "20 seconds" }))),
    30_000
  )
})

describe("LISTEN commands", () => {
  it("are recognized with PostgreSQL's rules for names", () => {
    expect(parseListen('LISTEN "Any ""Name"""')).toEqual({ listen: true, channel: 'Any "Name"' })
    expect(parseListen("unlisten Events;")).toEqual({ listen: false, channel: "events" })
    expect(parseListen("LISTENING")).toBeUndefined()
    expect(parseListen("UPDATE t SET a = 1")).toBeUndefined()
  })
})
