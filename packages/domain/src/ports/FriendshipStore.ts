/**
 * Friendships, and the events about them that commit together with them.
 */
import { Context, Schema } from "effect"
import type { Effect, Option } from "effect"
import type { Friendship, FriendshipId, FriendshipStatus } from "../Friendship.ts"
import type { TenantId, UserId } from "../Identifiers.ts"
import type { EventRecord } from "./EventBus.ts"
import type { StoreUnavailable } from "./NotificationStore.ts"

/** Somebody else changed it first: read again and decide again. */
export class FriendshipChanged extends Schema.TaggedError<FriendshipChanged>()("FriendshipChanged", {}) {}

export interface FriendshipFilter {
  readonly userId: UserId
  readonly status?: FriendshipStatus
  /** Only friendships of a smaller `ordinal`: the cursor. The one that had it may be gone. */
  readonly before?: number
  readonly limit: number
}

/** With its place among the friendships of all: a later one has a greater one. */
export interface ListedFriendship extends Friendship {
  readonly ordinal: number
}

export class FriendshipStore extends Context.Service<
  FriendshipStore,
  {
    readonly get: (tenantId: TenantId, id: FriendshipId) => Effect.Effect<Option.Option<Friendship>, StoreUnavailable>
    /** The newest friendship of the two, in either direction. */
    readonly between: (
      tenantId: TenantId,
      one: UserId,
      other: UserId
    ) => Effect.Effect<Option.Option<Friendship>, StoreUnavailable>
    /** Newest first: friendships where the user is requester or recipient. */
    readonly list: (
      tenantId: TenantId,
      filter: FriendshipFilter
    ) => Effect.Effect<ReadonlyArray<ListedFriendship>, StoreUnavailable>
    /**
     * Saves a new friendship and its events in one transaction. Fails with `FriendshipChanged` when one between the two
     * became pending or accepted meanwhile.
     */
    readonly insert: (
      friendship: Friendship,
      events: ReadonlyArray<EventRecord>
    ) => Effect.Effect<void, FriendshipChanged | StoreUnavailable>
    /** Saves the new state and its events in one transaction, if it is still pending. */
    readonly update: (
      friendship: Friendship,
      events: ReadonlyArray<EventRecord>
    ) => Effect.Effect<void, FriendshipChanged | StoreUnavailable>
  }
>()("@beckon/domain/ports/FriendshipStore") {}
