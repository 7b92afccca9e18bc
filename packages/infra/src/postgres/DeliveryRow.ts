/**
 * Rows of `deliveries`, and the statements that every part of the store shares.
 *
 * **Details**
 *
 * Whoever locks several deliveries takes them in the order of their ids; planners take open digests, which nobody else holds,
 * in the order of their keys. So nobody waits in a circle.
 *
 * **Gotchas**
 *
 * Statements that find rows by a list of ids run `unprepared`: the database plans them anew each time, in half a millisecond
 * for hundreds of rows. A plan that is kept from the time when the table was small reads the whole table, and the embedded
 * database, which has no autovacuum, keeps it for minutes: a hundred deliveries a second instead of thousands.
 */
import type { Condition, Delivery, DeliveryChannel, DeliveryId, DeliveryState, Target } from "@beckon/domain/Delivery"
import type { NotificationId, TenantId, UserId } from "@beckon/domain/Identifiers"
import { DateTime } from "effect"
import type { Schema } from "effect"
import type { DateTime as Times } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { DeliveryCore } from "../delivery/DeliveryChange.ts"
import type { NewRow } from "../delivery/NewRow.ts"
import { bigints, booleans, texts, timestamp, timestamps } from "./SqlValues.ts"

/** As the driver gives it. The store trusts its own table and does not decode each row with a schema. */
export interface DeliveryRow {
  readonly id: DeliveryId
  readonly tenant_id: TenantId
  readonly user_id: UserId | null
  readonly notification_id: NotificationId | null
  readonly channel: DeliveryChannel
  readonly target: Target
  readonly condition: Condition
  readonly state: DeliveryState
  readonly urgency: number
  readonly due_at: Date
  readonly created_at: Date
  readonly updated_at: Date
  readonly attempts: number
  readonly claims: number
  readonly unreported: number
  readonly worker: string | null
  readonly failures: number
  readonly provider: string | null
  readonly provider_message_id: string | null
  readonly reason: string | null
  readonly detail: string | null
  readonly items: number
  readonly replay_of: DeliveryId | null
  readonly resolution: "replayed" | "discarded" | null
  readonly progress: ReadonlyArray<string> | null
  readonly content: Schema.JsonObject | null
  readonly digest_key: string | null
}

/** The columns of `DeliveryRow`, of a table named `d`. */
export const columns = (sql: SqlClient) =>
  sql.literal(
    "d.id, d.tenant_id, d.user_id, d.notification_id, d.channel, d.target, d.condition, d.state, d.urgency, d.due_at, " +
      "d.created_at, d.updated_at, d.attempts, d.claims, d.unreported, d.worker, d.failures, d.provider, " +
      "d.provider_message_id, d.reason, d.detail, d.items, d.replay_of, d.resolution, d.progress, d.content, d.digest_key"
  )

export const toDelivery = (row: DeliveryRow): Delivery => ({
  id: row.id,
  tenantId: row.tenant_id,
  userId: row.user_id,
  notificationId: row.notification_id,
  channel: row.channel,
  target: row.target,
  condition: row.condition,
  state: row.state,
  urgency: row.urgency,
  dueAt: DateTime.fromDateUnsafe(row.due_at),
  createdAt: DateTime.fromDateUnsafe(row.created_at),
  updatedAt: DateTime.fromDateUnsafe(row.updated_at),
  attempts: row.attempts,
  failures: row.failures,
  provider: row.provider,
  providerMessageId: row.provider_message_id,
  reason: row.reason,
  detail: row.detail,
  items: row.items,
  replayOf: row.replay_of,
  resolution: row.resolution
})

export const toCore = (row: DeliveryRow): DeliveryCore => ({
  state: row.state,
  attempts: row.attempts,
  claims: row.claims,
  unreported: row.unreported,
  worker: row.worker,
  failures: row.failures,
  provider: row.provider,
  providerMessageId: row.provider_message_id,
  reason: row.reason,
  detail: row.detail,
  resolution: row.resolution,
  progress: row.progress,
  dueAt: row.due_at.getTime()
})

/** The deliveries with these ids, locked until the end of the transaction. */
export const lockRows = (sql: SqlClient, ids: ReadonlyArray<DeliveryId>) =>
  sql<DeliveryRow>`
  select ${columns(sql)} from deliveries d where d.id = any(${texts(ids)}) order by d.id for update`.unprepared

/** Saves what changed of deliveries that this transaction has locked. */
export const saveChanges = (sql: SqlClient, changes: ReadonlyMap<DeliveryId, DeliveryCore>, now: Times.Utc) => {
  const ids = texts([...changes.keys()])
  const cores = [...changes.values()]
  return sql`
    update deliveries d
    set state = k.state, due_at = k.due_at, attempts = k.attempts, unreported = k.unreported, worker = k.worker,
      failures = k.failures, provider = k.provider, provider_message_id = k.provider_message_id, reason = k.reason,
      detail = k.detail, progress = k.progress::jsonb, updated_at = ${timestamp(now)}
    from unnest(
      ${ids}::text[],
      ${texts(cores.map(({ state }) => state))}::text[],
      ${timestamps(cores.map(({ dueAt }) => dueAt))}::timestamptz[],
      ${bigints(cores.map(({ attempts }) => attempts))}::bigint[],
      ${bigints(cores.map(({ unreported }) => unreported))}::bigint[],
      ${texts(cores.map(({ worker }) => worker))}::text[],
      ${bigints(cores.map(({ failures }) => failures))}::bigint[],
      ${texts(cores.map(({ provider }) => provider))}::text[],
      ${texts(cores.map(({ providerMessageId }) => providerMessageId))}::text[],
      ${texts(cores.map(({ reason }) => reason))}::text[],
      ${texts(cores.map(({ detail }) => detail))}::text[],
      ${texts(cores.map(({ progress }) => (progress === null ? null : JSON.stringify(progress))))}::text[]
    ) as k(
      id, state, due_at, attempts, unreported, worker, failures, provider, provider_message_id, reason, detail, progress
    )
    where d.id = k.id and d.id = any(${ids})`.unprepared
}

/** One statement for any number of rows. */
export const insertAll = (sql: SqlClient, rows: ReadonlyArray<NewRow>, now: Times.Utc) => sql`
  insert into deliveries (
    id, tenant_id, user_id, notification_id, seq, channel, target, condition, state, urgency, due_at, created_at,
    updated_at, reason, digest_key, digest_open, items, content, cancel_key
  )
  select k.id, k.tenant_id, k.user_id, k.notification_id, k.seq, k.channel, k.target::jsonb, k.condition, k.state, k.urgency,
    k.due_at, ${timestamp(now)}, ${timestamp(now)}, k.reason, k.digest_key, k.digest_open, k.items, k.content::jsonb,
    k.cancel_key
  from unnest(
    ${texts(rows.map((row) => row.id))}::text[],
    ${texts(rows.map((row) => row.tenantId))}::text[],
    ${texts(rows.map((row) => row.userId))}::text[],
    ${texts(rows.map((row) => row.notificationId))}::text[],
    ${bigints(rows.map((row) => row.seq))}::bigint[],
    ${texts(rows.map((row) => row.channel))}::text[],
    ${texts(rows.map((row) => JSON.stringify(row.target)))}::text[],
    ${texts(rows.map((row) => row.condition))}::text[],
    ${texts(rows.map((row) => row.state))}::text[],
    ${bigints(rows.map((row) => row.urgency))}::bigint[],
    ${timestamps(rows.map((row) => row.dueAt))}::timestamptz[],
    ${texts(rows.map((row) => row.reason))}::text[],
    ${texts(rows.map((row) => row.digestKey))}::text[],
    ${booleans(rows.map((row) => row.digestOpen))}::boolean[],
    ${bigints(rows.map((row) => row.items))}::bigint[],
    ${texts(rows.map((row) => (row.content === null ? null : JSON.stringify(row.content))))}::text[],
    ${texts(rows.map((row) => row.cancelKey))}::text[]
  ) as k(
    id, tenant_id, user_id, notification_id, seq, channel, target, condition, state, urgency, due_at, reason, digest_key,
    digest_open, items, content, cancel_key
  )`
