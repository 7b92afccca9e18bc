/**
 * Notifications that are to be sent later: kept until their time, then handed to their mailboxes.
 */
import { Context } from "effect"
import type { DateTime, Duration, Effect } from "effect"
import type { NotificationId, TenantId } from "../Identifiers.ts"
import type { Draft } from "../Notification.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

export interface Scheduled {
  /** The id that the notification will have. */
  readonly id: NotificationId
  readonly draft: Draft
  readonly sendAt: DateTime.Utc
  readonly createdAt: DateTime.Utc
}

export class ScheduleStore extends Context.Service<
  ScheduleStore,
  {
    /** Saves all or none. One whose tenant, user and `dedupeKey` are waiting already is not saved again; answers the ids that count, in order. */
    readonly add: (entries: ReadonlyArray<Scheduled>) => Effect.Effect<ReadonlyArray<NotificationId>, StoreUnavailable>
    /** Takes what is due, the earliest first; it comes back at `now + lease` unless it is removed. */
    readonly claim: (
      limit: number,
      now: DateTime.Utc,
      lease: Duration.Duration
    ) => Effect.Effect<ReadonlyArray<Scheduled>, StoreUnavailable>
    readonly remove: (ids: ReadonlyArray<NotificationId>) => Effect.Effect<void, StoreUnavailable>
    readonly get: (tenantId: TenantId, id: NotificationId) => Effect.Effect<Scheduled | undefined, StoreUnavailable>
    /** Removes what waits under a key, or one by its id; answers how many. One that is just being sent is not cancelled. */
    readonly cancel: (
      tenantId: TenantId,
      target: { readonly cancelKey: string } | { readonly id: NotificationId },
      now: DateTime.Utc
    ) => Effect.Effect<number, StoreUnavailable>
  }
>()("@beckon/domain/ports/ScheduleStore") {}
