/**
 * Digests while they gather: one open delivery for each user, channel and key.
 */
import type { Condition, DeliveryChannel, DeliveryId } from "@beckon/domain/Delivery"
import { Effect } from "effect"
import type { DateTime as Times } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { NewItem } from "../delivery/NewRow.ts"
import { digestName, digestNeeds } from "../delivery/PlanSorting.ts"
import type { Decided, OpenDigest } from "../delivery/PlanSorting.ts"
import { bigints, booleans, texts, timestamp, timestamps } from "./SqlValues.ts"

interface DigestRow {
  readonly id: DeliveryId
  readonly tenant_id: string
  readonly user_id: string
  readonly channel: DeliveryChannel
  readonly digest_key: string
  readonly items: number
  readonly urgency: number
  readonly condition: Condition
  readonly due_at: Date
}

/**
 * Opens the digests that are not open, and locks those that are, in the order of their keys; by `digestName`.
 *
 * One that another planner is just opening is waited for; one that a worker takes meanwhile is closed, and a new one opens.
 */
export const open = Effect.fnUntraced(function* (
  sql: SqlClient,
  decided: ReadonlyArray<Decided>,
  now: Times.Utc
): Effect.fn.Return<ReadonlyMap<string, OpenDigest>, SqlError> {
  const needs = [...digestNeeds(decided).values()]
  if (needs.length === 0) return new Map()
  const rows = yield* sql<DigestRow>`
    insert into deliveries as d (
      id, tenant_id, user_id, channel, target, condition, state, urgency, due_at, created_at, updated_at, digest_key,
      digest_open, items
    )
    select k.id, k.tenant_id, k.user_id, k.channel, k.target::jsonb, k.condition, 'pending', k.urgency, k.due_at,
      ${timestamp(now)}, ${timestamp(now)}, k.digest_key, true, 0
    from unnest(
      ${texts(needs.map((row) => row.id))}::text[],
      ${texts(needs.map((row) => row.tenantId))}::text[],
      ${texts(needs.map((row) => row.userId))}::text[],
      ${texts(needs.map((row) => row.channel))}::text[],
      ${texts(needs.map((row) => JSON.stringify(row.target)))}::text[],
      ${texts(needs.map((row) => row.condition))}::text[],
      ${bigints(needs.map((row) => row.urgency))}::bigint[],
      ${timestamps(needs.map((row) => row.dueAt))}::timestamptz[],
      ${texts(needs.map((row) => row.digestKey))}::text[]
    ) as k(id, tenant_id, user_id, channel, target, condition, urgency, due_at, digest_key)
    order by k.tenant_id collate "C", k.user_id collate "C", k.channel collate "C", k.digest_key collate "C"
    on conflict (tenant_id, user_id, channel, digest_key) where digest_open
    do update set updated_at = excluded.updated_at
    returning d.id, d.tenant_id, d.user_id, d.channel, d.digest_key, d.items, d.urgency, d.condition,
      d.due_at`
  return new Map(
    rows.map((row) => [
      digestName({ tenantId: row.tenant_id, userId: row.user_id, channel: row.channel, key: row.digest_key }),
      {
        id: row.id,
        items: row.items,
        urgency: row.urgency,
        condition: row.condition,
        dueAt: row.due_at.getTime(),
        open: true
      }
    ])
  )
})

/** Saves what the plan made of the digests that it has locked. */
export const save = (sql: SqlClient, digests: ReadonlyArray<OpenDigest>, now: Times.Utc) => {
  if (digests.length === 0) return Effect.void
  const ids = texts(digests.map(({ id }) => id))
  return Effect.asVoid(
    sql`
    update deliveries d
    set items = k.items, due_at = k.due_at, urgency = k.urgency, condition = k.condition, digest_open = k.digest_open, updated_at = ${timestamp(now)}
    from unnest(
      ${ids}::text[],
      ${bigints(digests.map(({ items }) => items))}::bigint[],
      ${timestamps(digests.map(({ dueAt }) => dueAt))}::timestamptz[],
      ${bigints(digests.map(({ urgency }) => urgency))}::bigint[],
      ${texts(digests.map(({ condition }) => condition))}::text[],
      ${booleans(digests.map((digest) => digest.open))}::boolean[]
    ) as k(id, items, due_at, urgency, condition, digest_open)
    where d.id = k.id and d.id = any(${ids})`.unprepared
  )
}

export const addItems = (sql: SqlClient, items: ReadonlyArray<NewItem>) =>
  items.length === 0
    ? Effect.void
    : Effect.asVoid(sql`
        insert into delivery_items (tenant_id, notification_id, channel, delivery_id, user_id, seq, cancel_key)
        select * from unnest(
          ${texts(items.map(({ due }) => due.tenantId))}::text[],
          ${texts(items.map(({ due }) => due.notificationId))}::text[],
          ${texts(items.map(({ channel }) => channel))}::text[],
          ${texts(items.map(({ deliveryId }) => deliveryId))}::text[],
          ${texts(items.map(({ due }) => due.userId))}::text[],
          ${bigints(items.map(({ due }) => due.seq))}::bigint[],
          ${texts(items.map(({ due }) => due.notification.options?.cancelKey ?? null))}::text[]
        )`)
