/**
 * Drafts and notifications.
 *
 * A draft is what a route made of an event; a notification is a draft that a mailbox has accepted: it has an id, a `seq` and
 * is saved.
 */
import { Schema } from "effect"
import type { DateTime } from "effect"
import { DeliveryOptions, Urgency } from "./DeliveryOptions.ts"
import { NotificationId, TenantId, UserId } from "./Identifiers.ts"
import { NotificationType } from "./NotificationType.ts"
import { Sequence } from "./Position.ts"
import { isStorableText, nonEmptyTextOf, textOf } from "./Text.ts"

export { knownTypes, NotificationType } from "./NotificationType.ts"

/** R0's names of the three levels, in order of urgency. */
export const Priority = Schema.Literals(["high", "medium", "low"])
export type Priority = typeof Priority.Type

/** The limits of a draft's text, in UTF-16 code units; `data` in bytes of JSON. */
export const limits = { title: 256, message: 4_096, dataBytes: 16_384, dedupeKey: 256, source: 128 } as const

/** Arrays and objects of `data` within each other, at most: deeper ones would exhaust the stacks of those who read them. */
const maxDepth = 64

const isStorable = (value: Schema.Json, depth: number): boolean => {
  if (typeof value === "string") return isStorableText(value)
  if (typeof value !== "object" || value === null) return true
  return (
    depth > 0 &&
    Object.entries(value).every(
      ([name, item]: [string, Schema.Json]) => isStorableText(name) && isStorable(item, depth - 1)
    )
  )
}

const encoder = new TextEncoder()

/** A UTF-16 code unit is at most three bytes of UTF-8, so most data need not be encoded to be measured. */
const isAtMostBytes = (text: string, bytes: number): boolean =>
  text.length * 3 <= bytes || (text.length <= bytes && encoder.encode(text).length <= bytes)

const isData = Schema.makeFilter<Schema.JsonObject>(
  (value) => isStorable(value, maxDepth) && isAtMostBytes(JSON.stringify(value), limits.dataBytes),
  {
    expected: `at most ${limits.dataBytes} bytes of JSON, nested at most ${maxDepth} levels, without NUL and lone surrogates`
  }
)

/** Free data for the client: a JSON object of at most 16,384 bytes. */
export const NotificationData = Schema.JsonObject.check(isData)

/** Whether to reach for the user's phone: only when no session acknowledged, always, or never. */
export const PushPolicy = Schema.Literals(["fallback", "always", "never"])
export type PushPolicy = typeof PushPolicy.Type

export const Draft = Schema.Struct({
  tenantId: TenantId,
  userId: UserId,
  type: NotificationType,
  title: nonEmptyTextOf(limits.title),
  message: textOf(limits.message),
  priority: Priority,
  data: Schema.optionalKey(NotificationData),
  push: Schema.optionalKey(PushPolicy),
  /** How urgent its deliveries are; that of the priority when absent. */
  urgency: Schema.optionalKey(Urgency),
  /** How it goes out beyond the socket. */
  options: Schema.optionalKey(DeliveryOptions),
  /** The id that it was promised; a new one when absent. */
  id: Schema.optionalKey(NotificationId),
  /** The same key within 24 hours makes one notification of this user. */
  dedupeKey: Schema.optionalKey(nonEmptyTextOf(limits.dedupeKey)),
  /** Where the event came from, for people who look for it. */
  source: Schema.optionalKey(nonEmptyTextOf(limits.source))
})
export type Draft = typeof Draft.Type

/** What a user sees, as the RPC wire carries it (camelCase, ISO 8601 in UTC). */
export const Notification = Schema.Struct({
  id: NotificationId,
  seq: Sequence,
  type: NotificationType,
  title: Schema.String,
  message: Schema.String,
  priority: Priority,
  data: Schema.optionalKey(Schema.JsonObject),
  createdAt: Schema.DateTimeUtcFromString,
  readAt: Schema.NullOr(Schema.DateTimeUtcFromString)
})
export type Notification = typeof Notification.Type

/** A notification with what only the server needs: whose it is and where it came from. */
export interface StoredNotification extends Notification {
  readonly tenantId: TenantId
  readonly userId: UserId
  readonly push: PushPolicy
  readonly dedupeKey: string | null
  readonly source: string | null
  /** 1 (can wait) to 10 (first). */
  readonly urgency: number
  readonly options: DeliveryOptions | null
  /** Not in the inbox, because its sender asked for other channels only. */
  readonly hidden: boolean
  /** When its deliveries are to be planned; `null` when it can have none, or has them. */
  readonly planAt: DateTime.Utc | null
  /** From when on it counts that nobody has acknowledged it. */
  readonly fallbackAt: DateTime.Utc
}

/** The answer to one draft. `duplicate` says that its `dedupeKey` had made this notification before. */
export const Accepted = Schema.Struct({
  notificationId: NotificationId,
  seq: Sequence,
  duplicate: Schema.Boolean
})
export type Accepted = typeof Accepted.Type
