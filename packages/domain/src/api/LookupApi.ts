/**
 * Lookups: read by everybody of a tenant, changed by its admins.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Lookup, LookupCode, LookupInput, LookupKind } from "../Lookup.ts"
import { RequiredScope } from "../Policy.ts"
import { Conflict, Forbidden, NotFound, Unavailable } from "../Problem.ts"
import { identifierOf } from "../Text.ts"
import { Authorization } from "./Authorization.ts"
import { dataOf, pageOf } from "./Paging.ts"

export const LookupView = Schema.Struct({
  code: LookupCode,
  /** In the language that was asked for, or the nearest there is. */
  label: Schema.String,
  labels: Schema.Record(Schema.String, Schema.String),
  attributes: Schema.JsonObject,
  active: Schema.Boolean,
  order: Schema.Int,
  source: Schema.Literals(["platform", "tenant"]),
  updatedAt: Schema.DateTimeUtcFromString
}).pipe(Schema.encodeKeys({ updatedAt: "updated_at" }))
export type LookupView = typeof LookupView.Type

export class LookupApi extends HttpApiGroup.make("lookups")
  .add(
    HttpApiEndpoint.get("list", "/:kind", {
      params: { kind: LookupKind },
      query: {
        /** Of the labels: BCP 47; that of the tenant when absent. */
        language: Schema.optionalKey(identifierOf(35)),
        /** `true`: also those that are not offered any more. */
        all: Schema.optionalKey(Schema.Literals(["true", "false"]))
      },
      success: pageOf(LookupView),
      error: [Forbidden, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "The values of a kind, in their order",
        description:
          "Those of the deployment with the tenant's own over them; all on one page. Of a kind that nobody has there are none. Kinds of every deployment that was seeded: notification_types, categories, priorities, channels, languages, platforms, delivery_states. With If-None-Match, 304 while nothing has changed."
      })
    )
  )
  .annotate(RequiredScope, { read: "lookups:read", write: "lookups:write" })
  .middleware(Authorization)
  .prefix("/api/v1/lookups")
  .annotateMerge(OpenApi.annotations({ title: "Lookups" })) {}

const params = { kind: LookupKind, code: LookupCode }

export class LookupAdminApi extends HttpApiGroup.make("lookupAdmin")
  .add(
    HttpApiEndpoint.put("put", "/:kind/:code", {
      params,
      payload: LookupInput,
      success: dataOf(Lookup),
      error: [Conflict, Forbidden, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Set one of the tenant's own values",
        description:
          "It stands before that of the deployment with the same code; with active false it switches that off. At most 1,000 of a kind."
      })
    ),
    HttpApiEndpoint.delete("remove", "/:kind/:code", {
      params,
      success: HttpApiSchema.NoContent,
      error: [Forbidden, NotFound, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Remove one of the tenant's own values",
        description: "That of the deployment with the same code, if there is one, stands in from then on."
      })
    )
  )
  .annotate(RequiredScope, { read: "lookups:read", write: "lookups:write" })
  .middleware(Authorization)
  .prefix("/api/v1/admin/lookups")
  .annotateMerge(OpenApi.annotations({ title: "Lookups of a tenant" })) {}
