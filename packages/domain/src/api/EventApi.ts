/**
 * Events over HTTP, for sources that have no Kafka.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Event } from "../events/Event.ts"
import { Forbidden, TooManyRequests, Unavailable } from "../Problem.ts"
import { AcceptedView } from "./NotificationView.ts"
import { RequiredScope } from "../Policy.ts"
import { Authorization } from "./Authorization.ts"

/** How many events one call may carry. */
export const maxEvents = 500

export const EventResult = Schema.Struct({ eventId: Schema.String, notifications: Schema.Array(AcceptedView) }).pipe(
  Schema.encodeKeys({ eventId: "event_id" })
)

export class EventApi extends HttpApiGroup.make("events")
  .add(
    HttpApiEndpoint.post("ingest", "/", {
      payload: [
        Schema.Union([Event, Schema.Array(Event).check(Schema.isMinLength(1), Schema.isMaxLength(maxEvents))]),
        Event.pipe(HttpApiSchema.asJson({ contentType: "application/cloudevents+json" })),
        Schema.Array(Event)
          .check(Schema.isMinLength(1), Schema.isMaxLength(maxEvents))
          .pipe(HttpApiSchema.asJson({ contentType: "application/cloudevents-batch+json" }))
      ],
      success: Schema.Struct({ data: Schema.Array(EventResult) }).pipe(HttpApiSchema.status(202)),
      error: [Forbidden, TooManyRequests, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Hand in one event, or up to 500",
        description:
          "Friend-request and order events, plain or as CloudEvents 1.0 in structured mode. Answers when every notification is saved; all events of a call are accepted or none. An event with a known id changes nothing."
      })
    )
  )
  .annotate(RequiredScope, { read: "events:write", write: "events:write" })
  .middleware(Authorization)
  .prefix("/api/v1/events")
  .annotateMerge(OpenApi.annotations({ title: "Events" })) {}
