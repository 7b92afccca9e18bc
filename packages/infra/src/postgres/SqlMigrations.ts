import { Effect } from "effect"
import * as Migrator from "effect/sql/Migrator"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { asOwner } from "./DatabaseSession.ts"

/** Migrations by `<number>_<name>`, for example `"0001_tenants"`; each is one effect over the `SqlClient`. */
export type SqlMigrationRecord = Readonly<Record<string, Effect.Effect<void, unknown, SqlClient>>>

export interface AppliedMigration {
  readonly id: number
  readonly name: string
}

/** Where applied migrations are recorded. */
export const migrationsTable = "beckon_migrations"

const run = Migrator.make({})

const keyPattern = /^\d+_.+$/

/**
 * Applies the migrations which the database has not seen, in the order of their numbers, and answers with those applied
 * now: all of them in one transaction, or none.
 *
 * **Details**
 *
 * Safe when several processes start at once: the transaction takes `LOCK TABLE … IN ACCESS EXCLUSIVE MODE` on the
 * migrations table, so that the second one waits, and then finds nothing left to do.
 *
 * **Gotchas**
 *
 * They run as the owner of the tables, who sees no rows: `protect` a new table, and change rows `withAllRows`.
 * A number below the highest applied one is never run: always append. `CREATE INDEX CONCURRENTLY` cannot be used, since
 * it must not run in a transaction.
 */
export const runMigrations: (
  migrations: SqlMigrationRecord
) => Effect.Effect<ReadonlyArray<AppliedMigration>, Migrator.MigrationError | SqlError, SqlClient> = Effect.fn(
  "SqlMigrations.run"
)(function* (migrations: SqlMigrationRecord) {
  // `fromRecord` leaves out keys that it cannot read; a misspelt migration must not be lost in silence.
  const misnamed = Object.keys(migrations).filter((key) => !keyPattern.test(key))
  if (misnamed.length > 0) {
    return yield* new Migrator.MigrationError({
      kind: "BadState",
      message: `Migration names must be <number>_<name>: ${misnamed.join(", ")}`
    })
  }
  const applied = yield* asOwner(run({ loader: Migrator.fromRecord({ ...migrations }), table: migrationsTable }))
  return applied.map(([id, name]) => ({ id, name }))
})
