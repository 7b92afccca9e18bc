/**
 * A delivery: sending one notification over one channel other than the socket, with its attempts.
 *
 * **Details**
 *
 * `pending → sending → sent → delivered → seen`, with `failed` (an attempt failed, another follows) and `dead` (no other
 * follows) on the way, and the two ends without a send: `skipped` (not wanted, or nowhere to send it) and `cancelled` (by the
 * sender). A state never goes back: `canMove` is the whole table, and whoever writes a state asks it.
 *
 * What providers tell comes twice and in any order, and must end the same: `sent` < `delivered` < `dead` < `seen`, and the
 * highest one told counts. A bounce stands above a delivery; whoever has seen it was reached, whatever was told before.
 *
 * `sending` holds from the moment a worker takes the delivery until its outcome is known, also while it waits for a circuit
 * breaker and no worker has it; then it can still be cancelled. A replay of a dead delivery is a new delivery; the dead one stays dead and says that it was replayed.
 */
import { Schema } from "effect"
import type { DateTime, Duration } from "effect"
import type { NotificationId, TenantId, UserId } from "./Identifiers.ts"
import { identifierOf } from "./Text.ts"

/** A delivery, unique in a deployment; a UUIDv7 when Beckon makes it. It is the idempotency key towards providers. */
export const DeliveryId = identifierOf(64).pipe(Schema.brand("DeliveryId"))
export type DeliveryId = typeof DeliveryId.Type

/** A channel that a delivery goes over; the inbox itself (`in_app`) needs none. */
export const DeliveryChannel = Schema.Literals(["push", "email", "sms", "whatsapp", "webhook"])
export type DeliveryChannel = typeof DeliveryChannel.Type

export const deliveryChannels = DeliveryChannel.literals

export const DeliveryState = Schema.Literals([
  "pending",
  "sending",
  "failed",
  "sent",
  "delivered",
  "seen",
  "dead",
  "skipped",
  "cancelled"
])
export type DeliveryState = typeof DeliveryState.Type

const followers: Readonly<Record<DeliveryState, ReadonlyArray<DeliveryState>>> = {
  pending: ["sending", "skipped", "cancelled", "dead"],
  // A provider's callback may overtake the worker's own note that it was sent.
  sending: ["sending", "failed", "sent", "delivered", "seen", "dead", "skipped", "cancelled"],
  failed: ["sending", "sent", "delivered", "seen", "dead", "skipped", "cancelled"],
  // A bounce after the provider took it makes it dead.
  sent: ["delivered", "seen", "dead"],
  delivered: ["seen", "dead"],
  seen: [],
  // Given up, or bounced; and yet somebody saw it.
  dead: ["seen"],
  skipped: [],
  cancelled: []
}

/** Whether a delivery in the state `from` may become `to`. */
export const canMove = (from: DeliveryState, to: DeliveryState): boolean => followers[from].includes(to)

/** Whether a worker has still to do something about it. */
export const isOpen = (state: DeliveryState): boolean =>
  state === "pending" || state === "sending" || state === "failed"

/**
 * When a delivery is still wanted at the time it is due: `always`; only while no device of the user has acknowledged the
 * notification; only while he has neither read it nor seen it over another channel.
 */
export const Condition = Schema.Literals(["always", "unacknowledged", "unseen"])
export type Condition = typeof Condition.Type

/** Whom it goes to: the user of the notification, all subscribers of a push topic, or one webhook endpoint. */
export const Target = Schema.Union([
  Schema.TaggedStruct("User", {}),
  Schema.TaggedStruct("Topic", { topic: Schema.String }),
  Schema.TaggedStruct("Endpoint", { endpointId: Schema.String })
])
export type Target = typeof Target.Type

/** How many at most of one key in one window of time; the windows are fixed: they begin at multiples of their length. */
export interface Throttle {
  readonly key: string
  readonly limit: number
  readonly window: Duration.Duration
}

/** One summary for what gathers under a key: sent when the window of its first item ends, or earlier when it is full. */
export interface Digest {
  readonly key: string
  readonly window: Duration.Duration
  readonly maxItems: number
  /** A full one is not sent before. */
  readonly notBefore?: DateTime.Utc
}

/** What a plan asks for. */
export interface NewDelivery {
  readonly channel: DeliveryChannel
  readonly target: Target
  readonly condition: Condition
  /** 1 (can wait) to 10 (first). */
  readonly urgency: number
  readonly dueAt: DateTime.Utc
  readonly throttle?: Throttle
  readonly digest?: Digest
  /** Not wanted from the start: it is kept as `skipped`, with this reason, so that the fate is known. */
  readonly skipped?: string
}

/** What went wrong, by what is to be done about it. */
export const FailureClass = Schema.Literals([
  /** This message will never be taken: no other try. */
  "permanent",
  /** The recipient has no address on this channel, or only dead ones. */
  "unreachable",
  /** The provider asks to slow down. */
  "throttled",
  /** The provider or the way to it is out of order. */
  "transient",
  /** Our own account is refused: no message of it can go out, and no recipient is to blame. */
  "credentials"
])
export type FailureClass = typeof FailureClass.Type

/** What became of one try at one provider. */
export type SendOutcome =
  | {
      readonly _tag: "Sent"
      /** How the provider calls it in its callbacks. */
      readonly providerMessageId: string | null
      readonly code?: string
    }
  | {
      readonly _tag: "Failed"
      readonly class: FailureClass
      /** The provider's own code, or `timeout`, `connection`, `breaker_open`, …; at most 100 characters. */
      readonly code: string
      /** For people; at most 1,000 characters, never with credentials or tokens. */
      readonly detail: string
      /** What the provider's `Retry-After` said. */
      readonly retryAfter?: Duration.Duration
    }

/** One try at one provider, as it is kept. */
export interface Attempt {
  readonly attempt: number
  readonly provider: string
  /** `sent`, or the class of the failure. */
  readonly outcome: "sent" | FailureClass
  readonly code: string | null
  readonly detail: string | null
  readonly durationMs: number
  readonly at: DateTime.Utc
}

/** Something that a provider or a client told about a delivery afterwards. */
export interface ProviderEvent {
  readonly provider: string
  /** Unique at this provider: the same event twice is one. At most 256 characters. */
  readonly eventKey: string
  readonly deliveryId?: DeliveryId
  readonly providerMessageId?: string
  /** What it says of the delivery's state; `null` for news that change no state (deferred, unsubscribed). */
  readonly state: Extract<DeliveryState, "sent" | "delivered" | "seen" | "dead"> | null
  readonly code: string
  readonly detail: string | null
  readonly at: DateTime.Utc
}

export interface Delivery {
  readonly id: DeliveryId
  readonly tenantId: TenantId
  /** Absent for a push topic and for a webhook about the tenant. */
  readonly userId: UserId | null
  readonly notificationId: NotificationId | null
  readonly channel: DeliveryChannel
  readonly target: Target
  readonly condition: Condition
  readonly state: DeliveryState
  readonly urgency: number
  /** When somebody should look at it next: the first try, the next one, or the end of the lease of a worker. */
  readonly dueAt: DateTime.Utc
  readonly createdAt: DateTime.Utc
  readonly updatedAt: DateTime.Utc
  /** Tries that were begun, without those that a worker gave back before it asked a provider. */
  readonly attempts: number
  /** Tries that failed by the fault of provider or message; the number that the retry policy counts. */
  readonly failures: number
  readonly provider: string | null
  readonly providerMessageId: string | null
  /** Why it is as it is, in short: the last code, or why it was skipped. */
  readonly reason: string | null
  readonly detail: string | null
  /** How many notifications it carries; more than one only in a digest. */
  readonly items: number
  readonly replayOf: DeliveryId | null
  /** What was done about a dead one. */
  readonly resolution: "replayed" | "discarded" | null
}
