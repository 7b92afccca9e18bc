import type { NotificationId } from "@beckon/domain/Identifiers"
import type { Draft } from "@beckon/domain/Notification"
import { ScheduleStore } from "@beckon/domain/ports/ScheduleStore"
import type { Scheduled } from "@beckon/domain/ports/ScheduleStore"
import { DateTime, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { namesOf, nameOf } from "../delivery/ScheduleNames.ts"
import { texts, timestamp, timestamps } from "./SqlValues.ts"
import { unavailable } from "./StoreFailure.ts"

/** As the driver gives it. The store trusts its own table and does not decode each draft with a schema. */
interface ScheduledRow {
  readonly id: NotificationId
  readonly draft: Draft
  readonly send_at: Date
  readonly created_at: Date
}

const toScheduled = (row: ScheduledRow): Scheduled => ({
  id: row.id,
  draft: row.draft,
  sendAt: DateTime.fromDateUnsafe(row.send_at),
  createdAt: DateTime.fromDateUnsafe(row.created_at)
})

const make = Effect.gen(function* () {
  const sql = yield* SqlClient

  return ScheduleStore.of({
    add: Effect.fn("ScheduleStore.add")(function* (entries) {
      if (entries.length === 0) return []
      const distinct = [...namesOf(entries).values()]
      // The update changes nothing: it locks the entry that waits already, and answers its id.
      const rows = yield* sql<{ readonly id: NotificationId; readonly ordinal: bigint }>`
        with entries as materialized (
          select * from unnest(
            ${texts(distinct.map(({ draft }) => draft.tenantId))}::text[],
            ${texts(distinct.map(({ id }) => id))}::text[],
            ${texts(distinct.map(({ draft }) => draft.userId))}::text[],
            ${texts(distinct.map(({ draft }) => JSON.stringify(draft)))}::text[],
            ${texts(distinct.map(({ draft }) => draft.dedupeKey ?? null))}::text[],
            ${texts(distinct.map(({ draft }) => draft.options?.cancelKey ?? null))}::text[],
            ${timestamps(distinct.map(({ sendAt }) => sendAt.epochMilliseconds))}::timestamptz[],
            ${timestamps(distinct.map(({ createdAt }) => createdAt.epochMilliseconds))}::timestamptz[]
          ) with ordinality
          as k(tenant_id, id, user_id, draft, dedupe_key, cancel_key, send_at, created_at, ordinal)
        ), added as (
          insert into scheduled_notifications as s (
            tenant_id, id, user_id, draft, dedupe_key, cancel_key, send_at, due_at, created_at
          )
          select tenant_id, id, user_id, draft::jsonb, dedupe_key, cancel_key, send_at, send_at, created_at from entries
          order by tenant_id collate "C", user_id collate "C", dedupe_key collate "C", ordinal
          on conflict (tenant_id, user_id, dedupe_key) where dedupe_key is not null
          do update set dedupe_key = excluded.dedupe_key
          returning s.tenant_id, s.user_id, s.dedupe_key, s.id
        )
        select a.id, k.ordinal from added a join entries k
          on a.id = k.id or (a.tenant_id = k.tenant_id and a.user_id = k.user_id and a.dedupe_key = k.dedupe_key)`
      const ids = new Map(rows.map((row) => [Number(row.ordinal), row.id]))
      const byName = new Map(distinct.map((entry, index) => [nameOf(entry), ids.get(index + 1) ?? entry.id]))
      return entries.map((entry) => byName.get(nameOf(entry)) ?? entry.id)
    }, unavailable("ScheduleStore.add")),

    claim: Effect.fn("ScheduleStore.claim")(function* (limit, now, lease) {
      const rows = yield* sql<ScheduledRow>`
        with picked as materialized (
          select s.id from scheduled_notifications s where s.due_at <= ${timestamp(now)}
          order by s.due_at, s.id limit ${limit} for update skip locked
        ), taken as (
          update scheduled_notifications s set due_at = ${timestamp(DateTime.addDuration(now, lease))}
          where s.id = any(array(select id from picked))
          returning s.id, s.draft, s.send_at, s.created_at
        )
        select * from taken order by send_at, id`
      return rows.map(toScheduled)
    }, unavailable("ScheduleStore.claim")),

    remove: (ids) =>
      ids.length === 0
        ? Effect.void
        : unavailable("ScheduleStore.remove")(
            Effect.asVoid(sql`delete from scheduled_notifications where id = any(${texts(ids)})`)
          ),

    get: Effect.fn("ScheduleStore.get")(function* (tenantId, id) {
      const rows = yield* sql<ScheduledRow>`
        select s.id, s.draft, s.send_at, s.created_at from scheduled_notifications s
        where s.id = ${id} and s.tenant_id = ${tenantId}`
      return rows[0] === undefined ? undefined : toScheduled(rows[0])
    }, unavailable("ScheduleStore.get")),

    cancel: Effect.fn("ScheduleStore.cancel")(function* (tenantId, target, now) {
      const which = "id" in target ? sql`s.id = ${target.id}` : sql`s.cancel_key = ${target.cancelKey}`
      // Before its first lease an entry is due when it is to be sent.
      const rows = yield* sql`
        delete from scheduled_notifications s
        where s.tenant_id = ${tenantId} and ${which} and (s.due_at = s.send_at or s.due_at <= ${timestamp(now)})
        returning 1`
      return rows.length
    }, unavailable("ScheduleStore.cancel"))
  })
})

/** Scheduled notifications in PostgreSQL. */
export const layer: Layer.Layer<ScheduleStore, never, SqlClient> = Layer.effect(ScheduleStore, make)
