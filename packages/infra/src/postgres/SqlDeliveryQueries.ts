/**
 * What people and services ask about deliveries.
 */
import type { Attempt, DeliveryChannel, DeliveryId, DeliveryState, ProviderEvent } from "@beckon/domain/Delivery"
import type { NotificationId, TenantId } from "@beckon/domain/Identifiers"
import type { DeliveryFilter, History } from "@beckon/domain/ports/DeliveryStore"
import { asSystem } from "@beckon/domain/ports/RowAccess"
import { DateTime, Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import { columns, toDelivery } from "./DeliveryRow.ts"
import type { DeliveryRow } from "./DeliveryRow.ts"
import { texts } from "./SqlValues.ts"

interface AttemptRow {
  readonly delivery_id: DeliveryId
  readonly attempt: number
  readonly provider: string
  readonly outcome: Attempt["outcome"]
  readonly code: string | null
  readonly detail: string | null
  readonly duration_ms: number
  readonly at: Date
}

interface EventRow {
  readonly delivery_id: DeliveryId
  readonly provider: string
  readonly state: ProviderEvent["state"]
  readonly code: string
  readonly detail: string | null
  readonly at: Date
}

type Entry = History["history"][number]

const toAttempt = (row: AttemptRow): Entry => ({
  _tag: "Attempt",
  attempt: row.attempt,
  provider: row.provider,
  outcome: row.outcome,
  code: row.code,
  detail: row.detail,
  durationMs: row.duration_ms,
  at: DateTime.fromDateUnsafe(row.at)
})

const toEvent = (row: EventRow): Entry => ({
  _tag: "Event",
  provider: row.provider,
  state: row.state,
  code: row.code,
  detail: row.detail,
  at: DateTime.fromDateUnsafe(row.at)
})

/** In the order of their times; a try before what was told of it. */
const withHistory = Effect.fnUntraced(function* (
  sql: SqlClient,
  rows: ReadonlyArray<DeliveryRow>
): Effect.fn.Return<ReadonlyArray<History>, SqlError> {
  if (rows.length === 0) return []
  const ids = texts(rows.map(({ id }) => id))
  const attempts = yield* sql<AttemptRow>`
    select * from delivery_attempts a where a.delivery_id = any(${ids}) order by a.delivery_id, a.attempt, a.at, a.ordinal`
  const events = yield* sql<EventRow>`
    select * from delivery_events e where e.delivery_id = any(${ids}) order by e.delivery_id, e.at, e.event_key`
  const entries = new Map<DeliveryId, Array<Entry>>(rows.map(({ id }) => [id, []]))
  for (const row of attempts) entries.get(row.delivery_id)?.push(toAttempt(row))
  for (const row of events) entries.get(row.delivery_id)?.push(toEvent(row))
  return rows.map((row) => ({
    ...toDelivery(row),
    history: (entries.get(row.id) ?? []).toSorted(
      (left, right) => left.at.epochMilliseconds - right.at.epochMilliseconds
    )
  }))
})

/** Also the digests that carry it, and what they are replays of: their items have moved on. */
export const ofNotification = Effect.fnUntraced(function* (
  sql: SqlClient,
  tenantId: TenantId,
  id: NotificationId
): Effect.fn.Return<ReadonlyArray<History>, SqlError> {
  const rows = yield* sql<DeliveryRow>`
    with recursive carriers(id) as (
      select i.delivery_id from delivery_items i where i.tenant_id = ${tenantId} and i.notification_id = ${id}
      union
      select d.replay_of from carriers c
      cross join lateral (select d.replay_of from deliveries d where d.id = c.id limit 1) d where d.replay_of is not null
    )
    select * from (
      select ${columns(sql)} from deliveries d where d.tenant_id = ${tenantId} and d.notification_id = ${id}
      union all
      select ${columns(sql)} from deliveries d where d.id = any(array(select id from carriers)) and d.tenant_id = ${tenantId}
    ) d
    order by d.id`
  return yield* withHistory(sql, rows)
})

export const get = Effect.fnUntraced(function* (
  sql: SqlClient,
  tenantId: TenantId,
  id: DeliveryId
): Effect.fn.Return<History | undefined, SqlError> {
  const rows = yield* sql<DeliveryRow>`
    select ${columns(sql)} from deliveries d where d.id = ${id} and d.tenant_id = ${tenantId}`
  return (yield* withHistory(sql, rows))[0]
})

const where = (sql: SqlClient, tenantId: TenantId, filter: DeliveryFilter): Fragment => {
  const clauses: Array<Fragment> = [sql`d.tenant_id = ${tenantId}`]
  if (filter.states !== undefined) clauses.push(sql`d.state = any(${texts(filter.states)})`)
  if (filter.channel !== undefined) clauses.push(sql`d.channel = ${filter.channel}`)
  if (filter.userId !== undefined) clauses.push(sql`d.user_id = ${filter.userId}`)
  if (filter.endpointId !== undefined) clauses.push(sql`d.target ->> 'endpointId' = ${filter.endpointId}`)
  // As the index `deliveries_dead` says it.
  if (filter.unresolved === true) clauses.push(sql`d.state = 'dead' and d.resolution is null`)
  if (filter.before !== undefined) clauses.push(sql`d.id < ${filter.before}`)
  return sql.and(clauses)
}

export const list = (sql: SqlClient, tenantId: TenantId, filter: DeliveryFilter) => {
  const rows = sql<DeliveryRow>`
    select ${columns(sql)} from deliveries d where ${where(sql, tenantId, filter)} order by d.id desc limit ${filter.limit}`
  // As the system: under a tenant's policy `->>`, which is not leakproof, would not use the index of endpoints.
  return Effect.map(filter.endpointId === undefined ? rows : asSystem(rows), (found) => found.map(toDelivery))
}

export const counts = (sql: SqlClient, tenantId: TenantId) =>
  Effect.map(
    sql<{ readonly channel: DeliveryChannel; readonly state: DeliveryState; readonly count: bigint }>`
      select d.channel, d.state, count(*) as count from deliveries d
      where d.tenant_id = ${tenantId} group by d.channel, d.state order by d.channel, d.state`,
    (rows) => rows.map((row) => ({ ...row, count: Number(row.count) }))
  )
