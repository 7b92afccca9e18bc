/**
 * `/api/v1/admin/notifications`: what the whole tenant got.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Timestamp } from "../events/Timestamp.ts"
import { NotificationId, UserId } from "../Identifiers.ts"
import { ReadStatus } from "../InboxRpcs.ts"
import { NotificationType, Priority } from "../Notification.ts"
import { Sequence } from "../Position.ts"
import { RequiredScope } from "../Policy.ts"
import { Unavailable, Unprocessable } from "../Problem.ts"
import { Authorization } from "./Authorization.ts"
import { pageOf, pageQuery } from "./Paging.ts"

export const TenantNotificationView = Schema.Struct({
  id: NotificationId,
  userId: UserId,
  seq: Sequence,
  type: NotificationType,
  title: Schema.String,
  message: Schema.String,
  priority: Priority,
  data: Schema.optionalKey(Schema.JsonObject),
  source: Schema.NullOr(Schema.String),
  createdAt: Schema.DateTimeUtcFromString,
  readAt: Schema.NullOr(Schema.DateTimeUtcFromString),
  /** A device of the user has acknowledged it. */
  acknowledged: Schema.Boolean,
  /** The user has taken it out of his inbox. */
  deleted: Schema.Boolean
}).pipe(Schema.encodeKeys({ userId: "user_id", createdAt: "created_at", readAt: "read_at" }))

export class AdminApi extends HttpApiGroup.make("admin")
  .add(
    HttpApiEndpoint.get("notifications", "/notifications", {
      query: {
        ...pageQuery,
        user_id: Schema.optionalKey(UserId),
        type: Schema.optionalKey(NotificationType),
        priority: Schema.optionalKey(Priority),
        status: Schema.optionalKey(ReadStatus),
        since: Schema.optionalKey(Timestamp),
        until: Schema.optionalKey(Timestamp)
      },
      success: pageOf(TenantNotificationView),
      error: [Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "All notifications of the tenant, newest first",
        description:
          "Also those that are for other channels only, and those that users have deleted. since and until are about the time of the request; a filter that fits little is fast together with them."
      })
    )
  )
  .annotate(RequiredScope, { read: "notifications:read", write: "notifications:write" })
  .middleware(Authorization)
  .prefix("/api/v1/admin")
  .annotateMerge(OpenApi.annotations({ title: "Notifications of the tenant" })) {}
