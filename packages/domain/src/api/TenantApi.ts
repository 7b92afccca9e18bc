/**
 * Tenants: all of the deployment for those who run it, and a tenant's own for its admins.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { TenantId, UserId } from "../Identifiers.ts"
import { RequiredScope } from "../Policy.ts"
import {
  BadRequest,
  Conflict,
  Forbidden,
  NotFound,
  PreconditionFailed,
  Unavailable,
  Unprocessable
} from "../Problem.ts"
import { Tenant, TenantName, TenantSettings, TenantSettingsPatch, TenantStatus } from "../Tenant.ts"
import { nonEmptyTextOf } from "../Text.ts"
import { Authorization } from "./Authorization.ts"
import { dataOf, pageOf, pageQuery } from "./Paging.ts"
import { UserView } from "./UserApi.ts"

const NewTenant = Schema.Struct({
  id: TenantId,
  /** The id when absent. */
  name: Schema.optionalKey(TenantName),
  settings: Schema.optionalKey(TenantSettings)
})

export const TenantPatch = Schema.Struct({
  name: Schema.optionalKey(TenantName),
  settings: Schema.optionalKey(TenantSettingsPatch)
})
export type TenantPatch = typeof TenantPatch.Type

/** `*`, or the version that is to be changed, in quotes. */
const headers = { "if-match": Schema.optionalKey(Schema.String) }

const params = { id: TenantId }

const patchDescription =
  "What is absent stays as it is; a setting that is given is replaced whole, and null takes it away. With If-Match, only the version whose ETag that is."

export class TenantsApi extends HttpApiGroup.make("tenants")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: { ...pageQuery, status: Schema.optionalKey(TenantStatus) },
      success: pageOf(Tenant),
      error: [Forbidden, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "All tenants that were set up, by id",
        description: "A tenant whose tokens are trusted works without being set up, and has the defaults."
      })
    ),
    HttpApiEndpoint.post("create", "/", {
      payload: NewTenant,
      success: dataOf(Tenant).pipe(HttpApiSchema.status(201)),
      error: [Conflict, Forbidden, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Set a tenant up",
        description: "The id of a tenant that was removed is not given again."
      })
    ),
    HttpApiEndpoint.get("get", "/:id", {
      params,
      success: dataOf(Tenant),
      error: [Forbidden, NotFound, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "One tenant", description: "Its ETag is the version." })),
    HttpApiEndpoint.patch("update", "/:id", {
      params,
      headers,
      payload: TenantPatch,
      success: dataOf(Tenant),
      error: [BadRequest, Forbidden, NotFound, PreconditionFailed, Unprocessable, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "Change a tenant", description: patchDescription })),
    HttpApiEndpoint.post("suspend", "/:id/suspend", {
      params,
      success: dataOf(Tenant),
      error: [Conflict, Forbidden, NotFound, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Suspend a tenant",
        description: "Its calls are refused and its sockets closed on all nodes; nothing of it is lost."
      })
    ),
    HttpApiEndpoint.post("activate", "/:id/activate", {
      params,
      success: dataOf(Tenant),
      error: [Forbidden, NotFound, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "Let a suspended tenant in again" })),
    HttpApiEndpoint.delete("remove", "/:id", {
      params,
      success: HttpApiSchema.NoContent,
      error: [Conflict, Forbidden, NotFound, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Remove a suspended tenant, for good",
        description:
          "Its name and settings are gone at once; it is refused as before, and its id is not given again. Its other data stays until it is erased or too old."
      })
    )
  )
  .annotate(RequiredScope, { read: "tenants:read", write: "tenants:write" })
  .middleware(Authorization)
  .prefix("/api/v1/admin/tenants")
  .annotateMerge(OpenApi.annotations({ title: "Tenants" })) {}

/** What goes to the tenant's user service in `Authorization`; never shown. */
const NewCredential = Schema.Union([
  Schema.Struct({ type: Schema.Literal("bearer"), token: Schema.RedactedFromValue(nonEmptyTextOf(8_192)) }),
  Schema.Struct({
    type: Schema.Literal("basic"),
    /** Without a colon (RFC 7617). */
    username: Schema.String.check(Schema.isMaxLength(256), Schema.isPattern(/^[^:\p{Cc}]+$/u)),
    password: Schema.RedactedFromValue(nonEmptyTextOf(1_024))
  })
])
export type NewCredential = typeof NewCredential.Type

const CredentialView = Schema.Struct({
  set: Schema.Boolean,
  updatedAt: Schema.NullOr(Schema.DateTimeUtcFromString)
}).pipe(Schema.encodeKeys({ updatedAt: "updated_at" }))

export class TenantApi extends HttpApiGroup.make("tenant")
  .add(
    HttpApiEndpoint.get("get", "/", {
      success: dataOf(Tenant),
      error: [Forbidden, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "One's own tenant",
        description: "Its ETag is the version; 0 before anybody has set it up."
      })
    ),
    HttpApiEndpoint.patch("update", "/", {
      headers,
      payload: TenantPatch,
      success: dataOf(Tenant),
      error: [BadRequest, Forbidden, PreconditionFailed, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Change one's own tenant",
        description: `${patchDescription} Limits (rate_limits, sockets) and how long the audit log is kept (retention.audit) are changed by those who run the deployment only.`
      })
    ),
    HttpApiEndpoint.get("credential", "/user-service/credential", {
      success: dataOf(CredentialView),
      error: [Forbidden, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({ summary: "Whether there is a service account at the user service; never which" })
    ),
    HttpApiEndpoint.put("setCredential", "/user-service/credential", {
      payload: NewCredential,
      success: dataOf(CredentialView),
      error: [Forbidden, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Set the service account at the user service",
        description:
          "Sealed at rest and never shown again. It goes to the origin of the user service that is set now, and to no other."
      })
    ),
    HttpApiEndpoint.delete("removeCredential", "/user-service/credential", {
      success: HttpApiSchema.NoContent,
      error: [Forbidden, NotFound, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "Forget the service account" })),
    HttpApiEndpoint.post("testUserService", "/user-service/test", {
      payload: Schema.Struct({ userId: UserId }).pipe(Schema.encodeKeys({ userId: "user_id" })),
      success: dataOf(
        Schema.Struct({
          /** What went wrong; null when the service has answered. */
          failure: Schema.NullOr(Schema.String),
          /** Null when it does not know him. */
          user: Schema.NullOr(UserView)
        })
      ),
      error: [Conflict, Forbidden, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Ask the user service for one user, past everything that is kept",
        description: "409 for a tenant whose users are in the directory."
      })
    )
  )
  .annotate(RequiredScope, { read: "tenant:read", write: "tenant:write" })
  .middleware(Authorization)
  .prefix("/api/v1/admin/tenant")
  .annotateMerge(OpenApi.annotations({ title: "Own tenant" })) {}
