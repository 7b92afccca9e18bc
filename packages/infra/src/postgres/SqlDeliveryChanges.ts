/**
 * What senders and operators do to deliveries: add, cancel, replay, discard. Each is to be run in a transaction.
 */
import type { DeliveryId } from "@beckon/domain/Delivery"
import type { NotificationId, TenantId } from "@beckon/domain/Identifiers"
import type { DeadTarget } from "@beckon/domain/ports/DeliveryStore"
import { asSystem } from "@beckon/domain/ports/RowAccess"
import { Effect } from "effect"
import type { DateTime as Times } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { nextId } from "../delivery/NewRow.ts"
import { texts, timestamp } from "./SqlValues.ts"

export type CancelTarget = { readonly cancelKey: string } | { readonly notificationId: NotificationId }

/** What has been begun and has no outcome yet is left to its worker, unless he has given it back. */
const waits = (sql: SqlClient) =>
  sql.literal("(d.state in ('pending', 'failed') or (d.state = 'sending' and d.worker is null))")

/** Those that are not planned yet never will be. */
const cancelPlans = (sql: SqlClient, tenantId: TenantId, target: CancelTarget) => sql`
  update notifications n set plan_at = null
  where n.tenant_id = ${tenantId} and n.plan_at is not null and ${
    "cancelKey" in target ? sql`n.options ->> 'cancelKey' = ${target.cancelKey}` : sql`n.id = ${target.notificationId}`
  } returning 1`

/** Takes the notifications out of digests that wait; a digest that loses its last is cancelled. Digests are locked first, by id. */
const cancelItems = (sql: SqlClient, tenantId: TenantId, target: CancelTarget, now: Times.Utc) => sql`
  with found as materialized (
    select i.* from delivery_items i
    where i.tenant_id = ${tenantId} and ${
      "cancelKey" in target
        ? sql`i.cancel_key = ${target.cancelKey}`
        : sql`i.notification_id = ${target.notificationId}`
    }
  ), held as materialized (
    select d.id from deliveries d
    where d.id = any(array(select delivery_id from found)) and ${waits(sql)}
    order by d.id for update
  ), gone as (
    delete from delivery_items i using found f
    where i.tenant_id = f.tenant_id and i.notification_id = f.notification_id and i.channel = f.channel
      and i.tenant_id = ${tenantId} and i.notification_id = any(array(select notification_id from found))
      and f.delivery_id = any(array(select id from held))
    returning i.delivery_id
  ), counted as (
    select delivery_id, count(*) as count from gone group by delivery_id
  ), changed as (
    update deliveries d
    set items = d.items - c.count, updated_at = ${timestamp(now)},
      state = case when d.items = c.count then 'cancelled' else d.state end,
      reason = case when d.items = c.count then 'cancelled' else d.reason end,
      digest_open = d.digest_open and d.items > c.count
    from counted c
    where d.id = c.delivery_id and d.id = any(array(select id from held))
  )
  select 1 from gone`

const cancelSingle = (sql: SqlClient, tenantId: TenantId, target: CancelTarget, now: Times.Utc) => sql`
  with held as materialized (
    select d.id from deliveries d
    where d.tenant_id = ${tenantId} and ${waits(sql)} and ${
      "cancelKey" in target
        ? sql`d.cancel_key = ${target.cancelKey} and d.state in ('pending', 'sending', 'failed')`
        : sql`d.notification_id = ${target.notificationId}`
    }
    order by d.id for update
  )
  update deliveries d set state = 'cancelled', reason = 'cancelled', updated_at = ${timestamp(now)}
  where d.id = any(array(select id from held)) returning 1`

/** As `DeliveryStore.cancel`; counts notifications that were not planned yet as one each. */
export const cancel = Effect.fnUntraced(function* (
  sql: SqlClient,
  tenantId: TenantId,
  target: CancelTarget,
  now: Times.Utc
): Effect.fn.Return<number, SqlError> {
  const unplan = cancelPlans(sql, tenantId, target)
  // As the system: under a tenant's policy `->>`, which is not leakproof, would not use the index of cancel keys.
  const plans = yield* "cancelKey" in target ? asSystem(unplan) : unplan
  const items = yield* cancelItems(sql, tenantId, target, now)
  const single = yield* cancelSingle(sql, tenantId, target, now)
  return plans.length + items.length + single.length
})

/** The dead ones that are meant and about which nothing was done, locked. */
const lockDead = (sql: SqlClient, tenantId: TenantId, target: DeadTarget) => {
  const unresolved = sql`d.tenant_id = ${tenantId} and d.state = 'dead' and d.resolution is null`
  if (target._tag === "Ids" && target.endpointId !== undefined) {
    return sql<{ readonly id: DeliveryId }>`
      select d.id from deliveries d
      where d.id = any(${texts(target.ids)}) and d.tenant_id = ${tenantId}
        and d.target ->> 'endpointId' = ${target.endpointId}
        and (d.state in ('sent', 'delivered', 'seen') or d.state = 'dead' and d.resolution is null)
      order by d.id for update`.unprepared
  }
  if (target._tag === "Ids") {
    return sql<{ readonly id: DeliveryId }>`
      select d.id from deliveries d where d.id = any(${texts(target.ids)}) and ${unresolved} order by d.id for update`
  }
  return target.channel === undefined
    ? sql<{ readonly id: DeliveryId }>`
        select d.id from deliveries d where ${unresolved} order by d.id limit ${target.limit} for update`
    : sql<{ readonly id: DeliveryId }>`
        select d.id from deliveries d where ${unresolved} and d.channel = ${target.channel}
        order by d.id limit ${target.limit} for update`
}

const resolve = (
  sql: SqlClient,
  ids: ReadonlyArray<DeliveryId>,
  resolution: "replayed" | "discarded",
  now: Times.Utc
) => sql`
  update deliveries d set resolution = ${resolution}, resolved_at = ${timestamp(now)}, updated_at = ${timestamp(now)}
  where d.id = any(${texts(ids)}) and d.state = 'dead'`

/**
 * As `DeliveryStore.replay`. The new delivery is wanted whatever has happened since, carries what the old one carried (the
 * items of a digest move to it), and passes over the devices that have it. A webhook keeps its id, however often it is replayed.
 */
export const replay = Effect.fnUntraced(function* (
  sql: SqlClient,
  tenantId: TenantId,
  target: DeadTarget,
  now: Times.Utc
): Effect.fn.Return<ReadonlyArray<{ readonly id: DeliveryId; readonly replayedAs: DeliveryId }>, SqlError> {
  const dead = yield* lockDead(sql, tenantId, target)
  if (dead.length === 0) return []
  const pairs = dead.map(({ id }) => ({ id, replayedAs: nextId() }))
  const [olds, news] = [texts(pairs.map(({ id }) => id)), texts(pairs.map(({ replayedAs }) => replayedAs))]
  yield* sql`
    with pairs as materialized (
      select * from unnest(${olds}::text[], ${news}::text[]) as k(old_id, new_id)
    ), moved as (
      update delivery_items i set delivery_id = k.new_id from pairs k
      where i.delivery_id = k.old_id and i.delivery_id = any(${olds})
    )
    insert into deliveries (
      id, tenant_id, user_id, notification_id, seq, channel, target, condition, state, urgency, due_at, created_at,
      updated_at, digest_key, items, progress, content, cancel_key, replay_of
    )
    select k.new_id, d.tenant_id, d.user_id, d.notification_id, d.seq, d.channel, d.target, 'always', 'pending', d.urgency,
      ${timestamp(now)}, ${timestamp(now)}, ${timestamp(now)}, d.digest_key, d.items, d.progress,
      case when d.channel = 'webhook' then jsonb_build_object('id', 'msg_' || d.id) || d.content else d.content end,
      d.cancel_key, d.id
    from pairs k
    cross join lateral (select * from deliveries d where d.id = k.old_id limit 1) d`
  yield* resolve(
    sql,
    pairs.map(({ id }) => id),
    "replayed",
    now
  )
  return pairs
})

/** As `DeliveryStore.discard`. */
export const discard = Effect.fnUntraced(function* (
  sql: SqlClient,
  tenantId: TenantId,
  target: DeadTarget,
  now: Times.Utc
): Effect.fn.Return<number, SqlError> {
  const dead = yield* lockDead(sql, tenantId, target)
  if (dead.length === 0) return 0
  yield* resolve(
    sql,
    dead.map(({ id }) => id),
    "discarded",
    now
  )
  return dead.length
})
