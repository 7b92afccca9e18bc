import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"

/** What one node does for all of them now and then: retention. */
export const retention: Effect.Effect<void, unknown, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient

  yield* sql`
    create table duties (
      name text collate "C" primary key,
      until timestamptz not null
    )`
  // Erasing a user finds what he is in by these, and reading his own data too.
  yield* sql`create index delivery_items_user on delivery_items (tenant_id, user_id, delivery_id)`
  yield* sql`
    create index scheduled_notifications_user on scheduled_notifications (tenant_id, user_id, id)`
  yield* sql`
    create index batch_errors_user on batch_errors (tenant_id, user_id, batch_id, row_number) where user_id is not null`
})
