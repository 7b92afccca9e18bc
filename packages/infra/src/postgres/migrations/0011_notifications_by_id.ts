import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"

/**
 * Ids are unique within a tenant, so that the one index which says it also lists a tenant's notifications, newest first: UUIDv7
 * sort by time. A second one would cost each notification that is saved.
 */
export const notificationsById: Effect.Effect<void, unknown, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient
  yield* sql`
    alter table notifications
      drop constraint notifications_id_key,
      add constraint notifications_id_key unique (tenant_id, id)`
})
