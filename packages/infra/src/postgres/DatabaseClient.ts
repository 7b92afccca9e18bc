import * as PgClient from "@effect/sql-pg/PgClient"
import { Clock, Context, Effect, Layer } from "effect"
import type { Duration, Redacted } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { DatabaseInfo } from "./DatabaseInfo.ts"
import { makeDatabasePool } from "./DatabasePool.ts"
import type { DatabasePool } from "./DatabasePool.ts"
import { acquirePglite } from "./PgliteDatabase.ts"
import type { DataDirectoryError, PgliteDatabaseOptions } from "./PgliteDatabase.ts"
import { parseServerUrl } from "./PostgresServer.ts"
import type { DatabaseUrlInvalid } from "./PostgresServer.ts"

export interface EmbeddedOptions extends PgliteDatabaseOptions {
  /** Connections to the one backend. More than one lets statements wait outside of a transaction. Default 10. */
  readonly maxConnections?: number | undefined
}

export interface ServerOptions {
  /** `postgres://user:password@host:port/name?sslmode=require`, a libpq URI. */
  readonly url: Redacted.Redacted
  /** Pool size and overflow together: the most connections at once. Default 20. */
  readonly maxConnections?: number | undefined
  /** Pool size: connections that stay open when idle. Default 2. */
  readonly minConnections?: number | undefined
  /** Wait for a free connection. Default 10 seconds. */
  readonly acquireTimeout?: Duration.Input | undefined
  /** Opening one connection, password and TLS included. Default 5 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /** Idle connections above `minConnections` are closed after this time. Default 60 seconds. */
  readonly idleTimeout?: Duration.Input | undefined
  /** Recycle age: an older connection is replaced before its next use. Default 30 minutes. */
  readonly connectionTTL?: Duration.Input | undefined
  /** Tests a connection that rested for 5 seconds or more before lending it out. Default true. */
  readonly prePing?: boolean | undefined
  /** Shown in `pg_stat_activity`. Default `beckon`. */
  readonly applicationName?: string | undefined
}

export type DatabaseServices = PgClient.PgClient | SqlClient.SqlClient | DatabaseInfo

const services = (
  pool: DatabasePool,
  identity: Pick<DatabaseInfo["Service"], "kind" | "host" | "port" | "name" | "poolSize">
): Context.Context<DatabaseServices> => {
  const sql = pool.client
  const latencyMs = Effect.gen(function* () {
    const begin = yield* Clock.currentTimeNanos
    yield* sql`SELECT 1`
    return Number((yield* Clock.currentTimeNanos) - begin) / 1e6
  })
  const tableCount = sql<{ count: number }>`
    SELECT count(*)::int AS count FROM pg_catalog.pg_tables
    WHERE schemaname <> 'pg_catalog' AND schemaname <> 'information_schema'
  `.pipe(Effect.map((rows) => rows[0]?.count ?? 0))
  return Context.make(PgClient.PgClient, sql).pipe(
    Context.add(SqlClient.SqlClient, sql),
    Context.add(DatabaseInfo, { ...identity, connectionsInUse: pool.connectionsInUse, latencyMs, tableCount })
  )
}

/**
 * PGlite in this process: on a directory, or in memory for tests.
 *
 * **Gotchas**
 *
 * There is one backend. While a transaction is open, every statement outside of it waits, and fails after
 * `waitTimeout` with a `LockTimeoutError`: never wait inside a transaction for a fiber that uses another connection.
 */
export const layerEmbedded = (
  options: EmbeddedOptions
): Layer.Layer<DatabaseServices, DataDirectoryError | SqlError> => {
  const maxConnections = options.maxConnections ?? 10
  return Layer.effectContext(
    Effect.gen(function* () {
      const session = yield* acquirePglite(options)
      const pool = yield* makeDatabasePool({
        driver: "pglite",
        maxConnections,
        acquireTimeout: options.waitTimeout ?? "10 seconds",
        pool: {
          stream: session.connect,
          username: "postgres",
          database: "postgres",
          minConnections: 1,
          preparedStatementCacheSize: 200
        }
      })
      return services(pool, {
        kind: "pglite",
        host: "embedded",
        port: 0,
        name: options.dataDir,
        poolSize: maxConnections
      })
    })
  ).pipe(Layer.provide(Reactivity.layer))
}

/**
 * A PostgreSQL server, version 15 or newer, behind a pool of connections.
 *
 * **Details**
 *
 * Fails at once when the URL is not valid, and when no connection can be opened.
 */
export const layerServer = (options: ServerOptions): Layer.Layer<DatabaseServices, DatabaseUrlInvalid | SqlError> => {
  const maxConnections = options.maxConnections ?? 20
  return Layer.effectContext(
    Effect.gen(function* () {
      const server = yield* parseServerUrl(options.url)
      const pool = yield* makeDatabasePool({
        driver: "pg",
        maxConnections,
        acquireTimeout: options.acquireTimeout ?? "10 seconds",
        prePingAfter: options.prePing === false ? undefined : "5 seconds",
        pool: {
          url: options.url,
          applicationName: options.applicationName ?? "beckon",
          minConnections: Math.min(options.minConnections ?? 2, maxConnections),
          idleTimeout: options.idleTimeout ?? "60 seconds",
          connectionTTL: options.connectionTTL ?? "30 minutes",
          connectTimeout: options.connectTimeout ?? "5 seconds",
          keepAlive: "30 seconds",
          preparedStatementCacheSize: 200
        }
      })
      const context = services(pool, { kind: "postgres", ...server, poolSize: maxConnections })
      yield* pool.client`SELECT 1`
      return context
    })
  ).pipe(Layer.provide(Reactivity.layer))
}
