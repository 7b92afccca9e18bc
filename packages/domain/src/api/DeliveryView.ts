/**
 * Deliveries as REST carries them: snake_case, with what happened to them.
 */
import { Schema } from "effect"
import { Condition, DeliveryChannel, DeliveryId, DeliveryState } from "../Delivery.ts"
import { NotificationId, UserId } from "../Identifiers.ts"

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

const fields = {
  id: DeliveryId,
  userId: Schema.NullOr(UserId),
  notificationId: Schema.NullOr(NotificationId),
  channel: DeliveryChannel,
  /** The push topic that it goes to. */
  topic: Schema.NullOr(Schema.String),
  /** The webhook endpoint that it goes to. */
  endpointId: Schema.NullOr(Schema.String),
  condition: Condition,
  state: DeliveryState,
  urgency: Schema.Int,
  dueAt: Schema.DateTimeUtcFromString,
  createdAt: Schema.DateTimeUtcFromString,
  updatedAt: Schema.DateTimeUtcFromString,
  attempts: Count,
  failures: Count,
  provider: Schema.NullOr(Schema.String),
  providerMessageId: Schema.NullOr(Schema.String),
  reason: Schema.NullOr(Schema.String),
  detail: Schema.NullOr(Schema.String),
  items: Count,
  replayOf: Schema.NullOr(DeliveryId),
  resolution: Schema.NullOr(Schema.Literals(["replayed", "discarded"]))
}

const names = {
  userId: "user_id",
  notificationId: "notification_id",
  endpointId: "endpoint_id",
  dueAt: "due_at",
  createdAt: "created_at",
  updatedAt: "updated_at",
  providerMessageId: "provider_message_id",
  replayOf: "replay_of"
} as const

export const DeliveryView = Schema.Struct(fields).pipe(Schema.encodeKeys(names))
export type DeliveryView = typeof DeliveryView.Type

const AttemptEntry = Schema.Struct({
  kind: Schema.Literal("attempt"),
  attempt: Schema.Int,
  provider: Schema.String,
  /** `sent`, or the class of the failure. */
  outcome: Schema.String,
  code: Schema.NullOr(Schema.String),
  detail: Schema.NullOr(Schema.String),
  durationMs: Schema.Finite,
  at: Schema.DateTimeUtcFromString
}).pipe(Schema.encodeKeys({ durationMs: "duration_ms" }))

const EventEntry = Schema.Struct({
  kind: Schema.Literal("event"),
  provider: Schema.String,
  /** What it said of the state; `null` for news that change none. */
  state: Schema.NullOr(DeliveryState),
  code: Schema.String,
  detail: Schema.NullOr(Schema.String),
  at: Schema.DateTimeUtcFromString
})

/** One thing that happened to a delivery: a try at a provider, or what the provider told afterwards. */
export const HistoryEntry = Schema.Union([AttemptEntry, EventEntry])
export type HistoryEntry = typeof HistoryEntry.Type

export const DeliveryHistoryView = Schema.Struct({ ...fields, history: Schema.Array(HistoryEntry) }).pipe(
  Schema.encodeKeys(names)
)
export type DeliveryHistoryView = typeof DeliveryHistoryView.Type

/** A delivery that is sent again, and the new one that does it. */
export const Replayed = Schema.Struct({ id: DeliveryId, replayedAs: DeliveryId }).pipe(
  Schema.encodeKeys({ replayedAs: "replayed_as" })
)
