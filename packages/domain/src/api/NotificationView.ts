/**
 * A notification as REST carries it: snake_case.
 */
import { Schema } from "effect"
import { NotificationId, UserId } from "../Identifiers.ts"
import { NotificationType, Priority } from "../Notification.ts"
import { Sequence } from "../Position.ts"

export const NotificationView = Schema.Struct({
  id: NotificationId,
  seq: Sequence,
  type: NotificationType,
  title: Schema.String,
  message: Schema.String,
  priority: Priority,
  data: Schema.optionalKey(Schema.JsonObject),
  createdAt: Schema.DateTimeUtcFromString,
  readAt: Schema.NullOr(Schema.DateTimeUtcFromString)
}).pipe(Schema.encodeKeys({ createdAt: "created_at", readAt: "read_at" }))
export type NotificationView = typeof NotificationView.Type

/** What a sender learns of a notification that is saved. */
export const AcceptedView = Schema.Struct({
  id: NotificationId,
  userId: UserId,
  seq: Sequence,
  duplicate: Schema.Boolean
}).pipe(Schema.encodeKeys({ userId: "user_id" }))
export type AcceptedView = typeof AcceptedView.Type
