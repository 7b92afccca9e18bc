import { initial } from "./migrations/0001_initial.ts"
import { deliveries } from "./migrations/0002_deliveries.ts"
import type { SqlMigrationRecord } from "./SqlMigrations.ts"

/** Every migration of Beckon's tables, for `runMigrations`. Append only: one that was applied is never changed. */
export const migrations: SqlMigrationRecord = {
  "0001_initial": initial,
  "0002_deliveries": deliveries
}
