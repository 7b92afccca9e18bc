/**
 * The users of a tenant, as its services keep them: how they are reached, what they wish, which devices they have.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Addresses } from "../DeliveryOptions.ts"
import { Platform } from "../Device.ts"
import { UserId } from "../Identifiers.ts"
import {
  BadRequest,
  Conflict,
  Forbidden,
  NotFound,
  PreconditionFailed,
  Unavailable,
  Unprocessable
} from "../Problem.ts"
import { identifierOf, nonEmptyTextOf } from "../Text.ts"
import { TimeZoneName } from "../TimeZoneName.ts"
import { RequiredScope } from "../Policy.ts"
import { Authorization } from "./Authorization.ts"
import { dataOf, pageOf, pageQuery } from "./Paging.ts"
import { PreferencesView } from "./PreferencesView.ts"

const Roles = Schema.Array(identifierOf(64)).check(Schema.isMaxLength(20))

const profile = {
  name: nonEmptyTextOf(256),
  email: nonEmptyTextOf(320),
  phone: Addresses.fields.phone.schema,
  language: identifierOf(35),
  timeZone: TimeZoneName,
  image: nonEmptyTextOf(2_048)
}

/** What is absent stays as it is; `null` takes it away. */
const change = {
  name: Schema.optionalKey(Schema.NullOr(profile.name)),
  email: Schema.optionalKey(Schema.NullOr(profile.email)),
  phone: Schema.optionalKey(Schema.NullOr(profile.phone)),
  language: Schema.optionalKey(Schema.NullOr(profile.language)),
  timeZone: Schema.optionalKey(Schema.NullOr(profile.timeZone)),
  image: Schema.optionalKey(Schema.NullOr(profile.image)),
  roles: Schema.optionalKey(Roles)
}

export const NewUser = Schema.Struct({ ...change, userId: UserId }).pipe(
  Schema.encodeKeys({ userId: "user_id", timeZone: "time_zone" })
)

export const UserPatch = Schema.Struct(change).pipe(Schema.encodeKeys({ timeZone: "time_zone" }))

export const UserView = Schema.Struct({
  userId: UserId,
  name: Schema.NullOr(Schema.String),
  email: Schema.NullOr(Schema.String),
  phone: Schema.NullOr(Schema.String),
  language: Schema.NullOr(Schema.String),
  timeZone: Schema.NullOr(Schema.String),
  image: Schema.NullOr(Schema.String),
  roles: Schema.Array(Schema.String),
  updatedAt: Schema.DateTimeUtcFromString
}).pipe(Schema.encodeKeys({ userId: "user_id", timeZone: "time_zone", updatedAt: "updated_at" }))

/** A device without its token; `hash` is the same for the same token. */
export const DeviceView = Schema.Struct({ platform: Platform, hash: Schema.String })

const params = { id: UserId }

export class UserApi extends HttpApiGroup.make("users")
  .add(
    HttpApiEndpoint.post("create", "/", {
      payload: NewUser,
      success: dataOf(UserView).pipe(HttpApiSchema.status(201)),
      error: [Conflict, Forbidden, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Make a user known",
        description:
          "How he is reached, his language and time zone (IANA), and up to 20 roles that audiences are made of."
      })
    ),
    HttpApiEndpoint.get("list", "/", {
      query: { ...pageQuery, role: Schema.optionalKey(identifierOf(64)) },
      success: pageOf(UserView),
      error: [Forbidden, Unprocessable, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "The users of the tenant, or those of a role, by id" })),
    HttpApiEndpoint.get("get", "/:id", {
      params,
      success: dataOf(UserView),
      error: [Forbidden, NotFound, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "One user" })),
    HttpApiEndpoint.patch("update", "/:id", {
      params,
      payload: UserPatch,
      success: dataOf(UserView),
      error: [Conflict, Forbidden, NotFound, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Change a user",
        description: "What is absent stays as it is; null takes it away."
      })
    ),
    HttpApiEndpoint.delete("remove", "/:id", {
      params,
      success: HttpApiSchema.NoContent,
      error: [Forbidden, NotFound, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({ summary: "Forget a user's profile", description: "His inbox and his devices stay." })
    ),
    HttpApiEndpoint.get("preferences", "/:id/preferences", {
      params,
      success: dataOf(PreferencesView),
      error: [Forbidden, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "What a user wishes to get, and where" })),
    HttpApiEndpoint.put("setPreferences", "/:id/preferences", {
      params,
      payload: PreferencesView,
      success: dataOf(PreferencesView),
      error: [BadRequest, Forbidden, PreconditionFailed, Unavailable, Unprocessable]
    }).annotateMerge(
      OpenApi.annotations({ summary: "Set what a user wishes", description: "Replaces what he has set before." })
    ),
    HttpApiEndpoint.get("devices", "/:id/devices", {
      params,
      success: dataOf(Schema.Array(DeviceView)),
      error: [Forbidden, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({ summary: "A user's devices, the newest first", description: "Tokens are never shown." })
    )
  )
  .annotate(RequiredScope, { read: "users:read", write: "users:write" })
  .middleware(Authorization)
  .prefix("/api/v1/users")
  .annotateMerge(OpenApi.annotations({ title: "Users" })) {}
