import { folded } from "@beckon/domain/events/OrderTracking"
import type { UserId } from "@beckon/domain/Identifiers"
import { TrackingGrants } from "@beckon/domain/ports/TrackingGrants"
import type { Following } from "@beckon/domain/ports/TrackingGrants"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { bigint, texts, timestamp, timestamps } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

interface GrantRow {
  readonly order_id: string
  readonly customer_id: UserId
  /** `null`: the order has ended. */
  readonly driver_id: UserId | null
}

const make = Effect.gen(function* () {
  const sql = yield* SqlClient

  return TrackingGrants.of({
    apply: Effect.fn("TrackingGrants.apply")(
      function* (tenantId, changes) {
        const distinct = folded(changes).toSorted((one, other) => (one.orderId < other.orderId ? -1 : 1))
        if (distinct.length === 0) return []
        const orders = texts(distinct.map(({ orderId }) => orderId))
        const before = yield* sql<GrantRow>`
          select g.order_id, g.customer_id, g.driver_id from tracking_grants g
          where g.tenant_id = ${tenantId} and g.order_id = any(${orders}::text[])
          order by g.order_id for update`
        const after = yield* sql<GrantRow>`
          insert into tracking_grants as g (tenant_id, order_id, customer_id, driver_id, changed_at, ends_at)
          select ${tenantId}, k.order_id, k.customer_id, k.driver_id, k.changed_at, k.ends_at from unnest(
            ${orders}::text[],
            ${texts(distinct.map(({ customerId }) => customerId))}::text[],
            ${texts(distinct.map(({ driverId }) => driverId ?? null))}::text[],
            ${timestamps(distinct.map(({ at }) => at.epochMilliseconds))}::timestamptz[],
            ${timestamps(distinct.map(({ until }) => until.epochMilliseconds))}::timestamptz[]
          ) as k(order_id, customer_id, driver_id, changed_at, ends_at)
          on conflict (tenant_id, order_id) do update set
            customer_id = excluded.customer_id, driver_id = excluded.driver_id,
            changed_at = excluded.changed_at, ends_at = excluded.ends_at
          where g.driver_id is not null and (excluded.driver_id is null or excluded.changed_at > g.changed_at)
          returning g.order_id, g.customer_id, g.driver_id`
        const changed = new Map(after.map((row) => [row.order_id, row]))
        return before.flatMap(({ customer_id, driver_id, order_id }): ReadonlyArray<Following> => {
          const now = changed.get(order_id)
          if (driver_id === null || now === undefined) return []
          const stays = now.driver_id === driver_id && now.customer_id === customer_id
          return stays ? [] : [{ customerId: customer_id, driverId: driver_id }]
        })
      },
      sql.withTransaction,
      unavailable("TrackingGrants.apply")
    ),

    areGranted: Effect.fn("TrackingGrants.areGranted")(function* (tenantId, followings, now) {
      if (followings.length === 0) return []
      // The limit keeps the planner from joining the whole table.
      const rows = yield* sql<{ readonly ordinal: bigint }>`
        select k.ordinal from unnest(
          ${texts(followings.map(({ customerId }) => customerId))}::text[],
          ${texts(followings.map(({ driverId }) => driverId))}::text[]
        ) with ordinality as k(customer_id, driver_id, ordinal)
        cross join lateral (
          select 1 from tracking_grants g
          where g.tenant_id = ${tenantId} and g.customer_id = k.customer_id and g.driver_id = k.driver_id
            and g.ends_at > ${timestamp(now)}
          limit 1
        ) granted`
      const granted = new Set(rows.map(({ ordinal }) => Number(ordinal)))
      return followings.map((_, index) => granted.has(index + 1))
    }, unavailable("TrackingGrants.areGranted")),

    reap: Effect.fn("TrackingGrants.reap")(function* (before, limit) {
      const rows = yield* sql`
        delete from tracking_grants where ctid = any(array(
          select ctid from tracking_grants where ends_at < ${timestamp(before)}
          order by ends_at limit ${bigint(limit)} for update skip locked
        )) returning 1`
      return rows.length
    }, unavailable("TrackingGrants.reap"))
  })
})

/** Tracking grants in PostgreSQL. */
export const layer: Layer.Layer<TrackingGrants, never, SqlClient> = Layer.effect(TrackingGrants, make)
