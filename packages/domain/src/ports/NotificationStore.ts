/**
 * Where mailboxes keep their notifications.
 *
 * **Details**
 *
 * `append` is the fence: `unique (tenant_id, user_id, seq)`. A node that lost its partition gets `SeqConflict`, forgets
 * what it knew of these mailboxes and reads them again.
 */
import { Context, Schema } from "effect"
import type { DateTime, Effect, Option } from "effect"
import type { StateChange } from "../InboxFrame.ts"
import type { ReadStatus } from "../InboxRpcs.ts"
import type { MailboxKey } from "../MailboxKey.ts"
import type { Known, MailboxState } from "../MailboxState.ts"
import type { NotificationId, TenantId, UserId } from "../Identifiers.ts"
import type { Priority, StoredNotification } from "../Notification.ts"

/** The store cannot answer; whether a write happened is not known. */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()("StoreUnavailable", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `The store failed in ${this.operation}`
  }
}

/** Another owner has written one of these numbers: nothing of the batch was written. */
export class SeqConflict extends Schema.TaggedError<SeqConflict>()("SeqConflict", {}) {}

export interface ListFilter {
  readonly status: ReadStatus
  readonly types?: ReadonlyArray<string>
  readonly priority?: Priority
  readonly since?: DateTime.Utc
  readonly until?: DateTime.Utc
  /** Only notifications with a smaller `seq`: the cursor. */
  readonly beforeSeq?: number
  readonly limit: number
}

/** Of all users of a tenant, or of one. */
export interface TenantFilter {
  readonly userId?: UserId
  readonly type?: string
  readonly priority?: Priority
  readonly status: ReadStatus
  /** By when the id was made: at the request, also for one that was sent later. */
  readonly since?: DateTime.Utc
  readonly until?: DateTime.Utc
  /** Only notifications with a smaller id: the cursor. */
  readonly beforeId?: NotificationId
  readonly limit: number
}

/** What a change of state did: the new `rev` (the old one when nothing changed), the rows it touched, what is unread now. */
export interface ChangeResult {
  readonly rev: number
  readonly unread: number
  readonly changes: ReadonlyArray<StateChange>
}

/** A notification with what its sender wants to know of it. */
export interface Found {
  readonly notification: StoredNotification
  /** A device of the user has acknowledged it. */
  readonly acknowledged: boolean
}

export class NotificationStore extends Context.Service<
  NotificationStore,
  {
    /** Reads the states of mailboxes, in the order of `keys`; makes those that do not exist, each with a new epoch. */
    readonly load: (keys: ReadonlyArray<MailboxKey>) => Effect.Effect<ReadonlyArray<MailboxState>, StoreUnavailable>
    /** Saves all rows or none. When it succeeds they survive the death of the process. */
    readonly append: (rows: ReadonlyArray<StoredNotification>) => Effect.Effect<void, SeqConflict | StoreUnavailable>
    /** Which of these dedupe keys made a notification since `since`; absent keys are absent in the answer. */
    readonly findDuplicates: (
      keys: ReadonlyArray<MailboxKey & { readonly dedupeKey: string }>,
      since: DateTime.Utc
    ) => Effect.Effect<ReadonlyArray<MailboxKey & Known & { readonly dedupeKey: string }>, StoreUnavailable>
    /** Notifications with `afterSeq < seq <= uptoSeq`, oldest first, without the deleted ones. */
    readonly after: (
      key: MailboxKey,
      afterSeq: number,
      uptoSeq: number,
      limit: number
    ) => Effect.Effect<ReadonlyArray<StoredNotification>, StoreUnavailable>
    /** The state of notifications with `seq <= uptoSeq` that changed after `afterRev`; at most `limit`. */
    readonly changedAfter: (
      key: MailboxKey,
      afterRev: number,
      uptoSeq: number,
      limit: number
    ) => Effect.Effect<ReadonlyArray<StateChange>, StoreUnavailable>
    /** The newest `limit` unread notifications since `since`, oldest first. */
    readonly recentUnread: (
      key: MailboxKey,
      since: DateTime.Utc,
      limit: number
    ) => Effect.Effect<ReadonlyArray<StoredNotification>, StoreUnavailable>
    /** Newest first. */
    readonly list: (
      key: MailboxKey,
      filter: ListFilter
    ) => Effect.Effect<ReadonlyArray<StoredNotification>, StoreUnavailable>
    readonly get: (
      key: MailboxKey,
      id: NotificationId
    ) => Effect.Effect<Option.Option<StoredNotification>, StoreUnavailable>
    /** For its sender: whosever it is in the tenant, also one that is not in the inbox, or not any more. */
    readonly find: (tenantId: TenantId, id: NotificationId) => Effect.Effect<Option.Option<Found>, StoreUnavailable>
    /**
     * By id, from the greatest: newest first, as far as Beckon made the ids. Also those that are not in an inbox, or not any more.
     */
    readonly listAll: (
      tenantId: TenantId,
      filter: TenantFilter
    ) => Effect.Effect<ReadonlyArray<Found & { readonly deleted: boolean }>, StoreUnavailable>
    readonly unreadCount: (key: MailboxKey) => Effect.Effect<number, StoreUnavailable>
    /** Marks these notifications of the mailbox read (at `now`) or unread. Ids of others are passed over. */
    readonly setRead: (
      key: MailboxKey,
      ids: ReadonlyArray<NotificationId>,
      read: boolean,
      now: DateTime.Utc
    ) => Effect.Effect<ChangeResult, StoreUnavailable>
    /** Marks everything up to `uptoSeq` read; answers how many were unread. */
    readonly setAllRead: (
      key: MailboxKey,
      uptoSeq: number,
      now: DateTime.Utc
    ) => Effect.Effect<{ readonly rev: number; readonly unread: number; readonly changed: number }, StoreUnavailable>
    /** Takes notifications out of the inbox. Their `seq` stays used. */
    readonly remove: (
      key: MailboxKey,
      ids: ReadonlyArray<NotificationId>,
      now: DateTime.Utc
    ) => Effect.Effect<ChangeResult, StoreUnavailable>
    /**
     * The mailboxes of a tenant that hold something from before `before`, by user, and up to which `seq` they do. Looks at
     * `limit` mailboxes; `next` is where to go on.
     */
    readonly aged: (
      tenantId: TenantId,
      before: DateTime.Utc,
      options: { readonly afterUserId?: UserId; readonly limit: number }
    ) => Effect.Effect<
      {
        readonly mailboxes: ReadonlyArray<MailboxKey & { readonly uptoSeq: number }>
        readonly next: UserId | undefined
      },
      StoreUnavailable
    >
    /**
     * Throws away up to `limit` notifications with `seq <= uptoSeq`, the oldest first, and raises the floor of the mailbox with
     * the same commit: nobody resumes from before it. What waits for its deliveries to be planned stays.
     */
    readonly trim: (
      key: MailboxKey,
      uptoSeq: number,
      limit: number
    ) => Effect.Effect<{ readonly trimmed: number; readonly unread: number }, StoreUnavailable>
    /** Throws away the mailbox and all it holds; the next `load` makes a new one, of another epoch. Answers how much it was. */
    readonly erase: (key: MailboxKey) => Effect.Effect<number, StoreUnavailable>
    /** Saves how far mailboxes were acknowledged; never falls. */
    readonly saveAcknowledged: (
      positions: ReadonlyArray<MailboxKey & { readonly seq: number }>
    ) => Effect.Effect<void, StoreUnavailable>
  }
>()("@beckon/domain/ports/NotificationStore") {}
