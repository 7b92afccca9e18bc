import { UserId } from "@beckon/domain/Identifiers"
import type { NotificationId, TenantId } from "@beckon/domain/Identifiers"
import * as Keys from "@beckon/domain/MailboxKey"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import type { StoredNotification } from "@beckon/domain/Notification"
import { NotificationStore, SeqConflict, StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import type { ChangeResult } from "@beckon/domain/ports/NotificationStore"
import { idBefore } from "@beckon/domain/TimeOrderedId"
import { Context, DateTime, Effect, Layer, Option, Random } from "effect"
import { byBytes } from "./ByteOrder.ts"
import { MemoryMailbox } from "./MemoryMailbox.ts"
import { MemoryNotifications } from "./MemoryNotifications.ts"

/** A copy as a database would give it back: what the caller changes later is not saved. */
const copy = (row: StoredNotification): StoredNotification =>
  row.data === undefined ? { ...row } : { ...row, data: JSON.parse(JSON.stringify(row.data)) }

const make = Effect.sync(() => {
  const mailboxes = new Map<string, MemoryMailbox>()
  /** By tenant and id: an id is unique within its tenant. */
  const ids = new Map<string, MailboxKey>()
  const idOf = (tenantId: TenantId, id: NotificationId): string => `${tenantId}\u0000${id}`

  const at = (key: MailboxKey): MemoryMailbox => {
    const name = Keys.toString(key)
    let mailbox = mailboxes.get(name)
    if (mailbox === undefined) mailboxes.set(name, (mailbox = new MemoryMailbox()))
    return mailbox
  }

  /** What stands against saving these rows, checked in their order, as a database does. */
  const obstacle = (rows: ReadonlyArray<StoredNotification>): SeqConflict | StoreUnavailable | undefined => {
    const seqs = new Set<string>()
    const fresh = new Set<string>()
    for (const row of rows) {
      const name = `${Keys.toString(row)}\u0000${row.seq}`
      if (seqs.has(name) || at(row).has(row.seq)) return new SeqConflict()
      const id = idOf(row.tenantId, row.id)
      if (fresh.has(id) || ids.has(id)) {
        return new StoreUnavailable({
          operation: "NotificationStore.append",
          cause: new Error(`The id ${row.id} is taken`)
        })
      }
      seqs.add(name)
      fresh.add(id)
    }
    return undefined
  }

  const result = (mailbox: MemoryMailbox, changes: ChangeResult["changes"]): ChangeResult => ({
    rev: mailbox.revision,
    unread: mailbox.unreadCount,
    changes
  })

  const store = NotificationStore.of({
    load: (keys) =>
      Effect.map(Random.Random, (random) =>
        keys.map((key) =>
          at(key).open(() =>
            Math.floor(random.nextDoubleUnsafe() * 2 ** 52)
              .toString(16)
              .padStart(13, "0")
          )
        )
      ),

    append: (rows) =>
      Effect.suspend(() => {
        const error = obstacle(rows)
        if (error !== undefined) return Effect.fail(error)
        for (const row of rows) {
          at(row).insert(copy(row))
          ids.set(idOf(row.tenantId, row.id), { tenantId: row.tenantId, userId: row.userId })
        }
        return Effect.void
      }),

    findDuplicates: (keys, since) =>
      Effect.sync(() =>
        keys.flatMap((key) => {
          const known = at(key).firstWithDedupeKey(key.dedupeKey, since)
          return known === undefined ? [] : [{ ...key, notificationId: known.id, seq: known.seq }]
        })
      ),

    after: (key, afterSeq, uptoSeq, limit) => Effect.sync(() => at(key).after(afterSeq, uptoSeq, limit).map(copy)),

    changedAfter: (key, afterRev, uptoSeq, limit) => Effect.sync(() => at(key).changedAfter(afterRev, uptoSeq, limit)),

    recentUnread: (key, since, limit) => Effect.sync(() => at(key).recentUnread(since, limit).map(copy)),

    list: (key, filter) => Effect.sync(() => at(key).list(filter).map(copy)),

    get: (key, id) => Effect.sync(() => Option.map(Option.fromUndefinedOr(at(key).get(id)), copy)),

    find: (tenantId, id) =>
      Effect.sync(() => {
        const key = ids.get(idOf(tenantId, id))
        const found = key === undefined ? undefined : at(key).find(id)
        return Option.map(Option.fromUndefinedOr(found), ({ acknowledged, notification }) => ({
          notification: copy(notification),
          acknowledged
        }))
      }),

    listAll: (tenantId, filter) =>
      Effect.sync(() =>
        [...mailboxes]
          .flatMap(([name, mailbox]) => (name.startsWith(`${tenantId}\u0000`) ? mailbox.all() : []))
          .filter(
            ({ notification: { id, priority, readAt, type, userId } }) =>
              (filter.userId === undefined || filter.userId === userId) &&
              (filter.type === undefined || filter.type === type) &&
              (filter.priority === undefined || filter.priority === priority) &&
              (filter.status === "all" || (filter.status === "read") === (readAt !== null)) &&
              (filter.since === undefined || id >= idBefore(filter.since)) &&
              (filter.until === undefined || id < idBefore(DateTime.add(filter.until, { milliseconds: 1 }))) &&
              (filter.beforeId === undefined || byBytes(id, filter.beforeId) < 0)
          )
          .toSorted((left, right) => byBytes(right.notification.id, left.notification.id))
          .slice(0, filter.limit)
          .map((found) => ({ ...found, notification: copy(found.notification) }))
      ),

    unreadCount: (key) => Effect.sync(() => at(key).unreadCount),

    setRead: (key, listed, read, now) =>
      Effect.sync(() => {
        const mailbox = at(key)
        const wanted = new Set(listed)
        return result(
          mailbox,
          mailbox.setRead(({ id }) => wanted.has(id), read ? now : null)
        )
      }),

    setAllRead: (key, uptoSeq, now) =>
      Effect.sync(() => {
        const mailbox = at(key)
        const changed = mailbox.setRead(({ seq }) => seq <= uptoSeq, now).length
        return { rev: mailbox.revision, unread: mailbox.unreadCount, changed }
      }),

    remove: (key, listed) =>
      Effect.sync(() => {
        const mailbox = at(key)
        return result(mailbox, mailbox.remove(new Set(listed)))
      }),

    aged: (tenantId, before, { afterUserId = "", limit }) =>
      Effect.sync(() => {
        const users = [...mailboxes.keys()]
          .flatMap((name) =>
            name.startsWith(`${tenantId}\u0000`) ? [UserId.make(name.slice(tenantId.length + 1))] : []
          )
          .filter((userId) => byBytes(afterUserId, userId) < 0)
          .toSorted(byBytes)
          .slice(0, limit)
        return {
          mailboxes: users.flatMap((userId) => {
            const uptoSeq = at({ tenantId, userId }).agedUpto(before)
            return uptoSeq === undefined ? [] : [{ tenantId, userId, uptoSeq }]
          }),
          next: users.length < limit ? undefined : users.at(-1)
        }
      }),

    trim: (key, uptoSeq, limit) =>
      Effect.sync(() => {
        const mailbox = at(key)
        const gone = mailbox.trim(uptoSeq, limit, ({ planAt }) => planAt !== null)
        for (const { id } of gone) ids.delete(idOf(key.tenantId, id))
        return { trimmed: gone.length, unread: mailbox.unreadCount }
      }),

    erase: (key) =>
      Effect.sync(() => {
        const gone = at(key).trim(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, () => false)
        for (const { id } of gone) ids.delete(idOf(key.tenantId, id))
        mailboxes.delete(Keys.toString(key))
        return gone.length
      }),

    saveAcknowledged: (positions) =>
      Effect.sync(() => {
        for (const position of positions) at(position).raiseAcknowledged(position.seq)
      })
  })
  const notifications = MemoryNotifications.of({
    mailboxes: (tenantId) => {
      const all = [...mailboxes]
      if (tenantId === undefined) return all.map(([, mailbox]) => mailbox)
      return all.flatMap(([name, mailbox]) => (name.startsWith(`${tenantId}\u0000`) ? [mailbox] : []))
    },
    at
  })
  return Context.make(NotificationStore, store).pipe(Context.add(MemoryNotifications, notifications))
})

/** Notifications in memory: they end with the process. */
export const layer: Layer.Layer<NotificationStore | MemoryNotifications> = Layer.effectContext(make)
