/**
 * What a subscription carries, in this order: one `Subscribed`, then what the client missed (or, when nothing could be
 * recovered, its recent unread notifications), one `CaughtUp`, then everything as it happens.
 *
 * **Gotchas**
 *
 * A client takes its position from `Notification` and `Changed` frames only when `recovered` is true; otherwise it first
 * has a position at `CaughtUp`. So a link that breaks in between never leaves a gap.
 */
import { Schema } from "effect"
import { NotificationId } from "./Identifiers.ts"
import { Notification } from "./Notification.ts"
import { Position, Sequence } from "./Position.ts"

/** The state of one notification after a change. */
export const StateChange = Schema.Struct({
  id: NotificationId,
  seq: Sequence,
  readAt: Schema.NullOr(Schema.DateTimeUtcFromString),
  deleted: Schema.Boolean
})
export type StateChange = typeof StateChange.Type

export const Subscribed = Schema.TaggedStruct("Subscribed", {
  /** True when the client gets exactly what it missed since its position. */
  recovered: Schema.Boolean,
  /** The newest position of the stream when the subscription began. */
  head: Position,
  unread: Sequence
})

export const NotificationFrame = Schema.TaggedStruct("Notification", {
  notification: Notification,
  /** The user's unread count with this notification. */
  unread: Sequence
})

export const Changed = Schema.TaggedStruct("Changed", {
  rev: Sequence,
  unread: Sequence,
  changes: Schema.Array(StateChange)
})

/** Everything up to and with `upToSeq` was read at once. */
export const AllRead = Schema.TaggedStruct("AllRead", {
  rev: Sequence,
  unread: Sequence,
  upToSeq: Sequence,
  readAt: Schema.DateTimeUtcFromString
})

export const CaughtUp = Schema.TaggedStruct("CaughtUp", { position: Position })

export const InboxFrame = Schema.Union([Subscribed, NotificationFrame, Changed, AllRead, CaughtUp])
export type InboxFrame = typeof InboxFrame.Type

/** Encodes a frame to the JSON text that a session's chunk carries; a frame is encoded once for all sessions. */
export const encode: (frame: InboxFrame) => string = Schema.encodeSync(Schema.fromJsonString(InboxFrame))
