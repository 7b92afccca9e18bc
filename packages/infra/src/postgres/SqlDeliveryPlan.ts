/**
 * Turns notifications whose time has come into deliveries, in one transaction.
 *
 * **Details**
 *
 * Each planner locks what it plans, and passes over what others have locked. Nothing but the statements of this transaction runs
 * meanwhile: the embedded database has one backend. Counters and digests are locked in the order of their keys.
 */
import type { NewDelivery } from "@beckon/domain/Delivery"
import type { TenantId } from "@beckon/domain/Identifiers"
import * as StoredPreferences from "@beckon/domain/Preferences"
import type { DuePlan, PlanContext, Planned } from "@beckon/domain/ports/DeliveryStore"
import { DateTime, Effect, Result } from "effect"
import type { DateTime as Times } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { sort, throttleNeeds } from "../delivery/PlanSorting.ts"
import type { Decided, ThrottleNeed } from "../delivery/PlanSorting.ts"
import { insertAll } from "./DeliveryRow.ts"
import { columns, isHidden, toNotification } from "./NotificationRow.ts"
import type { NotificationRow } from "./NotificationRow.ts"
import * as Digests from "./SqlDeliveryDigests.ts"
import type { PlanContextReader } from "./SqlPlanContext.ts"
import { bigints, texts, timestamp, timestamps } from "./SqlValues.ts"

type Decide = (due: DuePlan, context: PlanContext) => ReadonlyArray<NewDelivery>

interface DueRow extends NotificationRow {
  readonly deleted_at: Date | null
  readonly acknowledged_seq: bigint | null
  readonly preferences: unknown
  readonly time_zone: string | null
}

const selectDue = (sql: SqlClient, limit: number, now: Times.Utc) => sql<DueRow>`
  select ${columns(sql)}, n.deleted_at, m.acknowledged_seq, p.preferences, u.time_zone
  from (
    select * from notifications n where n.plan_at <= ${timestamp(now)}
    order by n.plan_at limit ${limit} for update skip locked
  ) n
  left join lateral (
    select m.acknowledged_seq from mailboxes m where m.tenant_id = n.tenant_id and m.user_id = n.user_id limit 1
  ) m on true
  left join lateral (
    select p.preferences from preferences p where p.tenant_id = n.tenant_id and p.user_id = n.user_id limit 1
  ) p on true
  left join lateral (
    select u.time_zone from users u where u.tenant_id = n.tenant_id and u.user_id = n.user_id limit 1
  ) u on true
  order by n.plan_at, n.tenant_id, n.user_id, n.seq`

const toDue = (row: DueRow): DuePlan => ({
  tenantId: row.tenant_id,
  userId: row.user_id,
  notificationId: row.id,
  seq: Number(row.seq),
  notification: toNotification(row),
  acknowledged: row.acknowledged_seq !== null && row.acknowledged_seq >= row.seq,
  seen: row.read_at !== null || (row.deleted_at !== null && !isHidden(row.options)),
  preferences: row.preferences === null ? undefined : StoredPreferences.fromStored(row.preferences).value,
  timeZone: row.time_zone
})

/** Raises the counters; answers what they were before. The locks are held to the end, so that no other planner counts the same. */
const raiseCounters = Effect.fnUntraced(function* (sql: SqlClient, needs: ReadonlyArray<ThrottleNeed>) {
  const before = new Map<string, number>()
  if (needs.length === 0) return before
  const rows = yield* sql<{ ordinal: bigint; count: number }>`
    with needed as materialized (
      select * from unnest(
        ${texts(needs.map(({ due }) => due.tenantId))}::text[],
        ${texts(needs.map(({ due }) => due.userId))}::text[],
        ${texts(needs.map(({ key }) => key))}::text[],
        ${timestamps(needs.map(({ start }) => start))}::timestamptz[],
        ${timestamps(needs.map(({ end }) => end))}::timestamptz[],
        ${bigints(needs.map(({ count }) => count))}::bigint[]
      ) with ordinality as k(tenant_id, user_id, key, window_start, window_end, count, ordinal)
    ), raised as (
      insert into delivery_throttles as t (tenant_id, user_id, key, window_start, window_end, count)
      select tenant_id, user_id, key, window_start, window_end, count from needed
      order by tenant_id collate "C", user_id collate "C", key collate "C", window_start, window_end
      on conflict (tenant_id, user_id, key, window_start, window_end) do update set count = t.count + excluded.count
      returning *
    )
    select k.ordinal, r.count from needed k join raised r
      on r.tenant_id = k.tenant_id and r.user_id = k.user_id and r.key = k.key and r.window_start = k.window_start
        and r.window_end = k.window_end`
  for (const { count, ordinal } of rows) {
    const need = needs[Number(ordinal) - 1]
    if (need !== undefined) before.set(need.name, count - need.count)
  }
  return before
})

/** These notifications, of few tenants, by the index on both. */
const those = (sql: SqlClient, plans: ReadonlyArray<DuePlan>) =>
  sql`n.tenant_id = any(${texts([...new Set(plans.map(({ tenantId }) => tenantId))])})
    and n.id = any(${texts(plans.map(({ notificationId }) => notificationId))})`

/** Saves the deliveries and clears the marks in one statement. */
const save = (sql: SqlClient, rows: Parameters<typeof insertAll>[1], plans: ReadonlyArray<DuePlan>, now: Times.Utc) =>
  sql`
    with made as (${insertAll(sql, rows, now)})
    update notifications n set plan_at = null where ${those(sql, plans)}`.unprepared

/** What cannot be decided is looked at again after this time, behind everything else. */
const again = { minutes: 1 }

const putOff = (sql: SqlClient, plans: ReadonlyArray<DuePlan>, now: Times.Utc) =>
  sql`
  update notifications n set plan_at = ${timestamp(DateTime.add(now, again))}
  where ${those(sql, plans)}`.unprepared

/** Asks `decide` about each; a defect of it concerns its own notification only. */
const decideAll = Effect.fnUntraced(function* (plans: ReadonlyArray<DuePlan>, context: PlanContext, decide: Decide) {
  const decided: Array<Decided> = []
  const undecided: Array<DuePlan> = []
  for (const due of plans) {
    const deliveries = Result.try(() => decide(due, context))
    if (Result.isSuccess(deliveries)) decided.push({ due, deliveries: deliveries.success })
    else {
      undecided.push(due)
      yield* Effect.logError(`Notification ${due.notificationId} could not be planned`, deliveries.failure)
    }
  }
  return { decided, undecided }
})

const earliest = (times: ReadonlyArray<number>): Times.Utc | undefined =>
  times.length === 0 ? undefined : DateTime.makeUnsafe(times.reduce((least, time) => Math.min(least, time)))

/** Plans up to `limit` notifications; to be run in a transaction. */
export const plan = Effect.fnUntraced(function* (
  sql: SqlClient,
  readContext: PlanContextReader,
  limit: number,
  now: Times.Utc,
  decide: Decide
): Effect.fn.Return<Planned, SqlError> {
  const plans = (yield* selectDue(sql, limit, now)).map(toDue)
  if (plans.length === 0) return { notifications: 0, deliveries: 0, dueAt: undefined }
  const context = yield* readContext([...new Set<TenantId>(plans.map((due) => due.tenantId))])
  const { decided, undecided } = yield* decideAll(plans, context, decide)
  const before = yield* raiseCounters(sql, throttleNeeds(decided))
  const digests = yield* Digests.open(sql, decided, now)
  const { items, rows } = sort(decided, before, digests, now.epochMilliseconds)
  yield* Digests.save(sql, [...digests.values()], now)
  yield* save(
    sql,
    rows,
    decided.map(({ due }) => due),
    now
  )
  yield* Digests.addItems(sql, items)
  if (undecided.length > 0) yield* putOff(sql, undecided, now)
  const pending = rows.filter(({ state }) => state === "pending")
  return {
    notifications: plans.length,
    deliveries: rows.length,
    dueAt: earliest([...pending, ...digests.values()].map(({ dueAt }) => dueAt))
  }
})
