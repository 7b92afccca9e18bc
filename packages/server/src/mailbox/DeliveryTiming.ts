/**
 * What mailboxes know of deliveries: when the notifications that they accept are to be planned, and whom to tell.
 *
 * **Details**
 *
 * The time is saved with the notification and is all that deliveries need: whoever dies afterwards, the planner finds it.
 */
import { Context, Effect, Layer } from "effect"
import type { DateTime } from "effect"
import type { TenantId } from "@beckon/domain/Identifiers"
import type { Timing } from "@beckon/domain/MailboxState"
import type { Draft, StoredNotification } from "@beckon/domain/Notification"

/** `online`: a device of the user listens while the draft is accepted. */
export type TimingOf = (draft: Draft, online: boolean, now: DateTime.Utc) => Timing

export class DeliveryTiming extends Context.Service<
  DeliveryTiming,
  {
    /** By what these tenants have set, seconds ago at most. Never fails: what cannot be read is planned with care. */
    readonly of: (tenantIds: ReadonlySet<TenantId>) => Effect.Effect<TimingOf>
    /** These are saved. Must not wait. */
    readonly saved: (rows: ReadonlyArray<StoredNotification>) => void
  }
>()("@beckon/server/mailbox/DeliveryTiming") {
  /** Nothing is delivered but over sockets. */
  static readonly layerNone = Layer.succeed(DeliveryTiming, {
    of: () =>
      Effect.succeed((_draft: Draft, _online: boolean, now: DateTime.Utc) => ({ planAt: null, fallbackAt: now })),
    saved: () => {}
  })
}
