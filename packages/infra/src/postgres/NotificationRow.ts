/**
 * Rows of `notifications`, and the fragments that every query of them shares.
 */
import type { DeliveryOptions } from "@beckon/domain/DeliveryOptions"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import type { NotificationId, TenantId, UserId } from "@beckon/domain/Identifiers"
import type { Priority, PushPolicy, StoredNotification } from "@beckon/domain/Notification"
import { DateTime } from "effect"
import type { Schema } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { bigints, texts, timestamps, toUtcOrNull } from "./SqlValues.ts"

/** As the driver gives it. The store trusts its own table and does not decode each row with a schema. */
export interface NotificationRow {
  readonly tenant_id: TenantId
  readonly user_id: UserId
  readonly seq: bigint
  readonly id: NotificationId
  readonly type: string
  readonly title: string
  readonly message: string
  readonly priority: Priority
  readonly data: Schema.JsonObject | null
  readonly push: PushPolicy
  readonly dedupe_key: string | null
  readonly source: string | null
  readonly created_at: Date
  readonly read_at: Date | null
  readonly urgency: number
  readonly options: DeliveryOptions | null
  readonly plan_at: Date | null
  readonly fallback_at: Date | null
}

/** The columns of `NotificationRow`, of a table named `n`. */
export const columns = (sql: SqlClient) =>
  sql.literal(
    "n.tenant_id, n.user_id, n.seq, n.id, n.type, n.title, n.message, n.priority, n.data, n.push, n.dedupe_key, n.source, " +
      "n.created_at, n.read_at, n.urgency, n.options, n.plan_at, n.fallback_at"
  )

/** The rows of one mailbox, of a table named `n`. */
export const ofMailbox = (sql: SqlClient, key: MailboxKey) =>
  sql`n.tenant_id = ${key.tenantId} and n.user_id = ${key.userId}`

export const isHidden = (options: DeliveryOptions | null): boolean =>
  options?.channels !== undefined && !options.channels.includes("in_app")

export const toNotification = (row: NotificationRow): StoredNotification => ({
  tenantId: row.tenant_id,
  userId: row.user_id,
  id: row.id,
  seq: Number(row.seq),
  type: row.type,
  title: row.title,
  message: row.message,
  priority: row.priority,
  ...(row.data === null ? {} : { data: row.data }),
  createdAt: DateTime.fromDateUnsafe(row.created_at),
  readAt: toUtcOrNull(row.read_at),
  push: row.push,
  dedupeKey: row.dedupe_key,
  source: row.source,
  urgency: row.urgency,
  options: row.options,
  hidden: isHidden(row.options),
  planAt: toUtcOrNull(row.plan_at),
  fallbackAt: DateTime.fromDateUnsafe(row.fallback_at ?? row.created_at)
})

const laterFallback = ({ createdAt, fallbackAt }: StoredNotification): number | null =>
  fallbackAt.epochMilliseconds === createdAt.epochMilliseconds ? null : fallbackAt.epochMilliseconds

/**
 * A hidden notification is out of the inbox from the start: its number is used, and its deliveries find it.
 *
 * One statement for any number of rows: an array for each column, which the server makes rows of again.
 */
export const insertAll = (sql: SqlClient, rows: ReadonlyArray<StoredNotification>) => sql`
  insert into notifications (
    tenant_id, user_id, seq, id, type, title, message, priority, data, push, dedupe_key, source, created_at, read_at,
    deleted_at, urgency, options, plan_at, fallback_at
  )
  select k.tenant_id, k.user_id, k.seq, k.id, k.type, k.title, k.message, k.priority, k.data::jsonb, k.push, k.dedupe_key,
    k.source, k.created_at, k.read_at, k.deleted_at, k.urgency, k.options::jsonb, k.plan_at, k.fallback_at
  from unnest(
    ${texts(rows.map((row) => row.tenantId))}::text[],
    ${texts(rows.map((row) => row.userId))}::text[],
    ${bigints(rows.map((row) => row.seq))}::bigint[],
    ${texts(rows.map((row) => row.id))}::text[],
    ${texts(rows.map((row) => row.type))}::text[],
    ${texts(rows.map((row) => row.title))}::text[],
    ${texts(rows.map((row) => row.message))}::text[],
    ${texts(rows.map((row) => row.priority))}::text[],
    ${texts(rows.map((row) => (row.data === undefined ? null : JSON.stringify(row.data))))}::text[],
    ${texts(rows.map((row) => row.push))}::text[],
    ${texts(rows.map((row) => row.dedupeKey))}::text[],
    ${texts(rows.map((row) => row.source))}::text[],
    ${timestamps(rows.map((row) => row.createdAt.epochMilliseconds))}::timestamptz[],
    ${timestamps(rows.map((row) => row.readAt?.epochMilliseconds ?? null))}::timestamptz[],
    ${timestamps(rows.map((row) => (row.hidden ? row.createdAt.epochMilliseconds : null)))}::timestamptz[],
    ${bigints(rows.map((row) => row.urgency))}::bigint[],
    ${texts(rows.map((row) => (row.options === null ? null : JSON.stringify(row.options))))}::text[],
    ${timestamps(rows.map((row) => row.planAt?.epochMilliseconds ?? null))}::timestamptz[],
    ${timestamps(rows.map(laterFallback))}::timestamptz[]
  ) as k(
    tenant_id, user_id, seq, id, type, title, message, priority, data, push, dedupe_key, source, created_at, read_at,
    deleted_at, urgency, options, plan_at, fallback_at
  )`
