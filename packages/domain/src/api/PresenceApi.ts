/**
 * Who is online, for those who are allowed to know.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { UserId } from "../Identifiers.ts"
import { RequiredScope } from "../Policy.ts"
import { Forbidden, Unavailable } from "../Problem.ts"
import { Authorization } from "./Authorization.ts"
import { dataOf } from "./Paging.ts"

/** Users that one query may name. */
export const maxUsers = 500

export const UserPresence = Schema.Struct({
  userId: UserId,
  online: Schema.Boolean,
  /** Since when he is online, or in a message that he went: when he went. */
  since: Schema.NullOr(Schema.DateTimeUtcFromString)
}).pipe(Schema.encodeKeys({ userId: "user_id" }))
export type UserPresence = typeof UserPresence.Type

const IsOnline = Schema.Struct({ userId: UserId, online: Schema.Boolean }).pipe(
  Schema.encodeKeys({ userId: "user_id" })
)

const Query = Schema.Struct({
  userIds: Schema.Array(UserId).check(Schema.isMinLength(1), Schema.isMaxLength(maxUsers))
}).pipe(Schema.encodeKeys({ userIds: "user_ids" }))

const whose = "Services and admins ask for anybody of the tenant; users for themselves and for their friends."

export class PresenceApi extends HttpApiGroup.make("presence")
  .add(
    HttpApiEndpoint.get("get", "/:userId", {
      params: { userId: UserId },
      success: dataOf(UserPresence),
      error: [Forbidden, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "Whether a user is online, and since when", description: whose })),
    HttpApiEndpoint.post("query", "/query", {
      payload: Query,
      success: dataOf(Schema.Array(IsOnline)),
      error: [Forbidden, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Who of up to 500 users is online",
        description: `In the order of the question. ${whose} One user who is neither refuses the whole query.`
      })
    )
  )
  .annotate(RequiredScope, "presence:read")
  .middleware(Authorization)
  .prefix("/api/v1/presence")
  .annotateMerge(OpenApi.annotations({ title: "Presence" })) {}
