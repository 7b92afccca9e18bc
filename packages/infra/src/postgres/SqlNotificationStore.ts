import type { NotificationId, TenantId } from "@beckon/domain/Identifiers"
import type { StateChange } from "@beckon/domain/InboxFrame"
import * as Keys from "@beckon/domain/MailboxKey"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { NotificationStore, SeqConflict, StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import type { ChangeResult, ListFilter, TenantFilter } from "@beckon/domain/ports/NotificationStore"
import { idBefore } from "@beckon/domain/TimeOrderedId"
import { Array, DateTime, Effect, Layer, Option } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import { columns, insertAll, ofMailbox, toNotification } from "./NotificationRow.ts"
import type { NotificationRow } from "./NotificationRow.ts"
import { loadStates, raiseAcknowledged } from "./SqlMailboxes.ts"
import { aged, erase, trim } from "./SqlMailboxRetention.ts"
import { bigint, texts, timestamp, toUtcOrNull } from "./SqlValues.ts"
import { unavailable, violates } from "./StoreFailure.ts"

interface ChangeRow {
  readonly id: NotificationId
  readonly seq: bigint
  readonly read_at: Date | null
  readonly deleted_at: Date | null
}

const toChange = (row: ChangeRow): StateChange => ({
  id: row.id,
  seq: Number(row.seq),
  readAt: toUtcOrNull(row.read_at),
  deleted: row.deleted_at !== null
})

/**
 * Changes the rows of a mailbox for which `which` holds, and stamps them with the next `rev`, in one statement: rows and
 * `rev` commit together. Without such rows, `rev` stays.
 *
 * The rows are all locked, in the order of `seq`, before the mailbox: two changes of one mailbox wait for each other and
 * never deadlock, and `rev` grows in the order of commits.
 */
const changeRows = (sql: SqlClient, key: MailboxKey, which: Fragment, change: Fragment) => {
  const mailbox = sql`tenant_id = ${key.tenantId} and user_id = ${key.userId}`
  return sql`
    target as (
      select n.seq from notifications n
      where ${ofMailbox(sql, key)} and n.deleted_at is null and ${which}
      order by n.seq for update
    ), bumped as (
      update mailboxes set rev = rev + 1 where ${mailbox} and (select count(*) from target) > 0 returning rev
    ), changed as (
      update notifications n set ${change}, rev = (select rev from bumped)
      where ${ofMailbox(sql, key)} and n.seq = any(array(select seq from target)) and exists (select from bumped)
      returning n.id, n.seq, n.read_at, n.deleted_at, n.rev
    )`
}

const unreadCount = (sql: SqlClient, key: MailboxKey): Effect.Effect<number, SqlError> =>
  Effect.map(
    sql<{ unread: bigint }>`
      select count(*) as unread from notifications n
      where ${ofMailbox(sql, key)} and n.read_at is null and n.deleted_at is null`,
    (rows) => Number(rows[0]?.unread ?? 0n)
  )

/** A statement of its own after a change, because the change does not see what others committed while it waited. */
const afterChange = (sql: SqlClient, key: MailboxKey) =>
  Effect.map(
    sql<{ unread: bigint; rev: bigint | null }>`
      select count(*) as unread, (
        select m.rev from mailboxes m where m.tenant_id = ${key.tenantId} and m.user_id = ${key.userId}
      ) as rev
      from notifications n
      where ${ofMailbox(sql, key)} and n.read_at is null and n.deleted_at is null`,
    (rows) => ({ unread: Number(rows[0]?.unread ?? 0n), rev: Number(rows[0]?.rev ?? 0n) })
  )

const changeListed = Effect.fnUntraced(function* (
  sql: SqlClient,
  key: MailboxKey,
  which: Fragment,
  change: Fragment
): Effect.fn.Return<ChangeResult, SqlError> {
  const rows = yield* sql<ChangeRow & { readonly rev: bigint }>`
    with ${changeRows(sql, key, which, change)} select * from changed order by seq`
  const now = yield* afterChange(sql, key)
  return {
    rev: rows[0] === undefined ? now.rev : Number(rows[0].rev),
    unread: now.unread,
    changes: rows.map(toChange)
  }
})

const listWhere = (sql: SqlClient, key: MailboxKey, filter: ListFilter): Fragment => {
  const clauses: Array<Fragment> = [ofMailbox(sql, key), sql`n.deleted_at is null`]
  if (filter.status === "read") clauses.push(sql`n.read_at is not null`)
  if (filter.status === "unread") clauses.push(sql`n.read_at is null`)
  if (filter.types !== undefined) clauses.push(sql`n.type = any(${texts(filter.types)})`)
  if (filter.priority !== undefined) clauses.push(sql`n.priority = ${filter.priority}`)
  if (filter.since !== undefined) clauses.push(sql`n.created_at >= ${timestamp(filter.since)}`)
  if (filter.until !== undefined) clauses.push(sql`n.created_at <= ${timestamp(filter.until)}`)
  if (filter.beforeSeq !== undefined) clauses.push(sql`n.seq < ${bigint(filter.beforeSeq)}`)
  return sql.and(clauses)
}

/**
 * Times become ids: what is asked for is one piece of the index.
 */
const tenantWhere = (sql: SqlClient, tenantId: TenantId, filter: TenantFilter): Fragment => {
  const clauses: Array<Fragment> = [sql`n.tenant_id = ${tenantId}`]
  if (filter.userId !== undefined) clauses.push(sql`n.user_id = ${filter.userId}`)
  if (filter.type !== undefined) clauses.push(sql`n.type = ${filter.type}`)
  if (filter.priority !== undefined) clauses.push(sql`n.priority = ${filter.priority}`)
  if (filter.status === "read") clauses.push(sql`n.read_at is not null`)
  if (filter.status === "unread") clauses.push(sql`n.read_at is null`)
  if (filter.since !== undefined) clauses.push(sql`n.id >= ${idBefore(filter.since)}`)
  if (filter.until !== undefined) clauses.push(sql`n.id < ${idBefore(DateTime.add(filter.until, { milliseconds: 1 }))}`)
  if (filter.beforeId !== undefined) clauses.push(sql`n.id < ${filter.beforeId}`)
  return sql.and(clauses)
}

/** Each mailbox once, with its highest position: an upsert may not meet one row twice. */
const highest = (positions: ReadonlyArray<MailboxKey & { readonly seq: number }>) => {
  const byMailbox = new Map<string, MailboxKey & { readonly seq: number }>()
  for (const position of positions) {
    const name = Keys.toString(position)
    const other = byMailbox.get(name)
    if (other === undefined || other.seq < position.seq) byMailbox.set(name, position)
  }
  return [...byMailbox.values()]
}

const make = Effect.gen(function* () {
  const sql = yield* SqlClient

  return NotificationStore.of({
    load: (keys) =>
      keys.length === 0 ? Effect.succeed([]) : unavailable("NotificationStore.load")(loadStates(sql, keys)),

    append: (rows) =>
      rows.length === 0
        ? Effect.void
        : Effect.mapError(Effect.asVoid(insertAll(sql, rows)), (error) =>
            violates(error, "notifications_pkey")
              ? new SeqConflict()
              : new StoreUnavailable({ operation: "NotificationStore.append", cause: error })
          ),

    findDuplicates: Effect.fnUntraced(function* (keys, since) {
      if (keys.length === 0) return []
      // `order by seq` with the index on (…, dedupe_key, seq): the first one of the window, in one lookup for each key.
      const rows = yield* sql<{ ordinal: bigint; id: NotificationId; seq: bigint }>`
        select k.ordinal, n.id, n.seq
        from unnest(
          ${texts(keys.map((key) => key.tenantId))}::text[],
          ${texts(keys.map((key) => key.userId))}::text[],
          ${texts(keys.map((key) => key.dedupeKey))}::text[]
        ) with ordinality as k(tenant_id, user_id, dedupe_key, ordinal)
        cross join lateral (
          select n.id, n.seq from notifications n
          where n.tenant_id = k.tenant_id and n.user_id = k.user_id and n.dedupe_key = k.dedupe_key
            and n.created_at >= ${timestamp(since)}
          order by n.seq limit 1
        ) n
        order by k.ordinal`
      return rows.flatMap((row) => {
        const key = keys[Number(row.ordinal) - 1]
        return key === undefined ? [] : [{ ...key, notificationId: row.id, seq: Number(row.seq) }]
      })
    }, unavailable("NotificationStore.findDuplicates")),

    after: Effect.fnUntraced(function* (key, afterSeq, uptoSeq, limit) {
      const rows = yield* sql<NotificationRow>`
        select ${columns(sql)} from notifications n
        where ${ofMailbox(sql, key)} and n.seq > ${bigint(afterSeq)} and n.seq <= ${bigint(uptoSeq)}
          and n.deleted_at is null
        order by n.seq limit ${limit}`
      return rows.map(toNotification)
    }, unavailable("NotificationStore.after")),

    changedAfter: Effect.fnUntraced(function* (key, afterRev, uptoSeq, limit) {
      // `rev > 0` is the condition of the index.
      const rows = yield* sql<ChangeRow>`
        select n.id, n.seq, n.read_at, n.deleted_at from notifications n
        where ${ofMailbox(sql, key)} and n.rev > 0 and n.rev > ${bigint(afterRev)} and n.seq <= ${bigint(uptoSeq)}
        order by n.rev, n.seq limit ${limit}`
      return rows.map(toChange)
    }, unavailable("NotificationStore.changedAfter")),

    recentUnread: Effect.fnUntraced(function* (key, since, limit) {
      const rows = yield* sql<NotificationRow>`
        select ${columns(sql)} from notifications n
        where ${ofMailbox(sql, key)} and n.read_at is null and n.deleted_at is null
          and n.created_at >= ${timestamp(since)}
        order by n.seq desc limit ${limit}`
      return rows.map(toNotification).toReversed()
    }, unavailable("NotificationStore.recentUnread")),

    list: Effect.fn("NotificationStore.list")(function* (key, filter) {
      const rows = yield* sql<NotificationRow>`
        select ${columns(sql)} from notifications n
        where ${listWhere(sql, key, filter)}
        order by n.seq desc limit ${filter.limit}`
      return rows.map(toNotification)
    }, unavailable("NotificationStore.list")),

    get: Effect.fn("NotificationStore.get")(function* (key, id) {
      const rows = yield* sql<NotificationRow>`
        select ${columns(sql)} from notifications n
        where ${ofMailbox(sql, key)} and n.id = ${id} and n.deleted_at is null`
      return Option.map(Array.head(rows), toNotification)
    }, unavailable("NotificationStore.get")),

    find: Effect.fn("NotificationStore.find")(function* (tenantId, id) {
      const rows = yield* sql<NotificationRow & { readonly acknowledged: boolean }>`
        select ${columns(sql)}, coalesce(m.acknowledged_seq >= n.seq, false) as acknowledged
        from notifications n
        left join mailboxes m on m.tenant_id = n.tenant_id and m.user_id = n.user_id
        where n.id = ${id} and n.tenant_id = ${tenantId}`
      return Option.map(Array.head(rows), (row) => ({
        notification: toNotification(row),
        acknowledged: row.acknowledged
      }))
    }, unavailable("NotificationStore.find")),

    listAll: Effect.fn("NotificationStore.listAll")(function* (tenantId, filter) {
      const rows = yield* sql<NotificationRow & { readonly acknowledged: boolean; readonly deleted_at: Date | null }>`
        select ${columns(sql)}, n.deleted_at, coalesce(m.acknowledged_seq >= n.seq, false) as acknowledged
        from (
          select * from notifications n where ${tenantWhere(sql, tenantId, filter)}
          order by n.id desc limit ${filter.limit}
        ) n
        left join mailboxes m on m.tenant_id = n.tenant_id and m.user_id = n.user_id
        order by n.id desc`
      return rows.map((row) => ({
        notification: toNotification(row),
        acknowledged: row.acknowledged,
        deleted: row.deleted_at !== null
      }))
    }, unavailable("NotificationStore.listAll")),

    unreadCount: (key) => unavailable("NotificationStore.unreadCount")(unreadCount(sql, key)),

    setRead: Effect.fn("NotificationStore.setRead")(function* (key, ids, read, now) {
      const which = sql`n.id = any(${texts(ids)}) and n.read_at ${sql.literal(read ? "is null" : "is not null")}`
      const change = read ? sql`read_at = ${timestamp(now)}` : sql`read_at = null`
      return yield* changeListed(sql, key, which, change)
    }, unavailable("NotificationStore.setRead")),

    setAllRead: Effect.fn("NotificationStore.setAllRead")(function* (key, uptoSeq, now) {
      const which = sql`n.seq <= ${bigint(uptoSeq)} and n.read_at is null`
      const rows = yield* sql<{ rev: bigint | null; changed: bigint }>`
        with ${changeRows(sql, key, which, sql`read_at = ${timestamp(now)}`)}
        select max(rev) as rev, count(*) as changed from changed`
      const after = yield* afterChange(sql, key)
      return {
        rev: Number(rows[0]?.rev ?? after.rev),
        unread: after.unread,
        changed: Number(rows[0]?.changed ?? 0n)
      }
    }, unavailable("NotificationStore.setAllRead")),

    remove: Effect.fn("NotificationStore.remove")(function* (key, ids, now) {
      return yield* changeListed(sql, key, sql`n.id = any(${texts(ids)})`, sql`deleted_at = ${timestamp(now)}`)
    }, unavailable("NotificationStore.remove")),

    aged: (tenantId, before, options) => unavailable("NotificationStore.aged")(aged(sql, tenantId, before, options)),

    trim: Effect.fn("NotificationStore.trim")(function* (key, uptoSeq, limit) {
      const trimmed = yield* trim(sql, key, uptoSeq, limit)
      return { trimmed, unread: yield* unreadCount(sql, key) }
    }, unavailable("NotificationStore.trim")),

    erase: (key) => unavailable("NotificationStore.erase")(erase(sql, key)),

    saveAcknowledged: (positions) =>
      positions.length === 0
        ? Effect.void
        : unavailable("NotificationStore.saveAcknowledged")(Effect.asVoid(raiseAcknowledged(sql, highest(positions))))
  })
})

/** Notifications in PostgreSQL 15 or newer. */
export const layer: Layer.Layer<NotificationStore, never, SqlClient> = Layer.effect(NotificationStore, make)
