/**
 * Lends deliveries that are due to a worker.
 *
 * **Details**
 *
 * Two steps of one statement. First, without locks, the most urgent and earliest `limit` of all channels: they say how many of
 * each channel and urgency are wanted. Then so many of each are locked, passing over what other workers have locked: several
 * workers get several deliveries and none waits. Each look is one range of `deliveries_due`, which holds open deliveries only.
 *
 * `FOR UPDATE` under a sort would lock all that is sorted, not only the `limit` that is taken: hence the two steps.
 */
import type { DeliveryChannel, DeliveryId } from "@beckon/domain/Delivery"
import type { StoredNotification } from "@beckon/domain/Notification"
import type { Claimed, DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { DateTime, Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { columns, toDelivery } from "./DeliveryRow.ts"
import type { DeliveryRow } from "./DeliveryRow.ts"
import * as Notifications from "./NotificationRow.ts"
import { bigints, texts, timestamp } from "./SqlValues.ts"

type Options = Parameters<DeliveryStore["Service"]["claim"]>[0]

/** The same delivery seen over another channel, alone or in a digest; of a notification named `n`. */
const seenElsewhere = (sql: SqlClient) => sql`
  exists (
    select from deliveries o
    where o.tenant_id = n.tenant_id and o.notification_id = n.id and o.state = 'seen'
  ) or exists (
    select from delivery_items i join deliveries o on o.id = i.delivery_id
    where i.tenant_id = n.tenant_id and i.notification_id = n.id and o.state = 'seen'
  )`

/** A notification named `n` as `notification`, with whether its user has it and has seen it. */
const circumstances = (sql: SqlClient) => sql`
  n.tenant_id, n.user_id, n.seq, n.id, n.type, n.title, n.message, n.priority, n.data, n.push, n.dedupe_key, n.source,
  n.created_at, n.read_at, n.urgency, n.options, n.plan_at, n.fallback_at, n.deleted_at,
  coalesce((
    select m.acknowledged_seq >= n.seq from mailboxes m where m.tenant_id = n.tenant_id and m.user_id = n.user_id limit 1
  ), false) as acknowledged,
  ${seenElsewhere(sql)} as seen_elsewhere`

interface Circumstances extends Notifications.NotificationRow {
  readonly deleted_at: Date | null
  readonly acknowledged: boolean
  readonly seen_elsewhere: boolean
}

const isSeen = (row: Circumstances): boolean =>
  row.read_at !== null || row.seen_elsewhere || (row.deleted_at !== null && !Notifications.isHidden(row.options))

interface TakenRow extends DeliveryRow {
  readonly seq: bigint | null
  readonly first_claimed_at: Date
  readonly was_due: Date
}

/** Takes what is due; answers also how many were due, `limit` at most, before others were passed over. */
const take = (sql: SqlClient, { channels, lease, limit, now, worker }: Options) =>
  sql<(TakenRow | { readonly id: null }) & { readonly wanted: bigint }>`
  with ranges as (
    select c.channel, u.urgency
    from unnest(${texts(channels)}::text[]) as c(channel) cross join generate_series(10, 1, -1) as u(urgency)
  ), first as (
    select r.channel, r.urgency, d.due_at
    from ranges r
    cross join lateral (
      select d.due_at from deliveries d
      where d.channel = r.channel and d.urgency = r.urgency and d.state in ('pending', 'sending', 'failed')
        and d.due_at <= ${timestamp(now)}
      order by d.due_at limit ${limit}
    ) d
    order by r.urgency desc, d.due_at limit ${limit}
  ), wanted as (
    select channel, urgency, count(*) as count from first group by channel, urgency
  ), picked as materialized (
    select d.id, d.due_at
    from wanted w
    cross join lateral (
      select d.id, d.due_at from deliveries d
      where d.channel = w.channel and d.urgency = w.urgency and d.state in ('pending', 'sending', 'failed')
        and d.due_at <= ${timestamp(now)}
      order by d.due_at limit w.count for update skip locked
    ) d
  ), taken as (
    update deliveries d
    set state = 'sending', attempts = d.attempts + 1, claims = d.claims + 1, unreported = d.unreported + 1,
      worker = ${worker}, digest_open = false,
      first_claimed_at = coalesce(d.first_claimed_at, ${timestamp(now)}),
      due_at = ${timestamp(DateTime.addDuration(now, lease))}, updated_at = ${timestamp(now)}
    where d.id = any(array(select id from picked))
    returning d.*
  )
  select ${columns(sql)}, d.seq, d.first_claimed_at, p.due_at as was_due, w.wanted
  from (select coalesce(sum(count), 0)::bigint as wanted from wanted) w
  left join (taken d join picked p on p.id = d.id) on true`.unprepared

/** The notifications of single deliveries and of digests, oldest first in each. */
const readNotifications = Effect.fnUntraced(function* (sql: SqlClient, rows: ReadonlyArray<TakenRow>) {
  const single = rows.filter(({ notification_id, user_id }) => notification_id !== null && user_id !== null)
  const gathered = rows.filter(({ digest_key }) => digest_key !== null)
  const found = new Map<DeliveryId, Array<Circumstances>>()
  if (single.length > 0) {
    const read = yield* sql<Circumstances & { readonly delivery_id: DeliveryId }>`
      select k.delivery_id, n.*
      from unnest(
        ${texts(single.map(({ id }) => id))}::text[],
        ${texts(single.map(({ tenant_id }) => tenant_id))}::text[],
        ${texts(single.map(({ user_id }) => user_id))}::text[],
        ${bigints(single.map(({ seq }) => (seq === null ? null : Number(seq))))}::bigint[]
      ) as k(delivery_id, tenant_id, user_id, seq)
      cross join lateral (
        select ${circumstances(sql)} from notifications n
        where n.tenant_id = k.tenant_id and n.user_id = k.user_id and n.seq = k.seq limit 1
      ) n`.unprepared
    for (const row of read) found.set(row.delivery_id, [row])
  }
  if (gathered.length > 0) {
    const read = yield* sql<Circumstances & { readonly delivery_id: DeliveryId }>`
      select i.delivery_id, n.*
      from unnest(${texts(gathered.map(({ id }) => id))}::text[]) as k(delivery_id)
      cross join lateral (
        select i.* from delivery_items i where i.delivery_id = k.delivery_id order by i.seq limit 1000
      ) i
      cross join lateral (
        select ${circumstances(sql)} from notifications n
        where n.tenant_id = i.tenant_id and n.user_id = i.user_id and n.seq = i.seq limit 1
      ) n
      order by i.delivery_id, i.seq`.unprepared
    for (const row of read) {
      const items = found.get(row.delivery_id)
      if (items === undefined) found.set(row.delivery_id, [row])
      else items.push(row)
    }
  }
  return found
})

const toClaimed = (row: TakenRow, all: ReadonlyArray<Circumstances>): Claimed => {
  // A digest brings only what is not seen; a single one says so itself.
  const unseen = row.digest_key === null ? all : all.filter((item) => !isSeen(item))
  const notifications: ReadonlyArray<StoredNotification> = unseen.map(Notifications.toNotification)
  return {
    delivery: toDelivery(row),
    attempt: row.claims,
    unreported: row.unreported,
    since: DateTime.fromDateUnsafe(row.first_claimed_at),
    notifications,
    options: notifications.length === 1 ? (notifications[0]?.options ?? undefined) : undefined,
    content: row.content ?? undefined,
    acknowledged: all.length > 0 && all.every(({ acknowledged }) => acknowledged),
    seen: all.length > 0 && all.every(isSeen),
    progress: row.progress ?? []
  }
}

const byUrgency = (left: TakenRow, right: TakenRow): number =>
  right.urgency - left.urgency || left.was_due.getTime() - right.was_due.getTime() || (left.id < right.id ? -1 : 1)

/** Rounds of one claim while other workers take what it wanted. */
const maxRounds = 4

/** As `DeliveryStore.claim`. What is taken and cannot be read afterwards comes back when its lease ends. */
export const claim = Effect.fnUntraced(function* (
  sql: SqlClient,
  options: Options
): Effect.fn.Return<ReadonlyArray<Claimed>, SqlError> {
  const channels: ReadonlyArray<DeliveryChannel> = [...new Set(options.channels)]
  const rows: Array<TakenRow> = []
  for (let round = 0; round < maxRounds; round++) {
    const limit = options.limit - rows.length
    const attempt = take(sql, { ...options, channels, limit })
    // What an earlier round has taken is the worker's, whatever happens to this one.
    const taken = yield* round === 0 ? attempt : Effect.orElseSucceed(attempt, () => [])
    for (const row of taken) if (row.id !== null) rows.push(row)
    // Less than were due: others had the rest, and behind it may be more.
    if (rows.length >= options.limit || Number(taken[0]?.wanted ?? 0n) < limit) break
  }
  const found = yield* readNotifications(sql, rows)
  return rows.toSorted(byUrgency).map((row) => toClaimed(row, found.get(row.id) ?? []))
})

/** Prolongs leases that are still held, and answers them; never shortens one. */
export const extend = (
  sql: SqlClient,
  claims: Parameters<DeliveryStore["Service"]["extend"]>[0],
  until: DateTime.Utc
) => {
  const ids = texts(claims.map(({ id }) => id))
  return sql<{ readonly id: DeliveryId }>`
    with held as materialized (
      select d.id from deliveries d
      join unnest(${ids}::text[], ${bigints(claims.map(({ attempt }) => attempt))}::bigint[]) as k(id, attempt)
        on k.id = d.id and k.attempt = d.claims
      where d.id = any(${ids}) and d.state = 'sending' and d.worker is not null
      order by d.id for update of d
    )
    update deliveries d set due_at = greatest(d.due_at, ${timestamp(until)}) where d.id = any(array(select id from held))
    returning d.id`.unprepared
}
