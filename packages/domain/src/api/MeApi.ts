/**
 * A user's own inbox over HTTP.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Device, DeviceToken } from "../Device.ts"
import { Timestamp } from "../events/Timestamp.ts"
import { Change, Cursor, Ids, ReadStatus, ReadTarget } from "../InboxRpcs.ts"
import { NotificationType, Priority } from "../Notification.ts"
import { Sequence } from "../Position.ts"
import { BadRequest, NotFound, PreconditionFailed, Unavailable, Unprocessable } from "../Problem.ts"
import { NotificationId } from "../Identifiers.ts"
import { RequiredScope } from "../Policy.ts"
import { Authorization } from "./Authorization.ts"
import { NotificationView } from "./NotificationView.ts"
import { dataOf } from "./Paging.ts"
import { PreferencesView } from "./PreferencesView.ts"
import { DeviceView } from "./UserApi.ts"

const ChangeBody = Schema.Struct({ data: Change })

export class MeApi extends HttpApiGroup.make("me")
  .add(
    HttpApiEndpoint.get("list", "/notifications", {
      query: {
        status: Schema.optionalKey(ReadStatus),
        type: Schema.optionalKey(Schema.ArrayEnsure(NotificationType).check(Schema.isMaxLength(50))),
        priority: Schema.optionalKey(Priority),
        since: Schema.optionalKey(Timestamp),
        until: Schema.optionalKey(Timestamp),
        limit: Schema.optionalKey(
          Schema.NumberFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: 100 }))
        ),
        cursor: Schema.optionalKey(Cursor)
      },
      success: Schema.Struct({
        data: Schema.Array(NotificationView),
        meta: Schema.Struct({
          limit: Schema.Int,
          nextCursor: Schema.NullOr(Cursor),
          unread: Sequence
        }).pipe(Schema.encodeKeys({ nextCursor: "next_cursor" }))
      }),
      error: [Unprocessable, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "One's own notifications, newest first" })),
    HttpApiEndpoint.get("get", "/notifications/:id", {
      params: { id: NotificationId },
      success: Schema.Struct({ data: NotificationView }),
      error: [NotFound, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "One notification" })),
    HttpApiEndpoint.get("unreadCount", "/unread-count", {
      success: Schema.Struct({ data: Schema.Struct({ unread: Sequence }) }),
      error: Unavailable
    }).annotateMerge(OpenApi.annotations({ summary: "How many notifications are unread" })),
    HttpApiEndpoint.post("markRead", "/notifications/read", {
      payload: ReadTarget,
      success: ChangeBody,
      error: Unavailable
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Mark notifications read: up to 500 ids, or all",
        description: "Ids of others are passed over."
      })
    ),
    HttpApiEndpoint.post("markUnread", "/notifications/unread", {
      payload: Schema.Struct({ ids: Ids }),
      success: ChangeBody,
      error: Unavailable
    }).annotateMerge(OpenApi.annotations({ summary: "Mark notifications unread" })),
    HttpApiEndpoint.post("remove", "/notifications/bulk-delete", {
      payload: Schema.Struct({ ids: Ids }),
      success: ChangeBody,
      error: Unavailable
    }).annotateMerge(OpenApi.annotations({ summary: "Delete notifications: up to 500 ids" })),
    HttpApiEndpoint.get("preferences", "/preferences", {
      success: dataOf(PreferencesView),
      error: Unavailable
    }).annotateMerge(OpenApi.annotations({ summary: "What one wishes to get, and where" })),
    HttpApiEndpoint.put("setPreferences", "/preferences", {
      payload: PreferencesView,
      success: dataOf(PreferencesView),
      error: [BadRequest, PreconditionFailed, Unavailable, Unprocessable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Set what one wishes",
        description: "Replaces what was set before. The inbox itself (in_app) cannot be switched off."
      })
    ),
    HttpApiEndpoint.post("registerDevice", "/devices", {
      payload: Device,
      success: HttpApiSchema.NoContent,
      error: Unavailable
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Register a device for push",
        description:
          "A token belongs to the user who registered it last. Of more than 20 devices the one that was registered longest ago leaves."
      })
    ),
    HttpApiEndpoint.get("devices", "/devices", {
      success: dataOf(Schema.Array(DeviceView)),
      error: Unavailable
    }).annotateMerge(
      OpenApi.annotations({ summary: "One's own devices, the newest first", description: "Tokens are never shown." })
    ),
    HttpApiEndpoint.delete("removeDevice", "/devices", {
      payload: Schema.Struct({ token: DeviceToken }),
      success: HttpApiSchema.NoContent,
      error: [NotFound, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Remove a device, as on logout",
        description: "The token goes in the body, so that no log of addresses has it."
      })
    )
  )
  .annotate(RequiredScope, { read: "inbox:read", write: "inbox:write" })
  .middleware(Authorization)
  .prefix("/api/v1/users/me")
  .annotateMerge(OpenApi.annotations({ title: "My inbox" })) {}
