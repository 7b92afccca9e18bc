/**
 * Friend requests over HTTP (R0's own paths and names, camelCase).
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { SourceId, UserId } from "../Identifiers.ts"
import { FriendshipId, FriendshipStatus } from "../Friendship.ts"
import { Cursor } from "../InboxRpcs.ts"
import { Conflict, Forbidden, NotFound, Unavailable, Unprocessable } from "../Problem.ts"
import { RequiredScope } from "../Policy.ts"
import { Authorization } from "./Authorization.ts"

const UserReference = SourceId.pipe(Schema.decodeTo(UserId))
const FriendshipReference = SourceId.pipe(Schema.decodeTo(FriendshipId))

export const FriendshipView = Schema.Struct({
  friendshipId: FriendshipId,
  requesterId: UserId,
  recipientId: UserId,
  status: FriendshipStatus,
  createdAt: Schema.DateTimeUtcFromString,
  respondedAt: Schema.NullOr(Schema.DateTimeUtcFromString)
})
export type FriendshipView = typeof FriendshipView.Type

export class FriendshipApi extends HttpApiGroup.make("friendships")
  .add(
    HttpApiEndpoint.post("sendRequest", "/send-request", {
      payload: Schema.Struct({ requesterId: UserReference, recipientId: UserReference }),
      success: FriendshipView.pipe(HttpApiSchema.status(201)),
      error: [Conflict, Forbidden, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Send a friend request",
        description:
          "The requester is the caller, or anyone when the caller is a service. Not to yourself; no second pending request."
      })
    ),
    HttpApiEndpoint.post("respond", "/respond", {
      payload: Schema.Struct({
        friendshipId: FriendshipReference,
        responderId: UserReference,
        accept: Schema.Boolean
      }),
      success: FriendshipView,
      error: [Conflict, Forbidden, NotFound, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Accept or reject a friend request",
        description: "Only the recipient responds, and only once."
      })
    ),
    HttpApiEndpoint.post("cancel", "/cancel", {
      payload: Schema.Struct({ friendshipId: FriendshipReference, requesterId: UserReference }),
      success: FriendshipView,
      error: [Conflict, Forbidden, NotFound, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "Withdraw one's own friend request" })),
    HttpApiEndpoint.get("list", "/", {
      query: {
        status: Schema.optionalKey(FriendshipStatus),
        limit: Schema.optionalKey(
          Schema.NumberFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: 100 }))
        ),
        cursor: Schema.optionalKey(Cursor)
      },
      success: Schema.Struct({
        data: Schema.Array(FriendshipView),
        meta: Schema.Struct({ limit: Schema.Int, nextCursor: Schema.NullOr(Cursor) })
      }),
      error: [Unprocessable, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "One's own friend requests and friendships, newest first" }))
  )
  .annotate(RequiredScope, { read: "friendships:read", write: "friendships:write" })
  .middleware(Authorization)
  .prefix("/api/friendships")
  .annotateMerge(OpenApi.annotations({ title: "Friendships" })) {}
