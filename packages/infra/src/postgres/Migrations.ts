import { initial } from "./migrations/0001_initial.ts"
import { deliveries } from "./migrations/0002_deliveries.ts"
import { tenants } from "./migrations/0003_tenants.ts"
import { apiKeys } from "./migrations/0004_api_keys.ts"
import { providerAccounts } from "./migrations/0005_provider_accounts.ts"
import { idempotency } from "./migrations/0006_idempotency.ts"
import { retention } from "./migrations/0008_retention.ts"
import { batches } from "./migrations/0007_batches.ts"
import { rowLevelSecurity } from "./migrations/0009_row_level_security.ts"
import { trackingGrants } from "./migrations/0010_tracking_grants.ts"
import { notificationsById } from "./migrations/0011_notifications_by_id.ts"
import { deadLettersOfTenants } from "./migrations/0012_dead_letters_of_tenants.ts"
import type { SqlMigrationRecord } from "./SqlMigrations.ts"

/** Every migration of Beckon's tables, for `runMigrations`. Append only: one that was applied is never changed. */
export const migrations: SqlMigrationRecord = {
  "0001_initial": initial,
  "0002_deliveries": deliveries,
  "0003_tenants": tenants,
  "0004_api_keys": apiKeys,
  "0005_provider_accounts": providerAccounts,
  "0006_idempotency": idempotency,
  "0007_batches": batches,
  "0008_retention": retention,
  "0009_row_level_security": rowLevelSecurity,
  "0010_tracking_grants": trackingGrants,
  "0011_notifications_by_id": notificationsById,
  "0012_dead_letters_of_tenants": deadLettersOfTenants
}
