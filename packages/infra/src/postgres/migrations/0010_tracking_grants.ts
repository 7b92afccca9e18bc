import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { protect } from "../RowLevelSecurity.ts"

/**
 * Which customer may follow which driver: one row for each order.
 *
 * **Details**
 *
 * A row without a driver is an order that has ended; it stays a while, so that events which come late open nothing again.
 */
export const trackingGrants: Effect.Effect<void, unknown, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient

  yield* sql`
    create table tracking_grants (
      tenant_id text collate "C" not null,
      order_id text collate "C" not null,
      customer_id text collate "C" not null,
      driver_id text collate "C",
      changed_at timestamptz not null,
      ends_at timestamptz not null,
      primary key (tenant_id, order_id)
    )`
  yield* sql`
    create index tracking_grants_followers on tracking_grants (tenant_id, customer_id, driver_id) where driver_id is not null`
  yield* sql`create index tracking_grants_driver on tracking_grants (tenant_id, driver_id) where driver_id is not null`
  yield* sql`create index tracking_grants_ends on tracking_grants (ends_at)`
  yield* protect(sql, "tracking_grants")
})
