/**
 * The accounts with senders that a tenant brings along. What they are opened with goes in and never comes out.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { DeliveryChannel, FailureClass } from "../Delivery.ts"
import { RequiredScope } from "../Policy.ts"
import { Conflict, Forbidden, NotFound, Unavailable, Unprocessable } from "../Problem.ts"
import {
  ProviderAccountId,
  ProviderAccountName,
  ProviderKind,
  ProviderOrder,
  ProviderRate
} from "../ProviderAccount.ts"
import { nonEmptyTextOf } from "../Text.ts"
import { Authorization } from "./Authorization.ts"
import { dataOf, pageOf } from "./Paging.ts"

const Fields = Schema.Record(Schema.String, Schema.Json)

/** Values are not quoted in any error: what fits is judged by `decodeForm`. */
const WriteOnly = Schema.RedactedFromValue(Fields, { label: "provider credentials", disallowEncode: true })

/** What each kind takes is in its guide; `order` 100, `enabled` true and no rate when absent. */
export const ProviderInput = Schema.Struct({
  kind: ProviderKind,
  name: ProviderAccountName,
  order: Schema.optionalKey(ProviderOrder),
  enabled: Schema.optionalKey(Schema.Boolean),
  settings: Schema.optionalKey(Fields),
  credentials: Schema.optionalKey(WriteOnly),
  rate: Schema.optionalKey(Schema.NullOr(ProviderRate))
})
export type ProviderInput = typeof ProviderInput.Type

/** What is absent stays as it is; settings and credentials are replaced whole. */
export const ProviderPatch = Schema.Struct({
  name: Schema.optionalKey(ProviderAccountName),
  order: Schema.optionalKey(ProviderOrder),
  enabled: Schema.optionalKey(Schema.Boolean),
  settings: Schema.optionalKey(Fields),
  credentials: Schema.optionalKey(WriteOnly),
  rate: Schema.optionalKey(Schema.NullOr(ProviderRate))
})
export type ProviderPatch = typeof ProviderPatch.Type

export const ProviderView = Schema.Struct({
  id: ProviderAccountId,
  channel: DeliveryChannel,
  kind: ProviderKind,
  name: Schema.String,
  order: Schema.Int,
  enabled: Schema.Boolean,
  settings: Fields,
  credentials: Schema.Struct({
    set: Schema.Boolean,
    /** The key of the deployment that keeps them. */
    keyId: Schema.String,
    /** The same for the same credentials of this tenant. */
    fingerprint: Schema.String,
    updatedAt: Schema.DateTimeUtcFromString
  }).pipe(Schema.encodeKeys({ keyId: "key_id", updatedAt: "updated_at" })),
  /** Messages a second; `null` for no limit. */
  rate: Schema.NullOr(Schema.Int),
  /** Where the provider may tell what became of messages; absent for kinds without callbacks. */
  callbackPath: Schema.optionalKey(Schema.String),
  version: Schema.Int,
  createdAt: Schema.DateTimeUtcFromString,
  updatedAt: Schema.DateTimeUtcFromString
}).pipe(Schema.encodeKeys({ callbackPath: "callback_path", createdAt: "created_at", updatedAt: "updated_at" }))
export type ProviderView = typeof ProviderView.Type

export const ProviderTest = Schema.Struct({
  /** An address of the channel: email, E.164, a device token or subscription. */
  to: nonEmptyTextOf(4_096)
})

export const ProviderTested = Schema.Struct({
  sent: Schema.Boolean,
  class: Schema.NullOr(FailureClass),
  code: Schema.NullOr(Schema.String),
  detail: Schema.NullOr(Schema.String),
  durationMs: Schema.Finite
}).pipe(Schema.encodeKeys({ durationMs: "duration_ms" }))
export type ProviderTested = typeof ProviderTested.Type

const params = { id: ProviderAccountId }

export class ProviderApi extends HttpApiGroup.make("providers")
  .add(
    HttpApiEndpoint.get("list", "/", {
      success: pageOf(ProviderView),
      error: [Forbidden, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({ summary: "All accounts with senders, in the order in which they are tried" })
    ),
    HttpApiEndpoint.post("create", "/", {
      payload: ProviderInput,
      success: dataOf(ProviderView).pipe(HttpApiSchema.status(201)),
      error: [Conflict, Forbidden, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Bring an account with a sender along",
        description:
          "From then on the tenant's deliveries on its channel go through the tenant's own accounts only. Credentials are kept encrypted and never shown. At most 20."
      })
    ),
    HttpApiEndpoint.get("get", "/:id", {
      params,
      success: dataOf(ProviderView),
      error: [Forbidden, NotFound, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "One account with a sender" })),
    HttpApiEndpoint.patch("update", "/:id", {
      params,
      payload: ProviderPatch,
      success: dataOf(ProviderView),
      error: [Forbidden, NotFound, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Change an account with a sender",
        description:
          "What is absent stays as it is; settings and credentials are replaced whole. What changes where credentials are sent (base_url, host, port, tls) needs them in the same request. All nodes use it at once."
      })
    ),
    HttpApiEndpoint.delete("remove", "/:id", {
      params,
      success: HttpApiSchema.NoContent,
      error: [Forbidden, NotFound, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "Remove an account with its credentials" })),
    HttpApiEndpoint.post("test", "/:id/test", {
      params,
      payload: ProviderTest,
      success: dataOf(ProviderTested),
      error: [Forbidden, NotFound, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Send a test message with an account, at once",
        description: "One try, whether the account is switched on or not. The answer is what the sender said."
      })
    )
  )
  .annotate(RequiredScope, { read: "providers:read", write: "providers:write" })
  .middleware(Authorization)
  .prefix("/api/v1/admin/providers")
  .annotateMerge(OpenApi.annotations({ title: "Providers" })) {}
