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
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import { currentAccess, isSession, makeSession, toSqlConnection } from "./DatabaseSession.ts"
import type { Access, DatabaseSession } from "./DatabaseSession.ts"
import { protectingRoles } from "./RowLevelSecurity.ts"
import type { DatabaseRoles } from "./RowLevelSecurity.ts"

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

interface Lease {
  readonly waits: boolean
  connection: PgConnection | undefined
}

/**
 * Lets a connection rest in the role of the system, once the database is protected; answers with its roles when it does so.
 *
 * It fails when the login is not a member of the role, instead of going on without rows.
 */
const takeSystemRole = `
  select roles.tenant, roles.system, set_config('role', roles.system, false) as taken from (${protectingRoles}) as roles`

const isRoles = (row: unknown): row is DatabaseRoles =>
  typeof row === "object" && row !== null && "tenant" in row && "system" in row

/** Lends connections out: counts them, bounds the wait, and pings those that rested for long. */
const makeLender = Effect.fnUntraced(function* (options: DatabasePoolOptions) {
  const clock = yield* Clock.Clock
  const pool = yield* PgPool.make({ ...options.pool, maxConnections: options.maxConnections })
  const restingSince = new WeakMap<PgConnection, number>()
  const pingAfter =
    options.prePingAfter === undefined ? undefined : Duration.toMillis(Duration.fromInputUnsafe(options.prePingAfter))
  const settled = new WeakMap<PgConnection, DatabaseRoles>()
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

  // Asked again each time until the migration has run: that is before anything else is done with the database.
  const settle = (connection: PgConnection): Effect.Effect<PgConnection, SqlError> =>
    settled.has(connection)
      ? Effect.succeed(connection)
      : Effect.map(connection.query(takeSystemRole, [], false), ({ rows }) => {
          const [roles] = rows
          if (isRoles(roles)) settled.set(connection, roles)
          return connection
        })

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
      Effect.flatMap(lease.waits ? waited : checkout, (connection) => {
        inUse++
        lease.connection = connection
        return settle(connection)
      })
  )
  const session = Effect.flatMap(lend, (connection) =>
    Effect.map(connection.pin, (pinned) =>
      makeSession(pinned, { roles: settled.get(connection), discard: pool.invalidate(connection) })
    )
  )
  return { lend, session, connectionsInUse: Effect.sync(() => inUse) }
})

const isSystem = (access: Access): boolean => access === "system"

/** One statement in a transaction of its own. */
const confined = <A, E, R>(
  session: Effect.Effect<DatabaseSession, SqlError, Scope.Scope>,
  use: (connection: Connection) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.scoped(
      Effect.flatMap(restore(session), (opened) =>
        Effect.andThen(
          opened.begin(),
          Effect.matchCauseEffect(restore(use(opened)), {
            onFailure: (cause): Effect.Effect<A, E | SqlError> =>
              Effect.andThen(Effect.ignore(opened.rollback), Effect.failCause(cause)),
            onSuccess: (value): Effect.Effect<A, E | SqlError> => Effect.as(opened.commit, value)
          })
        )
      )
    )
  )

/** A transaction for as long as the scope lives: it commits when the stream has come to its end, and is rolled back otherwise. */
const confinedLease = (
  session: Effect.Effect<DatabaseSession, SqlError, Scope.Scope>
): Effect.Effect<Connection, SqlError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const opened = yield* restore(session)
      let isOpen = true
      yield* Effect.acquireRelease(opened.begin(), () => (isOpen ? Effect.ignore(opened.rollback) : Effect.void))
      const commit = Effect.suspend(() => {
        isOpen = false
        return opened.commit
      })
      const committing = <A>(run: Effect.Effect<A, SqlError>) => Effect.tap(run, () => commit)
      return {
        execute: (...args) => committing(opened.execute(...args)),
        executeUnprepared: (...args) => committing(opened.executeUnprepared(...args)),
        executeRaw: (...args) => committing(opened.executeRaw(...args)),
        executeValues: (...args) => committing(opened.executeValues(...args)),
        executeValuesUnprepared: (...args) => committing(opened.executeValuesUnprepared(...args)),
        executeStream: (...args) => Stream.concat(opened.executeStream(...args), Stream.fromEffectDrain(commit))
      } satisfies Connection
    })
  )

/** Transactions are opened on sessions only; a connection that somebody else put into the context is refused. */
const inSession = <A>(
  connection: Connection,
  use: (session: DatabaseSession) => Effect.Effect<A, SqlError>
): Effect.Effect<A, SqlError> =>
  isSession(connection)
    ? use(connection)
    : Effect.fail(failure("The transaction is not one of this pool", "transaction"))

const savepointOf = (id: number): string => `effect_sql_${id}`

/** Opens the pool for the lifetime of the scope. Connections are opened when first needed, beyond `minConnections`. */
export const makeDatabasePool: (
  options: DatabasePoolOptions
) => Effect.Effect<DatabasePool, SqlError, Scope.Scope | Reactivity> = Effect.fnUntraced(function* (
  options: DatabasePoolOptions
) {
  const { connectionsInUse, lend, session } = yield* makeLender(options)
  const pinned = Effect.flatMap(lend, (connection) => connection.pin)
  const lease = Effect.map(lend, toSqlConnection)
  const acquirer = Effect.flatMap(currentAccess, (access) => (isSystem(access) ? lease : confinedLease(session)))
  const borrower: Borrower = (use) =>
    Effect.flatMap(currentAccess, (access) =>
      isSystem(access) ? Effect.scoped(Effect.flatMap(lease, use)) : confined(session, use)
    )
  const config = options.pool
  const spanAttributes: ReadonlyArray<readonly [string, unknown]> = [
    ["db.system.name", "postgresql"],
    ...Object.entries(config.spanAttributes ?? {})
  ]

  const made = yield* SqlClient.make({
    driver: options.driver,
    acquirer,
    borrower,
    transactionAcquirer: session,
    compiler: PgClient.makeCompiler(),
    spanAttributes
  })
  const sql = Object.assign(made, {
    withTransaction: SqlClient.makeWithTransaction<SqlClient.TransactionConnection, Connection>({
      transactionService: made.transactionService,
      spanAttributes,
      acquireConnection: (restore) => restore(session),
      begin: (connection, statement) => inSession(connection, (opened) => opened.begin(statement)),
      savepoint: (connection, id) => inSession(connection, (opened) => opened.savepoint(savepointOf(id))),
      releaseSavepoint: (connection, id) => inSession(connection, (opened) => opened.releaseSavepoint(savepointOf(id))),
      commit: (connection) => inSession(connection, (opened) => opened.commit),
      rollback: (connection) => inSession(connection, (opened) => opened.rollback),
      rollbackSavepoint: (connection, id) =>
        inSession(connection, (opened) => opened.rollbackToSavepoint(savepointOf(id)))
    })
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
