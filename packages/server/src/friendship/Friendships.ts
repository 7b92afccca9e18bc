/**
 * The friendship service (R0): decides by the pure rules, saves the state and its event together, wakes the relay.
 */
import { Context, DateTime, Effect, Layer, Option, Schema } from "effect"
import type { Result } from "effect"
import { uuidV7Unsafe } from "effect/crypto/SecureRandom"
import * as CallOrigin from "@beckon/domain/CallOrigin"
import { FriendRequestEvent, topic } from "@beckon/domain/events/FriendRequestEvent"
import * as Rules from "@beckon/domain/Friendship"
import { FriendshipId, RuleBroken } from "@beckon/domain/Friendship"
import type { Friendship, FriendshipStatus } from "@beckon/domain/Friendship"
import type { UserId } from "@beckon/domain/Identifiers"
import { maySend } from "@beckon/domain/Identity"
import type { Identity } from "@beckon/domain/Identity"
import { Conflict, Forbidden, NotFound, Unavailable, Unprocessable } from "@beckon/domain/Problem"
import { tenantHeader } from "@beckon/domain/ports/EventBus"
import type { EventRecord } from "@beckon/domain/ports/EventBus"
import { FriendshipStore } from "@beckon/domain/ports/FriendshipStore"
import type { FriendshipChanged, ListedFriendship } from "@beckon/domain/ports/FriendshipStore"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import type { Profile } from "@beckon/domain/ports/UserDirectory"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { OutboxRelay } from "../ingest/OutboxRelay.ts"
import { storeToProblem } from "../inbox/Inbox.ts"

const encodeEvent = Schema.encodeSync(Schema.fromJsonString(FriendRequestEvent))

/** How often a lost race is decided anew before the caller is told to try again. */
const raceRetries = 3

const actAs = (identity: Identity, userId: UserId, field: string) =>
  identity.userId === userId || maySend(identity)
    ? Effect.void
    : Effect.fail(new Forbidden({ detail: `${field}: only yourself, or with the role service or admin` }))

const sendProblem = ({ message, rule }: RuleBroken): Conflict | Unprocessable =>
  rule === "already-pending" || rule === "already-friends"
    ? new Conflict({ detail: message })
    : new Unprocessable({ detail: message })

const changeProblem = ({ message, rule }: RuleBroken): Conflict | Forbidden | NotFound => {
  switch (rule) {
    case "must-exist":
      return new NotFound({ detail: message })
    case "only-the-recipient-responds":
    case "only-the-requester-cancels":
      return new Forbidden({ detail: message })
    case "not-to-yourself":
    case "already-pending":
    case "already-friends":
    case "only-once":
      return new Conflict({ detail: message })
  }
}

const eventTypes = {
  PENDING: "FRIEND_REQUEST_SENT",
  ACCEPTED: "FRIEND_REQUEST_ACCEPTED",
  REJECTED: "FRIEND_REQUEST_REJECTED"
} as const

/** R0's event of a change; a withdrawal has none there. */
const eventsOf = (
  friendship: Friendship,
  requester: Profile,
  recipient: Profile,
  origin: CallOrigin.CallOrigin
): ReadonlyArray<EventRecord> => {
  const { status } = friendship
  if (status === "CANCELLED") return []
  const value = encodeEvent({
    eventId: uuidV7Unsafe(),
    eventType: eventTypes[status],
    friendshipId: friendship.id,
    requesterId: friendship.requesterId,
    requesterName: requester.name,
    requesterEmail: requester.email,
    requesterImage: requester.image,
    recipientId: friendship.recipientId,
    recipientName: recipient.name,
    recipientEmail: recipient.email,
    recipientImage: recipient.image,
    friendshipStatus: status,
    timestamp: friendship.respondedAt ?? friendship.createdAt,
    message: null,
    source: "friendship-service",
    notificationPriority: status === "REJECTED" ? 3 : 2
  })
  const headers = { [tenantHeader]: friendship.tenantId, ...CallOrigin.recordHeaders(origin) }
  return [{ topic, key: friendship.id, headers, value }]
}

export class Friendships extends Context.Service<
  Friendships,
  {
    readonly send: (
      identity: Identity,
      requesterId: UserId,
      recipientId: UserId
    ) => Effect.Effect<Friendship, Conflict | Forbidden | Unavailable | Unprocessable>
    readonly respond: (
      identity: Identity,
      id: FriendshipId,
      responderId: UserId,
      accept: boolean
    ) => Effect.Effect<Friendship, Conflict | Forbidden | NotFound | Unavailable>
    readonly cancel: (
      identity: Identity,
      id: FriendshipId,
      requesterId: UserId
    ) => Effect.Effect<Friendship, Conflict | Forbidden | NotFound | Unavailable>
    /** One's own, newest first. */
    readonly list: (
      identity: Identity,
      filter: { readonly status?: FriendshipStatus; readonly before?: number; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<ListedFriendship>, Unavailable>
  }
>()("@beckon/server/friendship/Friendships") {
  static readonly layer = Layer.effect(
    Friendships,
    Effect.gen(function* () {
      const store = yield* FriendshipStore
      const directory = yield* UserDirectory
      const relay = yield* OutboxRelay

      /** Decides and saves; when somebody else was faster, decides again on what he left. */
      const decided = (
        identity: Identity,
        decide: Effect.Effect<Friendship, RuleBroken | StoreUnavailable>,
        save: (
          friendship: Friendship,
          events: ReadonlyArray<EventRecord>
        ) => Effect.Effect<void, FriendshipChanged | StoreUnavailable>
      ): Effect.Effect<Friendship, RuleBroken | Unavailable> =>
        Effect.gen(function* () {
          const friendship = yield* decide
          const people = [friendship.requesterId, friendship.recipientId]
          const [requester, recipient] = yield* directory.lookup(identity.tenantId, people)
          const nobody = (userId: UserId): Profile => ({ userId, name: null, email: null, image: null })
          const events = eventsOf(
            friendship,
            requester ?? nobody(friendship.requesterId),
            recipient ?? nobody(friendship.recipientId),
            yield* CallOrigin.CallOrigin
          )
          yield* save(friendship, events)
          yield* relay.nudge
          return friendship
        }).pipe(
          Effect.retry({ times: raceRetries, while: (error) => error._tag === "FriendshipChanged" }),
          Effect.catchTags({
            FriendshipChanged: () =>
              Effect.fail(new Unavailable({ detail: "The friend request changes at this moment; try again." })),
            StoreUnavailable: storeToProblem
          })
        )

      const existing = Effect.fnUntraced(function* (
        identity: Identity,
        id: FriendshipId,
        decide: (friendship: Friendship, now: DateTime.Utc) => Result.Result<Friendship, RuleBroken>
      ) {
        const found = yield* store.get(identity.tenantId, id)
        if (Option.isNone(found)) return yield* new RuleBroken({ rule: "must-exist" })
        return yield* Effect.fromResult(decide(found.value, yield* DateTime.now))
      })

      const send = Effect.fn("Friendships.send")(function* (
        identity: Identity,
        requesterId: UserId,
        recipientId: UserId
      ) {
        yield* actAs(identity, requesterId, "requesterId")
        const decide = Effect.gen(function* () {
          const between = yield* store.between(identity.tenantId, requesterId, recipientId)
          const request = {
            tenantId: identity.tenantId,
            id: FriendshipId.make(uuidV7Unsafe()),
            requesterId,
            recipientId
          }
          return yield* Effect.fromResult(Rules.send(request, Option.getOrUndefined(between), yield* DateTime.now))
        })
        return yield* Effect.catchTag(decided(identity, decide, store.insert), "RuleBroken", (error) =>
          Effect.fail(sendProblem(error))
        )
      })

      const respond = Effect.fn("Friendships.respond")(function* (
        identity: Identity,
        id: FriendshipId,
        responderId: UserId,
        accept: boolean
      ) {
        yield* actAs(identity, responderId, "responderId")
        const decide = existing(identity, id, (friendship, now) => Rules.respond(friendship, responderId, accept, now))
        return yield* Effect.catchTag(decided(identity, decide, store.update), "RuleBroken", (error) =>
          Effect.fail(changeProblem(error))
        )
      })

      const cancel = Effect.fn("Friendships.cancel")(function* (
        identity: Identity,
        id: FriendshipId,
        requesterId: UserId
      ) {
        yield* actAs(identity, requesterId, "requesterId")
        const decide = existing(identity, id, (friendship, now) => Rules.cancel(friendship, requesterId, now))
        return yield* Effect.catchTag(decided(identity, decide, store.update), "RuleBroken", (error) =>
          Effect.fail(changeProblem(error))
        )
      })

      return {
        send,
        respond,
        cancel,
        list: (identity, filter) =>
          Effect.catch(store.list(identity.tenantId, { userId: identity.userId, ...filter }), storeToProblem)
      }
    })
  )
}
