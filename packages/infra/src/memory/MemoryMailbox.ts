/**
 * One mailbox in memory: its rows by `seq`, with what a database would keep in indexes.
 */
import type { NotificationId } from "@beckon/domain/Identifiers"
import type { StateChange } from "@beckon/domain/InboxFrame"
import type { MailboxState } from "@beckon/domain/MailboxState"
import type { StoredNotification } from "@beckon/domain/Notification"
import type { ListFilter } from "@beckon/domain/ports/NotificationStore"
import { DateTime } from "effect"

interface Row {
  notification: StoredNotification
  deleted: boolean
  rev: number
}

const isUnread = (row: Row): boolean => row.notification.readAt === null && !row.deleted

const toChange = ({ deleted, notification }: Row): StateChange => ({
  id: notification.id,
  seq: notification.seq,
  readAt: notification.readAt,
  deleted
})

const matches = (filter: ListFilter, row: Row): boolean => {
  const { createdAt, priority, readAt, seq, type } = row.notification
  return (
    !row.deleted &&
    (filter.status === "all" || (filter.status === "read") === (readAt !== null)) &&
    (filter.types === undefined || filter.types.includes(type)) &&
    (filter.priority === undefined || filter.priority === priority) &&
    (filter.since === undefined || DateTime.isGreaterThanOrEqualTo(createdAt, filter.since)) &&
    (filter.until === undefined || DateTime.isLessThanOrEqualTo(createdAt, filter.until)) &&
    (filter.beforeSeq === undefined || seq < filter.beforeSeq)
  )
}

export class MemoryMailbox {
  /** Undefined until the mailbox is loaded first: rows alone do not make a mailbox. */
  private epoch: string | undefined
  private rev = 0
  private floor = 0
  private acknowledged = 0
  private unread = 0
  /** Sorted by `seq`. */
  private readonly rows: Array<Row> = []
  private readonly byDedupeKey = new Map<string, Array<Row>>()

  open(newEpoch: () => string): MailboxState {
    this.epoch ??= newEpoch()
    return {
      epoch: this.epoch,
      seq: Math.max(this.floor, this.rows.at(-1)?.notification.seq ?? 0),
      floor: this.floor,
      rev: this.rev,
      unread: this.unread,
      acknowledged: this.acknowledged
    }
  }

  /** The index of the first row after `seq`. */
  private indexAfter(seq: number): number {
    let low = 0
    let high = this.rows.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.rows[middle]?.notification.seq ?? 0) <= seq) low = middle + 1
      else high = middle
    }
    return low
  }

  has(seq: number): boolean {
    return this.rows[this.indexAfter(seq) - 1]?.notification.seq === seq
  }

  /** `has(notification.seq)` must be false. */
  insert(notification: StoredNotification): void {
    // A hidden one is out of the inbox from the start.
    const row: Row = { notification, deleted: notification.hidden, rev: 0 }
    this.rows.splice(this.indexAfter(notification.seq), 0, row)
    if (isUnread(row)) this.unread++
    if (notification.dedupeKey === null) return
    const same = this.byDedupeKey.get(notification.dedupeKey) ?? []
    same.push(row)
    this.byDedupeKey.set(
      notification.dedupeKey,
      same.toSorted((left, right) => left.notification.seq - right.notification.seq)
    )
  }

  firstWithDedupeKey(dedupeKey: string, since: DateTime.Utc): StoredNotification | undefined {
    return this.byDedupeKey
      .get(dedupeKey)
      ?.find((row) => DateTime.isGreaterThanOrEqualTo(row.notification.createdAt, since))?.notification
  }

  after(afterSeq: number, uptoSeq: number, limit: number): Array<StoredNotification> {
    return this.rows
      .slice(this.indexAfter(afterSeq), this.indexAfter(uptoSeq))
      .filter((row) => !row.deleted)
      .slice(0, limit)
      .map((row) => row.notification)
  }

  changedAfter(afterRev: number, uptoSeq: number, limit: number): Array<StateChange> {
    return this.rows
      .filter((row) => row.rev > 0 && row.rev > afterRev && row.notification.seq <= uptoSeq)
      .toSorted((left, right) => left.rev - right.rev || left.notification.seq - right.notification.seq)
      .slice(0, limit)
      .map(toChange)
  }

  recentUnread(since: DateTime.Utc, limit: number): Array<StoredNotification> {
    return this.list({ status: "unread", since, limit }).toReversed()
  }

  /** Newest first. */
  list(filter: ListFilter): Array<StoredNotification> {
    const found: Array<StoredNotification> = []
    for (let index = this.rows.length - 1; index >= 0 && found.length < filter.limit; index--) {
      const row = this.rows[index]
      if (row !== undefined && matches(filter, row)) found.push(row.notification)
    }
    return found
  }

  /** Deleted ones too. */
  all(): ReadonlyArray<{
    readonly notification: StoredNotification
    readonly acknowledged: boolean
    readonly deleted: boolean
  }> {
    return this.rows.map(({ deleted, notification }) => ({
      notification,
      acknowledged: notification.seq <= this.acknowledged,
      deleted: deleted && !notification.hidden
    }))
  }

  get(id: NotificationId): StoredNotification | undefined {
    return this.rows.find((row) => row.notification.id === id && !row.deleted)?.notification
  }

  /** Also one that is deleted. */
  find(id: NotificationId): { readonly notification: StoredNotification; readonly acknowledged: boolean } | undefined {
    const notification = this.rows.find((row) => row.notification.id === id)?.notification
    return notification === undefined
      ? undefined
      : { notification, acknowledged: notification.seq <= this.acknowledged }
  }

  /** What deliveries want to know of a notification. */
  circumstances(
    seq: number
  ): { readonly notification: StoredNotification; readonly acknowledged: boolean; readonly seen: boolean } | undefined {
    const row = this.rows[this.indexAfter(seq) - 1]
    if (row === undefined || row.notification.seq !== seq) return undefined
    const { deleted, notification } = row
    return {
      notification,
      acknowledged: seq <= this.acknowledged,
      seen: notification.readAt !== null || (deleted && !notification.hidden)
    }
  }

  /** Those that wait for their plan, up to this time. */
  unplanned(now: DateTime.Utc): Array<StoredNotification> {
    return this.rows.flatMap(({ notification }) =>
      notification.planAt !== null && DateTime.isLessThanOrEqualTo(notification.planAt, now) ? [notification] : []
    )
  }

  setPlanAt(which: (notification: StoredNotification) => boolean, planAt: DateTime.Utc | null): number {
    const rows = this.rows.filter(({ notification }) => notification.planAt !== null && which(notification))
    for (const row of rows) row.notification = { ...row.notification, planAt }
    return rows.length
  }

  /** Also those that are not in the inbox any more. */
  where(which: (notification: StoredNotification) => boolean): Array<StoredNotification> {
    return this.rows.flatMap(({ notification }) => (which(notification) ? [notification] : []))
  }

  get unreadCount(): number {
    return this.unread
  }

  get revision(): number {
    return this.epoch === undefined ? 0 : this.rev
  }

  private change(which: (notification: StoredNotification) => boolean, apply: (row: Row) => void): Array<StateChange> {
    const rows = this.epoch === undefined ? [] : this.rows.filter((row) => !row.deleted && which(row.notification))
    if (rows.length > 0) this.rev++
    for (const row of rows) {
      if (isUnread(row)) this.unread--
      apply(row)
      row.rev = this.rev
      if (isUnread(row)) this.unread++
    }
    return rows.map(toChange)
  }

  /** Changes the rows that are not in this state yet. */
  setRead(which: (notification: StoredNotification) => boolean, readAt: DateTime.Utc | null): Array<StateChange> {
    return this.change(
      (notification) => which(notification) && (notification.readAt === null) === (readAt !== null),
      (row) => {
        row.notification = { ...row.notification, readAt }
      }
    )
  }

  remove(ids: ReadonlySet<NotificationId>): Array<StateChange> {
    return this.change(
      (notification) => ids.has(notification.id),
      (row) => {
        row.deleted = true
      }
    )
  }

  /** The newest `seq` from before `before`. */
  agedUpto(before: DateTime.Utc): number | undefined {
    return this.rows.findLast(({ notification }) => DateTime.isLessThan(notification.createdAt, before))?.notification
      .seq
  }

  /** Answers what is gone, the oldest first. */
  trim(
    uptoSeq: number,
    limit: number,
    isHeld: (notification: StoredNotification) => boolean
  ): ReadonlyArray<StoredNotification> {
    this.floor = Math.max(this.floor, uptoSeq)
    const gone = this.rows
      .slice(0, this.indexAfter(uptoSeq))
      .filter((row) => !isHeld(row.notification))
      .slice(0, limit)
    for (const row of gone) {
      this.rows.splice(this.rows.indexOf(row), 1)
      if (isUnread(row)) this.unread--
      const { dedupeKey } = row.notification
      if (dedupeKey === null) continue
      this.byDedupeKey.set(
        dedupeKey,
        (this.byDedupeKey.get(dedupeKey) ?? []).filter((one) => one !== row)
      )
    }
    return gone.map(({ notification }) => notification)
  }

  raiseAcknowledged(seq: number): void {
    if (this.epoch !== undefined) this.acknowledged = Math.max(this.acknowledged, seq)
  }
}
