/**
 * Deliveries beyond the socket: what is under way, what became of it, and the ones that nobody tries any more.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { DeliveryChannel, DeliveryId, DeliveryState } from "../Delivery.ts"
import { UserId } from "../Identifiers.ts"
import { Forbidden, NotFound, Unavailable, Unprocessable } from "../Problem.ts"
import { RequiredScope } from "../Policy.ts"
import { Authorization } from "./Authorization.ts"
import { DeliveryHistoryView, DeliveryView, Replayed } from "./DeliveryView.ts"
import { dataOf, pageOf, pageQuery } from "./Paging.ts"

const filters = { channel: Schema.optionalKey(DeliveryChannel), userId: Schema.optionalKey(UserId) }

const failures = [Forbidden, NotFound, Unavailable] as const

const StateCount = Schema.Struct({ channel: DeliveryChannel, state: DeliveryState, count: Schema.Int })

export const ReconciliationView = Schema.Struct({
  open: Schema.Int,
  unplanned: Schema.Int,
  overdue: Schema.Int,
  strayItems: Schema.Int,
  contradictions: Schema.Int
}).pipe(Schema.encodeKeys({ strayItems: "stray_items" }))

export class DeliveryApi extends HttpApiGroup.make("deliveries")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: Schema.Struct({
        ...pageQuery,
        ...filters,
        state: Schema.optionalKey(Schema.ArrayEnsure(DeliveryState).check(Schema.isMaxLength(9)))
      }).pipe(Schema.encodeKeys({ userId: "user_id" })),
      success: pageOf(DeliveryView),
      error: [Forbidden, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Deliveries, the newest first",
        description: "By state (once or several times), channel and user_id."
      })
    ),
    HttpApiEndpoint.get("counts", "/counts", {
      success: dataOf(Schema.Array(StateCount)),
      error: [Forbidden, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "How many deliveries are in each state, by channel" })),
    HttpApiEndpoint.get("reconciliation", "/reconciliation", {
      success: dataOf(ReconciliationView),
      error: [Forbidden, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Whether anything is lost",
        description:
          "Looks through the deployment's whole store for what no worker would find; all zero but open when all is well."
      })
    ),
    HttpApiEndpoint.get("get", "/:id", {
      params: { id: DeliveryId },
      success: dataOf(DeliveryHistoryView),
      error: failures
    }).annotateMerge(OpenApi.annotations({ summary: "One delivery, with every try and every word of a provider" }))
  )
  .annotate(RequiredScope, { read: "deliveries:read", write: "deliveries:write" })
  .middleware(Authorization)
  .prefix("/api/v1/deliveries")
  .annotateMerge(OpenApi.annotations({ title: "Deliveries" })) {}

/** Some by their ids, or all, or all of a channel. */
export const DeadTargetBody = Schema.Union([
  Schema.Struct({ ids: Schema.Array(DeliveryId).check(Schema.isMinLength(1), Schema.isMaxLength(500)) }),
  Schema.Struct({
    all: Schema.Literal(true),
    channel: Schema.optionalKey(DeliveryChannel),
    /** 1,000 when absent. */
    limit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000 })))
  })
])
export type DeadTargetBody = typeof DeadTargetBody.Type

/** Of a record's value, in UTF-16 code units: enough to see what is wrong with it. */
export const maxLetterValue = 10_000

/** A record of an event source that could not be understood. */
const LetterView = Schema.Struct({
  id: Schema.String,
  topic: Schema.String,
  key: Schema.String,
  headers: Schema.Record(Schema.String, Schema.String),
  value: Schema.String,
  reason: Schema.String,
  at: Schema.DateTimeUtcFromString
})

export class DeadLetterApi extends HttpApiGroup.make("deadLetters")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: Schema.Struct({ ...pageQuery, ...filters }).pipe(Schema.encodeKeys({ userId: "user_id" })),
      success: pageOf(DeliveryView),
      error: [Forbidden, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Dead deliveries about which nothing was done yet, the newest first",
        description: "By channel and user_id."
      })
    ),
    HttpApiEndpoint.get("events", "/events", {
      query: { limit: pageQuery.limit },
      success: dataOf(Schema.Array(LetterView)),
      error: [Forbidden, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Records of event sources that could not be understood, with the reason",
        description:
          "Those whose header `tenant` names the tenant (`default`, when they have none), the newest first. Longer values are cut after 10,000 characters."
      })
    ),
    HttpApiEndpoint.get("get", "/:id", {
      params: { id: DeliveryId },
      success: dataOf(DeliveryHistoryView),
      error: failures
    }).annotateMerge(OpenApi.annotations({ summary: "One dead delivery, with every try" })),
    HttpApiEndpoint.post("replay", "/replay", {
      payload: DeadTargetBody,
      success: dataOf(Schema.Array(Replayed)),
      error: [Forbidden, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Send dead deliveries again, each as a new one",
        description:
          "Up to 500 by their ids, or up to 10,000 of all. Those that were replayed or discarded before are passed over."
      })
    ),
    HttpApiEndpoint.post("discard", "/discard", {
      payload: DeadTargetBody,
      success: dataOf(Schema.Struct({ discarded: Schema.Int })),
      error: [Forbidden, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Be done with dead deliveries",
        description: "Up to 500 by their ids, or up to 10,000 of all. They leave this list and are never sent."
      })
    )
  )
  .annotate(RequiredScope, { read: "deliveries:read", write: "deliveries:write" })
  .middleware(Authorization)
  .prefix("/api/v1/dead-letters")
  .annotateMerge(OpenApi.annotations({ title: "Dead letters" })) {}
