/**
 * `PgClient` over a pool whose checkouts this module sees: `PgClient.make` hides its pool, which has no acquire timeout,
 * no pre-ping, no count of the connections in use, and does not name its driver to `SqlClient`.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import type { PgConnection } from "@effect/sql-pg/PgConnection"
import * as PgPool from "@effect/sql-pg/PgPool"
import { Clock, Duration, Effect, Fiber, Stream } from "effect"
import type { Scope } from "effect"
import type { Reactivity } from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import type { Borrower, Connection } from "effect/sql/SqlConnection"
import { ConnectionError, SqlError, UnknownError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"

export interface DatabasePoolOptions {
  /** As `SqlClient.driver`; `"pglite"` makes Effect Cluster treat all connections as one session. */
  readonly driver: "pg" | "pglite"
  readonly pool: PgPool.Config & PgClient.PgClientConfig
  readonly maxConnections: number
  /** How long to wait for a free connection before failing with a `ConnectionError`. */
  readonly acquireTimeout: Duration.Input
  /** Sends `SELECT 1` on a connection that rested at least this long before lending it out; off when omitted. */
  readonly prePingAfter?: Duration.Input | undefined
}

export interface DatabasePool {
  readonly client: PgClient.PgClient
  readonly connectionsInUse: Effect.Effect<number>
}

const failure = (message: string, operation: string) =>
  new SqlError({ reason: new ConnectionError({ cause: new Error(message), message, operation }) })

/** PostgreSQL answers the COMMIT of a failed transaction with the command tag ROLLBACK and without an error. */
const commit = (connection: Connection): Effect.Effect<void, SqlError> =>
  Effect.flatMap(connection.executeRaw("COMMIT", []), (result) =>
    typeof result === "object" && result !== null && "command" in result && result.command === "ROLLBACK"
      ? Effect.fail(
          new SqlError({
            reason: new UnknownError({
              cause: new Error("COMMIT rolled back an aborted transaction"),
              message: "COMMIT rolled back an aborted transaction",
              operation: "commit"
            })
          })
        )
      : Effect.void
  )

type Transform = (<A extends object>(rows: ReadonlyArray<A>) => ReadonlyArray<A>) | undefined

const toSqlConnection = (connection: PgConnection): Connection => {
  const run = (sql: string, params: ReadonlyArray<unknown>, transform: Transform, prepare: boolean) =>
    Effect.map(connection.query(sql, params, prepare), ({ rows }) => (transform === undefined ? rows : transform(rows)))
  return {
    execute: (sql, params, transform) => run(sql, params, transform, true),
    executeUnprepared: (sql, params, transform) => run(sql, params, transform, false),
    executeRaw: (sql, params) => connection.query(sql, params),
    executeValues: (sql, params) => connection.queryValues(sql, params),
    executeValuesUnprepared: (sql, params) => connection.queryValues(sql, params, false),
    executeStream: (sql, params, transform) => {
      const rows = connection.stream(sql, params)
      return transform === undefined
        ? rows
        : Stream.chunks(rows).pipe(Stream.flatMap((chunk) => Stream.fromIterable(transform(chunk))))
    }
  }
}

interface Lease {
  readonly waits: boolean
  connection: PgConnection | undefined
}

/** Lends connections out: counts them, bounds the wait, and pings those that rested for long. */
const makeLender = Effect.fnUntraced(function* (options: DatabasePoolOptions) {
  const clock = yield* Clock.Clock
  const pool = yield* PgPool.make({ ...options.pool, maxConnections: options.maxConnections })
  const restingSince = new WeakMap<PgConnection, number>()
  const pingAfter =
    options.prePingAfter === undefined ? undefined : Duration.toMillis(Duration.fromInputUnsafe(options.prePingAfter))
  let borrowers = 0
  let inUse = 0

  const needsPing = (connection: PgConnection): boolean => {
    const since = pingAfter === undefined ? undefined : restingSince.get(connection)
    return since !== undefined && pingAfter !== undefined && clock.currentTimeMillisUnsafe() - since >= pingAfter
  }

  // Detached, because interrupting a query waits for the server to confirm, and this one may be gone.
  const answered = (connection: PgConnection): Effect.Effect<boolean> =>
    Effect.flatMap(Effect.forkDetach(connection.query("SELECT 1")), (ping) =>
      Fiber.join(ping).pipe(
        Effect.timeout("2 seconds"),
        Effect.matchEffect({
          onFailure: () => Effect.as(Effect.forkDetach(Fiber.interrupt(ping)), false),
          onSuccess: () => Effect.succeed(true)
        })
      )
    )

  const checkout: Effect.Effect<PgConnection, SqlError, Scope.Scope> = Effect.flatMap(pool.get, (connection) =>
    needsPing(connection)
      ? Effect.flatMap(answered(connection), (alive) =>
          alive ? Effect.succeed(connection) : Effect.andThen(pool.invalidate(connection), checkout)
        )
      : Effect.succeed(connection)
  )

  const waited = checkout.pipe(
    Effect.timeoutOrElse({
      duration: options.acquireTimeout,
      orElse: () => Effect.fail(failure("No database connection became free in time", "acquire"))
    })
  )

  // With fewer borrowers than connections there is nothing to wait for, and no timer to pay for.
  const lend: Effect.Effect<PgConnection, SqlError, Scope.Scope> = Effect.flatMap(
    Effect.acquireRelease(
      Effect.sync((): Lease => ({ waits: borrowers++ >= options.maxConnections, connection: undefined })),
      (lease) =>
        Effect.sync(() => {
          borrowers--
          if (lease.connection === undefined) return
          inUse--
          if (pingAfter !== undefined) restingSince.set(lease.connection, clock.currentTimeMillisUnsafe())
        })
    ),
    (lease) =>
      Effect.map(lease.waits ? waited : checkout, (connection) => {
        inUse++
        lease.connection = connection
        return connection
      })
  )
  return { lend, connectionsInUse: Effect.sync(() => inUse) }
})

/** Opens the pool for the lifetime of the scope. Connections are opened when first needed, beyond `minConnections`. */
export const makeDatabasePool: (
  options: DatabasePoolOptions
) => Effect.Effect<DatabasePool, SqlError, Scope.Scope | Reactivity> = Effect.fnUntraced(function* (
  options: DatabasePoolOptions
) {
  const { lend, connectionsInUse } = yield* makeLender(options)
  const pinned = Effect.flatMap(lend, (connection) => connection.pin)
  const acquirer = Effect.map(lend, toSqlConnection)
  const borrower: Borrower = (use) => Effect.scoped(Effect.flatMap(acquirer, use))
  const config = options.pool

  const sql = yield* SqlClient.make({
    driver: options.driver,
    acquirer,
    borrower,
    transactionAcquirer: Effect.map(pinned, toSqlConnection),
    prepareTransactionControls: true,
    commit,
    releaseSavepoint: (name) => `RELEASE SAVEPOINT ${name}`,
    compiler: PgClient.makeCompiler(),
    spanAttributes: [["db.system.name", "postgresql"], ...Object.entries(config.spanAttributes ?? {})]
  })

  const client: PgClient.PgClient = Object.assign(sql, {
    [PgClient.TypeId]: PgClient.TypeId,
    config,
    json: jsonFragment,
    listen: (channel: string) => Effect.flatMap(pinned, (connection) => connection.listen(channel)),
    notify: (channel: string, payload: string) => Effect.asVoid(sql`SELECT pg_notify(${channel}, ${payload})`)
  })
  return { client, connectionsInUse }
})

/** The fragment which the PostgreSQL compiler of `PgClient` binds as `jsonb`. */
const jsonFragment = (value: unknown): Statement.Fragment => Statement.fragment([pgJson(value)])
const pgJson = Statement.custom<Statement.Custom<"PgJson", unknown>>("PgJson")
