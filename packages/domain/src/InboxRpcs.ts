/**
 * The RPC group that a user's clients speak over the socket, and that services use to send.
 *
 * **Details**
 *
 * The wire is effect/rpc's protocol with JSON, one message or an array of messages in a text frame. `Subscribe` answers
 * with chunks of `InboxFrame`; the server does not wait for the protocol's `Ack` of a chunk: flow control is the socket's
 * buffer limit, past which the socket is closed and the client resumes.
 */
import { Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { DeliveryOptions, Urgency } from "./DeliveryOptions.ts"
import { Device, DeviceToken } from "./Device.ts"
import { NotificationId, UserId } from "./Identifiers.ts"
import { InboxFrame } from "./InboxFrame.ts"
import {
  Accepted,
  limits,
  Notification,
  NotificationData,
  NotificationType,
  Priority,
  PushPolicy
} from "./Notification.ts"
import { Position, Sequence } from "./Position.ts"
import { Preferences } from "./Preferences.ts"
import { PreferencesInput } from "./PreferencesInput.ts"
import { Forbidden, NotFound, TooManyRequests, Unauthorized, Unavailable, Unprocessable } from "./Problem.ts"
import { nonEmptyTextOf, textOf } from "./Text.ts"
import { Topic, TopicData } from "./Topic.ts"

/** How many ids one call may name. */
export const maxIds = 500

/** How many notifications one `Send` may carry. */
export const maxSend = 500

export const Ids = Schema.Array(NotificationId).check(Schema.isMinLength(1), Schema.isMaxLength(maxIds))

/** Which notifications of one's own a change is about: some, or all up to the newest at that moment. */
export const ReadTarget = Schema.Union([Schema.Struct({ ids: Ids }), Schema.Struct({ all: Schema.Literal(true) })])
export type ReadTarget = typeof ReadTarget.Type

/** The answer to a change: how many notifications it touched, and what is unread now. */
export const Change = Schema.Struct({ changed: Sequence, unread: Sequence })
export type Change = typeof Change.Type

export const ReadStatus = Schema.Literals(["all", "read", "unread"])
export type ReadStatus = typeof ReadStatus.Type

/** An opaque place in a list; only what a former answer gave is valid. */
export const Cursor = nonEmptyTextOf(256)

export const pageLimit = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 }))

export const Page = Schema.Struct({
  items: Schema.Array(Notification),
  nextCursor: Schema.NullOr(Cursor),
  unread: Sequence
})
export type Page = typeof Page.Type

const { template: _template, traceparent: _traceparent, ...literalOptions } = DeliveryOptions.fields

/** How literal text goes out; templates are checked and rendered by `POST /api/v1/notifications`. */
export const SendOptions = Schema.Struct(literalOptions)

/** What a service sends to one user; its tenant is the caller's. */
export const Send = Schema.Struct({
  userId: UserId,
  type: NotificationType,
  title: nonEmptyTextOf(limits.title),
  message: textOf(limits.message),
  priority: Schema.optionalKey(Priority),
  data: Schema.optionalKey(NotificationData),
  push: Schema.optionalKey(PushPolicy),
  /** How urgent its deliveries are; that of the priority when absent. */
  urgency: Schema.optionalKey(Urgency),
  options: Schema.optionalKey(SendOptions),
  dedupeKey: Schema.optionalKey(nonEmptyTextOf(limits.dedupeKey))
})
export type Send = typeof Send.Type

const subscribeError = Schema.Union([Unauthorized, Forbidden, TooManyRequests, Unavailable])

/** A credential that names scopes may not name the one of the call. */
const callError = Schema.Union([Forbidden, Unavailable])

export const Subscribe = Rpc.make("Subscribe", {
  payload: { position: Schema.optionalKey(Position) },
  success: InboxFrame,
  error: subscribeError,
  stream: true
})

/** Everything up to the position was seen by the user's device. */
export const Acknowledge = Rpc.make("Acknowledge", { payload: { position: Position } })

export const MarkRead = Rpc.make("MarkRead", { payload: ReadTarget, success: Change, error: callError })

export const MarkUnread = Rpc.make("MarkUnread", { payload: { ids: Ids }, success: Change, error: callError })

export const Delete = Rpc.make("Delete", { payload: { ids: Ids }, success: Change, error: callError })

export const List = Rpc.make("List", {
  payload: {
    cursor: Schema.optionalKey(Cursor),
    limit: Schema.optionalKey(pageLimit),
    status: Schema.optionalKey(ReadStatus),
    types: Schema.optionalKey(Schema.Array(NotificationType).check(Schema.isMaxLength(50)))
  },
  success: Page,
  error: Schema.Union([Forbidden, Unprocessable, Unavailable])
})

export const UnreadCount = Rpc.make("UnreadCount", { success: Schema.Struct({ unread: Sequence }), error: callError })

export const RegisterDevice = Rpc.make("RegisterDevice", { payload: Device, error: callError })

export const UnregisterDevice = Rpc.make("UnregisterDevice", {
  payload: { token: DeviceToken },
  error: Schema.Union([Forbidden, NotFound, Unavailable])
})

export const GetPreferences = Rpc.make("GetPreferences", { success: Preferences, error: callError })

export const SetPreferences = Rpc.make("SetPreferences", {
  payload: PreferencesInput,
  error: Schema.Union([Forbidden, Unprocessable, Unavailable])
})

/** Keeps the socket open past the expiry of the token it came with. The new token must be the same user's. */
export const RefreshToken = Rpc.make("RefreshToken", {
  payload: { token: nonEmptyTextOf(8_192) },
  success: Schema.Struct({ expiresAt: Schema.DateTimeUtcFromString }),
  error: Schema.Union([Unauthorized, Forbidden, Unavailable])
})

/** For services: sends notifications; the answers come in the order of the request, after all are saved. */
export const SendNotifications = Rpc.make("SendNotifications", {
  payload: { notifications: Schema.Array(Send).check(Schema.isMinLength(1), Schema.isMaxLength(maxSend)) },
  success: Schema.Array(Accepted),
  // Each counts as a call of the sender's tenant, key or user, as over HTTP.
  error: Schema.Union([Forbidden, TooManyRequests, Unavailable])
})

/**
 * Sends a topic's messages (`TopicFrame`) to this socket from now on, at most once each. `snapshot` is the topic's last
 * message where it keeps one. A topic that is watched already answers again.
 */
export const Watch = Rpc.make("Watch", {
  payload: { topic: Topic },
  success: Schema.Struct({ snapshot: Schema.NullOr(Schema.Json) }),
  error: Schema.Union([Forbidden, Unprocessable, Unavailable])
})

export const Unwatch = Rpc.make("Unwatch", { payload: { topic: Topic }, error: Forbidden })

/** To everybody who watches the topic at the moment. */
export const Publish = Rpc.make("Publish", {
  payload: { topic: Topic, data: TopicData },
  error: Schema.Union([Forbidden, Unprocessable, Unavailable])
})

export class InboxRpcs extends RpcGroup.make(
  Subscribe,
  Acknowledge,
  MarkRead,
  MarkUnread,
  Delete,
  List,
  UnreadCount,
  RegisterDevice,
  UnregisterDevice,
  GetPreferences,
  SetPreferences,
  RefreshToken,
  SendNotifications,
  Watch,
  Unwatch,
  Publish
) {}

/** Where the socket is. */
export const socketPath = "/api/v1/socket"

/** The subprotocol of the socket. A browser adds `bearer.<token>` as a second one, because it cannot set headers. */
export const subprotocol = "beckon.v1"
