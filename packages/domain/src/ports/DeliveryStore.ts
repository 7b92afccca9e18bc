/**
 * The deliveries of all tenants, with their attempts: what is planned, what is due, what became of it.
 *
 * **Details**
 *
 * A notification is saved with the time at which it is to be planned (`planAt`): that mark is the outbox of deliveries.
 * `plan` turns marks into deliveries and clears them in one transaction, so that a notification is planned exactly once,
 * whoever is killed meanwhile. `claim` lends deliveries to a worker until `dueAt`; those of a killed worker come back by
 * themselves.
 */
import { Context } from "effect"
import type { DateTime, Duration, Effect, Option, Schema } from "effect"
import type {
  Attempt,
  Delivery,
  DeliveryChannel,
  DeliveryId,
  DeliveryState,
  NewDelivery,
  ProviderEvent
} from "../Delivery.ts"
import type { DeliveryOptions } from "../DeliveryOptions.ts"
import type { NotificationId, TenantId, UserId } from "../Identifiers.ts"
import type { MailboxKey } from "../MailboxKey.ts"
import type { StoredNotification } from "../Notification.ts"
import type { Preferences } from "../Preferences.ts"
import type { RoutingPolicy } from "../RoutingPolicy.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

/** What is known of a notification that is to be planned, at this moment. */
export interface DuePlan extends MailboxKey {
  readonly notificationId: NotificationId
  readonly seq: number
  readonly notification: StoredNotification
  /** A device of the user has acknowledged it. */
  readonly acknowledged: boolean
  /** He has read it, or deleted it from his inbox. */
  readonly seen: boolean
  /** As the user set them; `undefined` before he set any. */
  readonly preferences: Preferences | undefined
  /** What the directory knows of him. */
  readonly timeZone: string | null
}

/** Channels on which a tenant has accounts, and whether any of them is switched on. */
export type OwnChannels = ReadonlyMap<DeliveryChannel, boolean>

/** What the tenants of the notifications at hand have set. */
export interface PlanContext {
  readonly policies: ReadonlyMap<TenantId, RoutingPolicy>
  /** Enabled webhook endpoints, with the types that they want (`undefined`: all). */
  readonly endpoints: ReadonlyMap<
    TenantId,
    ReadonlyArray<{ readonly id: string; readonly types: ReadonlyArray<string> | undefined }>
  >
  /** Where tenants have accounts with senders of their own; absent for those that have none. */
  readonly accounts?: ReadonlyMap<TenantId, OwnChannels>
}

export interface Planned {
  readonly notifications: number
  readonly deliveries: number
  /** The earliest time at which one of them is due. */
  readonly dueAt: DateTime.Utc | undefined
}

/** A delivery that a worker has taken, with all that it needs to send it. */
export interface Claimed {
  readonly delivery: Delivery
  /** The number of this claim, never given twice; whoever reports an outcome or prolongs the lease names it. */
  readonly attempt: number
  /** Claims in a row that nobody reported on, this one included: more than one after a worker was lost. */
  readonly unreported: number
  /** When it was taken for its first try. */
  readonly since: DateTime.Utc
  /** Oldest first; one, or several for a digest. Empty when retention has thrown them away, and for those with `content`. */
  readonly notifications: ReadonlyArray<StoredNotification>
  readonly options: DeliveryOptions | undefined
  /** The body of a delivery that carries no notification: a push to a topic, a webhook about a status. */
  readonly content: Schema.JsonObject | undefined
  readonly acknowledged: boolean
  readonly seen: boolean
  /** Hashes of the devices that have it already, after a try that reached only some. */
  readonly progress: ReadonlyArray<string>
}

/** What a worker reports of one claimed delivery. Every report also keeps the tries at providers that were made. */
export interface Report {
  readonly id: DeliveryId
  readonly attempt: number
  readonly attempts: ReadonlyArray<Omit<Attempt, "attempt">>
  readonly result:
    | { readonly _tag: "Sent"; readonly provider: string; readonly providerMessageId: string | null }
    /** Another try at `retryAt`; counts as a failure. */
    | {
        readonly _tag: "Failed"
        readonly retryAt: DateTime.Utc
        readonly reason: string
        readonly detail: string | null
        readonly progress?: ReadonlyArray<string>
      }
    | { readonly _tag: "Dead"; readonly reason: string; readonly detail: string | null }
    | { readonly _tag: "Skipped"; readonly reason: string }
    /** Given back until `until`; no failure. Where no provider was asked (no `attempts`), the try does not count either. */
    | { readonly _tag: "Postponed"; readonly until: DateTime.Utc; readonly reason: string }
}

/** A delivery without a notification. */
export interface Direct {
  readonly tenantId: TenantId
  readonly userId: UserId | null
  readonly delivery: NewDelivery
  readonly content: Schema.JsonObject
  readonly cancelKey?: string
}

export interface DeliveryFilter {
  readonly states?: ReadonlyArray<DeliveryState>
  readonly channel?: DeliveryChannel
  readonly userId?: UserId
  /** Only those to this webhook endpoint. */
  readonly endpointId?: string
  /** Only dead ones about which nothing was done yet. */
  readonly unresolved?: boolean
  /** Only older ids than this one: the cursor. */
  readonly before?: DeliveryId
  readonly limit: number
}

export interface History extends Delivery {
  readonly history: ReadonlyArray<
    | ({ readonly _tag: "Attempt" } & Attempt)
    | ({ readonly _tag: "Event" } & Pick<ProviderEvent, "provider" | "state" | "code" | "detail" | "at">)
  >
}

/** Which dead deliveries are meant: some, or all of a channel, or all; at most `limit` at a time. */
export type DeadTarget =
  | {
      readonly _tag: "Ids"
      readonly ids: ReadonlyArray<DeliveryId>
      /** Only those to this webhook endpoint; a replay then takes those that were sent too, as often as it is asked to. */
      readonly endpointId?: string
    }
  | { readonly _tag: "All"; readonly channel?: DeliveryChannel; readonly limit: number }

/** What a check of the whole store found; all zero but `open` when all is well. */
export interface Reconciliation {
  /** Deliveries that wait or are being sent. */
  readonly open: number
  /** Notifications whose time to be planned passed longer ago than the patience. */
  readonly unplanned: number
  /** Deliveries that nobody has looked at for longer than the patience after they were due. */
  readonly overdue: number
  /** Items of digests whose delivery is not there, and digests with another number of items than they say. */
  readonly strayItems: number
  /** Deliveries whose last attempt says that they were sent, and whose state does not. */
  readonly contradictions: number
}

export class DeliveryStore extends Context.Service<
  DeliveryStore,
  {
    /**
     * Plans up to `limit` notifications whose time has come, the earliest first: reads what is known of them, lets
     * `decide` (pure, in their order) say what to deliver, and saves it. Several planners never get the same notification.
     */
    readonly plan: (
      limit: number,
      now: DateTime.Utc,
      decide: (due: DuePlan, context: PlanContext) => ReadonlyArray<NewDelivery>
    ) => Effect.Effect<Planned, StoreUnavailable>
    /** Saves deliveries that carry no notification; answers their ids in order. */
    readonly add: (
      deliveries: ReadonlyArray<Direct>,
      now: DateTime.Utc
    ) => Effect.Effect<ReadonlyArray<DeliveryId>, StoreUnavailable>
    /**
     * Takes up to `limit` deliveries of these channels that are due, the most urgent first, then the earliest. They come
     * back to others at `now + lease` unless reported before. A digest that is claimed takes no more items.
     */
    readonly claim: (options: {
      readonly channels: ReadonlyArray<DeliveryChannel>
      readonly limit: number
      readonly now: DateTime.Utc
      readonly lease: Duration.Duration
      /** The node, for people. */
      readonly worker: string
    }) => Effect.Effect<ReadonlyArray<Claimed>, StoreUnavailable>
    /** Leases that are still held are prolonged to `until`; answers those. The others are lost: somebody else may send them. */
    readonly extend: (
      claims: ReadonlyArray<{ readonly id: DeliveryId; readonly attempt: number }>,
      until: DateTime.Utc
    ) => Effect.Effect<ReadonlyArray<DeliveryId>, StoreUnavailable>
    /**
     * Keeps the attempts and moves the states, all or none. A report of a lease that was lost since still keeps its attempts;
     * of its result only `Sent` counts. Webhook deliveries about the new states (`announce`) are saved with them.
     */
    readonly report: (reports: ReadonlyArray<Report>, now: DateTime.Utc) => Effect.Effect<void, StoreUnavailable>
    /** Keeps news of providers; known events change nothing. Answers how many were new. News of unknown messages wait for theirs. */
    readonly recordEvents: (
      events: ReadonlyArray<ProviderEvent>,
      now: DateTime.Utc
    ) => Effect.Effect<number, StoreUnavailable>
    /** The deliveries of a notification, in the order they were made, with everything that happened to them. */
    readonly ofNotification: (
      tenantId: TenantId,
      id: NotificationId
    ) => Effect.Effect<ReadonlyArray<History>, StoreUnavailable>
    readonly get: (tenantId: TenantId, id: DeliveryId) => Effect.Effect<Option.Option<History>, StoreUnavailable>
    /** Newest first. */
    readonly list: (
      tenantId: TenantId,
      filter: DeliveryFilter
    ) => Effect.Effect<ReadonlyArray<Delivery>, StoreUnavailable>
    /** Cancels what has not been begun, or waits for another try or for a provider; answers how many. */
    readonly cancel: (
      tenantId: TenantId,
      target: { readonly cancelKey: string } | { readonly notificationId: NotificationId },
      now: DateTime.Utc
    ) => Effect.Effect<number, StoreUnavailable>
    /** Sends dead deliveries again as new ones; answers the new ids. One that was replayed or discarded is passed over. */
    readonly replay: (
      tenantId: TenantId,
      target: DeadTarget,
      now: DateTime.Utc
    ) => Effect.Effect<ReadonlyArray<{ readonly id: DeliveryId; readonly replayedAs: DeliveryId }>, StoreUnavailable>
    /** Marks dead deliveries as done with; answers how many. */
    readonly discard: (
      tenantId: TenantId,
      target: DeadTarget,
      now: DateTime.Utc
    ) => Effect.Effect<number, StoreUnavailable>
    /** How many deliveries are in each state, by channel. */
    readonly counts: (
      tenantId: TenantId
    ) => Effect.Effect<
      ReadonlyArray<{ readonly channel: DeliveryChannel; readonly state: DeliveryState; readonly count: number }>,
      StoreUnavailable
    >
    /** Looks through the whole store for what no worker would ever find. */
    readonly reconcile: (
      now: DateTime.Utc,
      patience: Duration.Duration
    ) => Effect.Effect<Reconciliation, StoreUnavailable>
  }
>()("@beckon/domain/ports/DeliveryStore") {}
