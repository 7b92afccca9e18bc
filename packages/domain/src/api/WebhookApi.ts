/**
 * Webhook endpoints of a tenant: where it wants to be called, by the rules of Standard Webhooks.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { DeliveryId, DeliveryState } from "../Delivery.ts"
import { Conflict, Forbidden, NotFound, Unavailable, Unprocessable } from "../Problem.ts"
import { WebhookEndpointId, WebhookEndpointInput, WebhookEvent } from "../WebhookEndpoint.ts"
import { RequiredScope } from "../Policy.ts"
import { Authorization } from "./Authorization.ts"
import { DeliveryView, Replayed } from "./DeliveryView.ts"
import { dataOf, pageOf, pageQuery } from "./Paging.ts"

/** What is absent stays as it is. */
export const WebhookEndpointPatch = Schema.Struct({
  url: Schema.optionalKey(WebhookEndpointInput.fields.url),
  description: WebhookEndpointInput.fields.description,
  events: WebhookEndpointInput.fields.events,
  types: WebhookEndpointInput.fields.types,
  enabled: Schema.optionalKey(Schema.Boolean)
})
export type WebhookEndpointPatch = typeof WebhookEndpointPatch.Type

const fields = {
  id: WebhookEndpointId,
  url: Schema.String,
  description: Schema.NullOr(Schema.String),
  events: Schema.Array(WebhookEvent),
  /** `null` for all. */
  types: Schema.NullOr(Schema.Array(Schema.String)),
  enabled: Schema.Boolean,
  disabledReason: Schema.NullOr(Schema.String),
  failingSince: Schema.NullOr(Schema.DateTimeUtcFromString),
  createdAt: Schema.DateTimeUtcFromString
}

const names = { disabledReason: "disabled_reason", failingSince: "failing_since", createdAt: "created_at" } as const

export const WebhookEndpointView = Schema.Struct(fields).pipe(Schema.encodeKeys(names))
export type WebhookEndpointView = typeof WebhookEndpointView.Type

/** Shown in this answer only. */
const Secret = Schema.RedactedFromValue(Schema.String)

const NewWebhookEndpointView = Schema.Struct({ ...fields, secret: Secret }).pipe(Schema.encodeKeys(names))

/** Seconds for which the former secret signs too; a day when absent. */
const Overlap = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 604_800 }))

const params = { id: WebhookEndpointId }

export class WebhookApi extends HttpApiGroup.make("webhooks")
  .add(
    HttpApiEndpoint.post("create", "/", {
      payload: WebhookEndpointInput,
      success: dataOf(NewWebhookEndpointView).pipe(HttpApiSchema.status(201)),
      error: [Conflict, Forbidden, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Be called at a URL",
        description:
          "An https URL of the public internet. The answer has the secret that signs, and no other answer has it again. At most 50 for a tenant."
      })
    ),
    HttpApiEndpoint.get("list", "/", {
      success: pageOf(WebhookEndpointView),
      error: [Forbidden, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "All webhook endpoints of the tenant, the oldest first" })),
    HttpApiEndpoint.get("get", "/:id", {
      params,
      success: dataOf(WebhookEndpointView),
      error: [Forbidden, NotFound, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "One webhook endpoint" })),
    HttpApiEndpoint.patch("update", "/:id", {
      params,
      payload: WebhookEndpointPatch,
      success: dataOf(WebhookEndpointView),
      error: [Forbidden, NotFound, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Change a webhook endpoint",
        description: "What is absent stays as it is. enabled: true also forgets the failures."
      })
    ),
    HttpApiEndpoint.delete("remove", "/:id", {
      params,
      success: HttpApiSchema.NoContent,
      error: [Forbidden, NotFound, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Remove a webhook endpoint with its secrets",
        description: "What waits for it is not sent any more."
      })
    ),
    HttpApiEndpoint.post("rotate", "/:id/rotate", {
      params,
      payload: Schema.Struct({ overlapSeconds: Schema.optionalKey(Overlap) }).pipe(
        Schema.encodeKeys({ overlapSeconds: "overlap_seconds" })
      ),
      success: dataOf(
        Schema.Struct({ secret: Secret, formerUntil: Schema.DateTimeUtcFromString }).pipe(
          Schema.encodeKeys({ formerUntil: "former_until" })
        )
      ),
      error: [Conflict, Forbidden, NotFound, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Sign with a new secret",
        description:
          "The former one signs too for overlap_seconds (a day when absent, at most a week): take the new one over meanwhile. 0 ends it at once, as when it has leaked."
      })
    ),
    HttpApiEndpoint.post("test", "/:id/test", {
      params,
      success: dataOf(
        Schema.Struct({ deliveryId: DeliveryId }).pipe(Schema.encodeKeys({ deliveryId: "delivery_id" }))
      ).pipe(HttpApiSchema.status(202)),
      error: [Conflict, Forbidden, NotFound, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Send a ping",
        description: "An event of the type ping; what becomes of it is at /api/v1/deliveries/{delivery_id}."
      })
    ),
    HttpApiEndpoint.get("deliveries", "/:id/deliveries", {
      params,
      query: {
        ...pageQuery,
        state: Schema.optionalKey(Schema.ArrayEnsure(DeliveryState).check(Schema.isMaxLength(9)))
      },
      success: pageOf(DeliveryView),
      error: [Forbidden, NotFound, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "What was sent to a webhook endpoint, the newest first",
        description: "By state (once or several times)."
      })
    ),
    HttpApiEndpoint.post("replay", "/:id/replay", {
      params,
      payload: Schema.Struct({ ids: Schema.Array(DeliveryId).check(Schema.isMinLength(1), Schema.isMaxLength(500)) }),
      success: dataOf(Schema.Array(Replayed)).pipe(HttpApiSchema.status(202)),
      error: [Conflict, Forbidden, NotFound, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Send up to 500 events of the log again",
        description:
          "Those that were sent, and the dead ones; others are passed over. Each keeps its webhook-id, so a receiver knows what it has."
      })
    )
  )
  .annotate(RequiredScope, { read: "webhooks:read", write: "webhooks:write" })
  .middleware(Authorization)
  .prefix("/api/v1/webhooks")
  .annotateMerge(OpenApi.annotations({ title: "Webhooks" })) {}
