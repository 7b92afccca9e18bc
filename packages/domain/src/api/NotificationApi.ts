/**
 * Notifications, as services send them and ask what became of them (R3).
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { DeliveryState } from "../Delivery.ts"
import { NotificationId, UserId } from "../Identifiers.ts"
import { Forbidden, NotFound, TooManyRequests, Unavailable, Unprocessable } from "../Problem.ts"
import { nonEmptyTextOf } from "../Text.ts"
import { RequiredScope } from "../Policy.ts"
import { Authorization } from "./Authorization.ts"
import { DeliveryHistoryView, HistoryEntry } from "./DeliveryView.ts"
import { BroadcastRequest, NotificationRequest } from "./NotificationRequest.ts"
import { dataOf, ListCursor } from "./Paging.ts"

/** What a request becomes: in its mailbox, or waiting for its time. */
export const SendStatus = Schema.Literals(["accepted", "scheduled"])

export const SentView = Schema.Struct({
  id: NotificationId,
  status: SendStatus,
  userId: UserId,
  duplicate: Schema.Boolean
}).pipe(Schema.encodeKeys({ userId: "user_id" }))

/** How far it came over one channel; the furthest of its deliveries there. */
export const ChannelStatus = Schema.Struct({
  state: DeliveryState,
  reason: Schema.NullOr(Schema.String),
  attempts: Schema.Int,
  provider: Schema.NullOr(Schema.String),
  updatedAt: Schema.DateTimeUtcFromString
}).pipe(Schema.encodeKeys({ updatedAt: "updated_at" }))

/** `sent`: in the inbox; `delivered`: a device of the user has it; `seen`: he has read it. */
const InAppStatus = Schema.Struct({ state: Schema.Literals(["sent", "delivered", "seen"]) })

export const ChannelStatuses = Schema.Struct({
  in_app: Schema.optionalKey(InAppStatus),
  push: Schema.optionalKey(ChannelStatus),
  email: Schema.optionalKey(ChannelStatus),
  sms: Schema.optionalKey(ChannelStatus),
  whatsapp: Schema.optionalKey(ChannelStatus),
  webhook: Schema.optionalKey(ChannelStatus)
})

export const NotificationStatus = Schema.Struct({
  id: NotificationId,
  status: SendStatus,
  userId: UserId,
  notificationType: Schema.String,
  title: Schema.String,
  message: Schema.String,
  data: Schema.optionalKey(Schema.JsonObject),
  /** 1 (can wait) to 10 (first). */
  priority: Schema.Int,
  createdAt: Schema.DateTimeUtcFromString,
  /** When a scheduled one is sent. */
  sendAt: Schema.NullOr(Schema.DateTimeUtcFromString),
  readAt: Schema.NullOr(Schema.DateTimeUtcFromString),
  /** By channel; none while it waits for its time. */
  channels: ChannelStatuses,
  /** What happened on all channels, the oldest first. */
  history: Schema.Array(HistoryEntry),
  deliveries: Schema.Array(DeliveryHistoryView)
}).pipe(
  Schema.encodeKeys({
    userId: "user_id",
    notificationType: "notification_type",
    createdAt: "created_at",
    sendAt: "send_at",
    readAt: "read_at"
  })
)
export type NotificationStatus = typeof NotificationStatus.Type

/** How much was cancelled: whole notifications that waited for their time, and deliveries that had not gone out. */
export const Cancelled = Schema.Struct({ scheduled: Schema.Int, deliveries: Schema.Int })

export class NotificationApi extends HttpApiGroup.make("notifications")
  .add(
    HttpApiEndpoint.post("send", "/", {
      payload: NotificationRequest,
      success: dataOf(SentView).pipe(HttpApiSchema.status(202)),
      error: [Forbidden, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Send a notification to one user, now or at a time",
        description:
          "The text is a template with variables, or literal: a title and a message. Answers when it is saved. The same request_id within 24 hours makes one notification: repeat with it after a 503 or a lost answer. X-Correlation-ID goes on to the providers."
      })
    ),
    HttpApiEndpoint.post("cancelAll", "/cancel", {
      payload: Schema.Struct({ cancelKey: nonEmptyTextOf(256) }).pipe(Schema.encodeKeys({ cancelKey: "cancel_key" })),
      success: dataOf(Cancelled),
      error: [Forbidden, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Cancel everything under a cancel_key that has not gone out",
        description: "Scheduled notifications, and deliveries that wait for their time or for another try."
      })
    ),
    HttpApiEndpoint.post("broadcast", "/broadcast", {
      payload: BroadcastRequest,
      success: Schema.Struct({
        data: Schema.Struct({ accepted: Schema.Int, duplicates: Schema.Int }),
        meta: Schema.Struct({ nextCursor: Schema.NullOr(ListCursor) }).pipe(
          Schema.encodeKeys({ nextCursor: "next_cursor" })
        )
      }).pipe(HttpApiSchema.status(202)),
      error: [Forbidden, TooManyRequests, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Send to up to 500 users, to a role, or to everyone",
        description:
          "Counts as a call for each user. Reaches up to 10,000 users in a call; when meta.next_cursor is there, call again with it as cursor. Safe to repeat within 24 hours: nobody gets it twice under one request_id."
      })
    ),
    HttpApiEndpoint.get("status", "/:id", {
      params: { id: NotificationId },
      success: dataOf(NotificationStatus),
      error: [Forbidden, NotFound, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "What became of a notification",
        description:
          "Its state on each channel, and every try and every word of a provider. Read from the database, so it is never out of date."
      })
    ),
    HttpApiEndpoint.post("cancel", "/:id/cancel", {
      params: { id: NotificationId },
      success: dataOf(Cancelled),
      error: [Forbidden, NotFound, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Cancel what has not gone out of a notification",
        description: "What has reached the inbox stays there."
      })
    )
  )
  .annotate(RequiredScope, { read: "notifications:read", write: "notifications:write" })
  .middleware(Authorization)
  .prefix("/api/v1/notifications")
  .annotateMerge(OpenApi.annotations({ title: "Notifications" })) {}
