/**
 * `/api/v1/admin/api-keys`: the credentials of a tenant's services.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { ApiKey, ApiKeyId, ApiKeyName, ApiKeyRole, ApiKeyScope } from "../ApiKey.ts"
import { allScopes, RequiredScope } from "../Policy.ts"
import { Forbidden, NotFound, Unavailable, Unprocessable } from "../Problem.ts"
import { Authorization } from "./Authorization.ts"
import { dataOf, pageOf, pageQuery } from "./Paging.ts"

const NewApiKey = Schema.Struct({
  name: ApiKeyName,
  /** `service` when absent. */
  role: Schema.optionalKey(ApiKeyRole),
  /** All that its role may do when absent. */
  scopes: Schema.optionalKey(
    Schema.Array(ApiKeyScope).check(Schema.isMinLength(1), Schema.isMaxLength(allScopes.length))
  ),
  /** It never expires when absent. */
  expiresAt: Schema.optionalKey(Schema.DateTimeUtcFromString)
}).pipe(Schema.encodeKeys({ expiresAt: "expires_at" }))

/** Seconds for which the former secret is good too; a day when absent. */
const Overlap = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 604_800 }))

/** `key` is shown in this answer only. */
const ShownApiKey = Schema.Struct({ apiKey: ApiKey, key: Schema.RedactedFromValue(Schema.String) }).pipe(
  Schema.encodeKeys({ apiKey: "api_key" })
)

const params = { id: ApiKeyId }

export class ApiKeyApi extends HttpApiGroup.make("apiKeys")
  .add(
    HttpApiEndpoint.post("create", "/", {
      payload: NewApiKey,
      success: dataOf(ShownApiKey).pipe(HttpApiSchema.status(201)),
      error: [Forbidden, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Make an API key",
        description:
          "The answer has the key, and no other answer has it again. It may do no more than the caller may. Send it as a bearer token."
      })
    ),
    HttpApiEndpoint.get("list", "/", {
      query: pageQuery,
      success: pageOf(ApiKey),
      error: [Forbidden, Unprocessable, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "All API keys of the tenant, the last made first" })),
    HttpApiEndpoint.get("get", "/:id", {
      params,
      success: dataOf(ApiKey),
      error: [Forbidden, NotFound, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "One API key" })),
    HttpApiEndpoint.post("rotate", "/:id/rotate", {
      params,
      payload: Schema.Struct({ overlapSeconds: Schema.optionalKey(Overlap) }).pipe(
        Schema.encodeKeys({ overlapSeconds: "overlap_seconds" })
      ),
      success: dataOf(ShownApiKey),
      error: [Forbidden, NotFound, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Give an API key a new secret",
        description:
          "The former one is good for overlap_seconds more (a day when absent, at most a week); one that is older ends at once. 0 ends the former one at once, as when it has leaked."
      })
    ),
    HttpApiEndpoint.post("revoke", "/:id/revoke", {
      params,
      success: dataOf(ApiKey),
      error: [Forbidden, NotFound, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Revoke an API key",
        description: "At once and for good, on all nodes; its sockets are closed with 4502. Again changes nothing."
      })
    )
  )
  .middleware(Authorization)
  .prefix("/api/v1/admin/api-keys")
  .annotate(RequiredScope, { read: "keys:read", write: "keys:write" })
  .annotateMerge(OpenApi.annotations({ title: "API keys" })) {}
