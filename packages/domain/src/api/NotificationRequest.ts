/**
 * What a service asks to send (R3's wire): a template and its variables, or literal text, and how it goes out.
 */
import { Schema } from "effect"
import { TemplateCode, Urgency } from "../DeliveryOptions.ts"
import { Timestamp } from "../events/Timestamp.ts"
import { UserId } from "../Identifiers.ts"
import { limits, NotificationData, NotificationType, PushPolicy } from "../Notification.ts"
import { identifierOf, nonEmptyTextOf, textOf } from "../Text.ts"
import {
  cancelKey,
  category,
  channels,
  EmailOptionsView,
  PushOptionsView,
  to,
  whatsapp
} from "./DeliveryOptionsView.ts"

/** How many users one call may name. */
export const maxUsers = 500

/** Room is left for what Beckon puts before it in the dedupe key. */
export const RequestId = nonEmptyTextOf(limits.dedupeKey - 56)

const content = {
  /** What kind of thing happened; the name of a channel means that channel only. */
  notificationType: NotificationType,
  templateCode: Schema.optionalKey(TemplateCode),
  variables: Schema.optionalKey(NotificationData),
  title: Schema.optionalKey(nonEmptyTextOf(limits.title)),
  message: Schema.optionalKey(textOf(limits.message)),
  data: Schema.optionalKey(NotificationData),
  priority: Schema.optionalKey(Urgency),
  channels,
  category,
  push: Schema.optionalKey(PushPolicy),
  language: Schema.optionalKey(identifierOf(35)),
  pushOptions: Schema.optionalKey(PushOptionsView),
  emailOptions: Schema.optionalKey(EmailOptionsView),
  whatsapp,
  /** At most a year ahead; sent at once when it is past. */
  sendAt: Schema.optionalKey(Timestamp),
  cancelKey
}

export const contentNames = {
  notificationType: "notification_type",
  templateCode: "template_code",
  pushOptions: "push_options",
  emailOptions: "email_options",
  sendAt: "send_at",
  cancelKey: "cancel_key"
} as const

export const Content = Schema.Struct(content)
/** What is said, to whomever. */
export type Content = typeof Content.Type

export const NotificationRequest = Schema.Struct({
  ...content,
  userId: UserId,
  to,
  /** The same one within 24 hours makes one notification of this user. */
  requestId: Schema.optionalKey(RequestId)
}).pipe(Schema.encodeKeys({ ...contentNames, userId: "user_id", requestId: "request_id" }))
export type NotificationRequest = typeof NotificationRequest.Type

/** These users, those of a role, or all of the tenant. */
export const Audience = Schema.Union([
  Schema.Struct({
    userIds: Schema.Array(UserId).check(Schema.isMinLength(1), Schema.isMaxLength(maxUsers))
  }).pipe(Schema.encodeKeys({ userIds: "user_ids" })),
  Schema.Struct({ role: identifierOf(64) }),
  Schema.Struct({ everyone: Schema.Literal(true) })
])
export type Audience = typeof Audience.Type

export const BroadcastRequest = Schema.Struct({
  ...content,
  audience: Audience,
  /** The same one within 24 hours reaches nobody twice. */
  requestId: RequestId,
  /** Goes on where a former answer ended. */
  cursor: Schema.optionalKey(nonEmptyTextOf(1_024))
}).pipe(Schema.encodeKeys({ ...contentNames, requestId: "request_id" }))
export type BroadcastRequest = typeof BroadcastRequest.Type
