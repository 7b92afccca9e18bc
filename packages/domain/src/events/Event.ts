/**
 * Any event, as HTTP and the topics carry it: a plain shape, or a CloudEvent 1.0 in structured mode around one.
 *
 * **Details**
 *
 * A CloudEvent's `id` stands in for a missing `eventId`, its `time` for a missing `timestamp`, and the last segment of its
 * `type` (`com.example.order_created`) for a missing `eventType` (CloudEvents 1.0.2, sections 3.1 and 3.2; JSON format,
 * section 3).
 */
import { Schema, SchemaGetter } from "effect"
import type { TenantId } from "../Identifiers.ts"
import type { Draft } from "../Notification.ts"
import { nonEmptyTextOf } from "../Text.ts"
import * as FriendRequest from "./FriendRequestEvent.ts"
import * as Order from "./OrderEvent.ts"

/** An event of a shape that Beckon routes; its `eventType` tells which. */
export const PlainEvent = Schema.Union([FriendRequest.FriendRequestEvent, Order.OrderEvent])
export type PlainEvent = typeof PlainEvent.Type

const Envelope = Schema.Struct({
  specversion: Schema.Literal("1.0"),
  id: nonEmptyTextOf(128),
  source: nonEmptyTextOf(2_048),
  type: nonEmptyTextOf(256),
  time: Schema.optionalKey(nonEmptyTextOf(64)),
  datacontenttype: Schema.optionalKey(Schema.String),
  subject: Schema.optionalKey(Schema.String),
  data: Schema.JsonObject
})

const lastSegment = (type: string): string => type.slice(Math.max(type.lastIndexOf("."), type.lastIndexOf("/")) + 1)

const textAt = (data: Schema.JsonObject, key: string): string => {
  const value = data[key]
  return typeof value === "string" ? value : ""
}

/** A CloudEvent whose data is a plain event. */
export const CloudEvent = Envelope.pipe(
  Schema.decodeTo(Schema.JsonObject, {
    decode: SchemaGetter.transform((envelope) => ({
      eventId: envelope.id,
      eventType: lastSegment(envelope.type),
      ...(envelope.time === undefined ? {} : { timestamp: envelope.time }),
      ...envelope.data
    })),
    encode: SchemaGetter.transform((data) => ({
      specversion: "1.0" as const,
      id: textAt(data, "eventId"),
      source: "/beckon",
      type: textAt(data, "eventType"),
      data
    }))
  }),
  Schema.decodeTo(PlainEvent, {
    decode: SchemaGetter.transform((data) => data as typeof PlainEvent.Encoded),
    encode: SchemaGetter.transform((event) => ({ ...event }))
  })
)

export const Event = Schema.Union([CloudEvent, PlainEvent])
export type Event = typeof Event.Type

/** The route: what an event becomes. Pure; the same event always becomes the same drafts, with the same dedupe keys. */
export const toDrafts = (tenantId: TenantId, event: PlainEvent): ReadonlyArray<Draft> =>
  "friendshipId" in event ? FriendRequest.toDrafts(tenantId, event) : Order.toDrafts(tenantId, event)
