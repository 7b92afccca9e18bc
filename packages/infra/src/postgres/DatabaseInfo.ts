import { Context } from "effect"
import type { Effect } from "effect"
import type { SqlError } from "effect/sql/SqlError"

/** What the health endpoint says about the database (requirements, R2). Never holds a password. */
export class DatabaseInfo extends Context.Service<
  DatabaseInfo,
  {
    readonly kind: "pglite" | "postgres"
    /** Host of a server; `"embedded"` for PGlite. */
    readonly host: string
    /** Port of a server; 0 for PGlite. */
    readonly port: number
    /** Database name of a server; the data directory, or `"memory"`, for PGlite. */
    readonly name: string
    /** The most connections that can be open at once. */
    readonly poolSize: number
    /** Connections lent out now, listeners included. */
    readonly connectionsInUse: Effect.Effect<number>
    /** Milliseconds that a `SELECT 1` takes now, waiting for a connection included. */
    readonly latencyMs: Effect.Effect<number, SqlError>
    /** Tables in the schemas other than PostgreSQL's own. */
    readonly tableCount: Effect.Effect<number, SqlError>
  }
>()("@beckon/infra/postgres/DatabaseInfo") {}
