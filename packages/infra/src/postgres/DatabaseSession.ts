/**
 * One pooled connection in a transaction, whose statements run under the role and the tenant of the fiber that sends them.
 *
 * **Details**
 *
 * A connection rests in the role of the system. What a tenant sends runs in a transaction, which takes the role and the
 * tenant for itself only: `COMMIT` and `ROLLBACK` end both, whatever happened in between. A fiber that changes its access
 * inside a transaction, with `asTenant` or `asSystem`, changes it for its own statements: each one sends the settings first
 * when they differ from those of the statement before.
 *
 * **Gotchas**
 *
 * A stream keeps the rows of the access under which it began.
 */
import type { PgConnection } from "@effect/sql-pg/PgConnection"
import { RowAccess } from "@beckon/domain/ports/RowAccess"
import { Context, Effect, Semaphore, Stream } from "effect"
import type { Connection } from "effect/sql/SqlConnection"
import { SqlError, UnknownError } from "effect/sql/SqlError"
import { tenantSetting } from "./RowLevelSecurity.ts"
import type { DatabaseRoles } from "./RowLevelSecurity.ts"

/** `owner`: the role that logged in, which owns the tables and whose rows nobody sees; for migrations. */
export type Access = RowAccess | "owner"

const OwnerAccess = Context.Reference<boolean>("@beckon/infra/postgres/DatabaseSession/OwnerAccess", {
  defaultValue: () => false
})

/** Runs statements as the owner of the tables, who may change them and sees no rows in them. */
export const asOwner = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, OwnerAccess, true)

/** The access of the fiber that asks. */
export const currentAccess: Effect.Effect<Access> = Effect.withFiber((fiber) =>
  Effect.succeed(fiber.getRef(OwnerAccess) ? "owner" : fiber.getRef(RowAccess))
)

const same = (one: Access | undefined, other: Access): boolean =>
  one === other || (typeof one === "object" && typeof other === "object" && one.tenantId === other.tenantId)

const failure = (message: string, operation: string) =>
  new SqlError({ reason: new UnknownError({ cause: new Error(message), message, operation }) })

type Transform = (<A extends object>(rows: ReadonlyArray<A>) => ReadonlyArray<A>) | undefined

/** The connection as it is, without transaction and without change of role. */
export const toSqlConnection = (connection: PgConnection): Connection => {
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

export interface DatabaseSession extends Connection {
  /** Opens a transaction with the client's `BEGIN`, or with another statement. */
  readonly begin: (statement?: string) => Effect.Effect<void, SqlError>
  readonly commit: Effect.Effect<void, SqlError>
  /** Ends the transaction; a connection that does not is closed, and the server ends it. */
  readonly rollback: Effect.Effect<void, SqlError>
  readonly savepoint: (name: string) => Effect.Effect<void, SqlError>
  readonly releaseSavepoint: (name: string) => Effect.Effect<void, SqlError>
  readonly rollbackToSavepoint: (name: string) => Effect.Effect<void, SqlError>
}

export const isSession = (connection: Connection): connection is DatabaseSession => "rollbackToSavepoint" in connection

const settings = `select set_config('role', $1, true), set_config('${tenantSetting}', $2, true)`

/**
 * A session on a connection that nobody else uses meanwhile.
 *
 * `roles`: the connection rests in the role of the system; undefined in a database without Beckon's roles.
 * `discard` closes the connection instead of lending it out again.
 */
export const makeSession = (
  connection: PgConnection,
  options: { readonly roles: DatabaseRoles | undefined; readonly discard: Effect.Effect<void> }
): DatabaseSession => {
  const raw = toSqlConnection(connection)
  const turn = Semaphore.makeUnsafe(1)
  let isOpen = false
  // Undefined while the settings are not known, because a savepoint took some back or they could not be sent.
  let access: Access | undefined = "system"

  const roleOf = (wanted: Access): string | undefined =>
    wanted === "owner" ? "none" : wanted === "system" ? (options.roles?.system ?? "none") : options.roles?.tenant

  const become = (wanted: Access): Effect.Effect<void, SqlError> =>
    Effect.suspend(() => {
      if (same(access, wanted)) return Effect.void
      // A setting for a transaction is none outside of one: the statement would run in the role of the system.
      if (!isOpen) return Effect.fail(failure("Only a transaction can run statements for a tenant", "access"))
      const role = roleOf(wanted)
      if (role === undefined) return Effect.fail(failure("The database keeps no tenants apart yet", "access"))
      access = undefined
      const tenantId = typeof wanted === "object" ? wanted.tenantId : ""
      return Effect.map(raw.execute(settings, [role, tenantId], undefined), () => {
        access = wanted
      })
    })

  const guarded = <A>(run: Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> =>
    Effect.flatMap(currentAccess, (wanted) => turn.withPermit(Effect.andThen(become(wanted), run)))

  const control = (sql: string) => Effect.asVoid(raw.execute(sql, [], undefined))
  const ended = () => {
    isOpen = false
    access = "system"
  }

  return {
    execute: (sql, params, transform) => guarded(raw.execute(sql, params, transform)),
    executeUnprepared: (sql, params, transform) => guarded(raw.executeUnprepared(sql, params, transform)),
    executeRaw: (sql, params) => guarded(raw.executeRaw(sql, params)),
    executeValues: (sql, params) => guarded(raw.executeValues(sql, params)),
    executeValuesUnprepared: (sql, params) => guarded(raw.executeValuesUnprepared(sql, params)),
    executeStream: (sql, params, transform) =>
      Stream.unwrap(Effect.as(guarded(Effect.void), raw.executeStream(sql, params, transform))),
    begin: (statement) =>
      Effect.map(statement === undefined ? control("BEGIN") : raw.executeUnprepared(statement, [], undefined), () => {
        isOpen = true
      }),
    // PostgreSQL answers the COMMIT of a failed transaction with the command tag ROLLBACK and without an error.
    commit: Effect.flatMap(raw.executeRaw("COMMIT", []), (result) => {
      ended()
      return typeof result === "object" && result !== null && "command" in result && result.command === "ROLLBACK"
        ? Effect.fail(failure("COMMIT rolled back an aborted transaction", "commit"))
        : Effect.void
    }).pipe(Effect.tapCause(() => (isOpen ? options.discard : Effect.void))),
    rollback: Effect.map(control("ROLLBACK"), ended).pipe(Effect.tapCause(() => options.discard)),
    savepoint: (name) => control(`SAVEPOINT ${name}`),
    releaseSavepoint: (name) => control(`RELEASE SAVEPOINT ${name}`),
    rollbackToSavepoint: (name) =>
      Effect.map(control(`ROLLBACK TO SAVEPOINT ${name}`), () => {
        access = undefined
      })
  }
}
