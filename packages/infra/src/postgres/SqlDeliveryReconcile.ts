/**
 * Looks for what no planner and no worker would ever find, and sweeps out what nobody will ask for any more.
 */
import type { Reconciliation } from "@beckon/domain/ports/DeliveryStore"
import { DateTime, Effect } from "effect"
import type { DateTime as Times, Duration } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { timestamp } from "./SqlValues.ts"

type Counts = { readonly [Name in keyof Reconciliation]: bigint }

/** Counters whose window is over, many at a time. */
export const sweep = (sql: SqlClient, now: Times.Utc) => sql`
  delete from delivery_throttles t where t.ctid = any(array(
    select t.ctid from delivery_throttles t where t.window_end <= ${timestamp(now)}
    order by t.window_end limit 10000 for update skip locked
  ))`

/** News that waited so long speak of a message that is none of ours. */
const eventPatience = { days: 3 }

/** News whose message never became known, many at a time. */
export const sweepEvents = (sql: SqlClient, now: Times.Utc) => sql`
  delete from delivery_events e where e.delivery_id is null and e.ctid = any(array(
    select e.ctid from delivery_events e
    where e.delivery_id is null and e.received_at < ${timestamp(DateTime.subtract(now, eventPatience))}
    order by e.received_at limit 10000 for update skip locked
  ))`

/**
 * As `DeliveryStore.reconcile`.
 *
 * A digest that was replayed has given its items away. Of a delivery that is open, all tries of the last attempt were
 * successful only if the report of it was lost: the two are written together.
 */
export const reconcile = Effect.fnUntraced(function* (
  sql: SqlClient,
  now: Times.Utc,
  patience: Duration.Duration
): Effect.fn.Return<Reconciliation, SqlError> {
  const before = timestamp(DateTime.subtractDuration(now, patience))
  const [row] = yield* sql<Counts>`
    select
      (select count(*) from deliveries d where d.state in ('pending', 'sending', 'failed')) as open,
      (select count(*) from notifications n where n.plan_at <= ${before}) as unplanned,
      (
        select count(*) from deliveries d
        where d.state in ('pending', 'sending', 'failed') and d.due_at <= ${before}
      ) as overdue,
      (
        select count(*) from delivery_items i
        where not exists (select from deliveries d where d.id = i.delivery_id and d.digest_key is not null)
      ) + (
        select count(*) from deliveries d
        where d.digest_key is not null and d.resolution is distinct from 'replayed'
          and d.items <> (select count(*) from delivery_items i where i.delivery_id = d.id)
      ) as "strayItems",
      (
        select count(*) from deliveries d
        where d.state in ('pending', 'sending', 'failed') and d.claims > 0 and (
          select bool_and(a.outcome = 'sent') from delivery_attempts a
          where a.delivery_id = d.id and a.attempt = (
            select max(last.attempt) from delivery_attempts last where last.delivery_id = d.id
          )
        )
      ) as contradictions`
  return {
    open: Number(row?.open ?? 0n),
    unplanned: Number(row?.unplanned ?? 0n),
    overdue: Number(row?.overdue ?? 0n),
    strayItems: Number(row?.strayItems ?? 0n),
    contradictions: Number(row?.contradictions ?? 0n)
  }
})
