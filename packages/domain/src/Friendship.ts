/**
 * Friend requests (R0): the state of one, and the rules for changing it.
 */
import { Result, Schema } from "effect"
import type { DateTime } from "effect"
import type { TenantId, UserId } from "./Identifiers.ts"
import { identifierOf } from "./Text.ts"

export const FriendshipId = identifierOf(64).pipe(Schema.brand("FriendshipId"))
export type FriendshipId = typeof FriendshipId.Type

export const FriendshipStatus = Schema.Literals(["PENDING", "ACCEPTED", "REJECTED", "CANCELLED"])
export type FriendshipStatus = typeof FriendshipStatus.Type

export interface Friendship {
  readonly tenantId: TenantId
  readonly id: FriendshipId
  readonly requesterId: UserId
  readonly recipientId: UserId
  readonly status: FriendshipStatus
  readonly createdAt: DateTime.Utc
  readonly respondedAt: DateTime.Utc | null
}

/** A rule of R0 that a call breaks. */
export class RuleBroken extends Schema.TaggedError<RuleBroken>()("RuleBroken", {
  rule: Schema.Literals([
    "must-exist",
    "not-to-yourself",
    "already-pending",
    "already-friends",
    "only-the-recipient-responds",
    "only-the-requester-cancels",
    "only-once"
  ])
}) {
  override get message() {
    return messages[this.rule]
  }
}

const messages = {
  "must-exist": "friendshipId: no such friend request",
  "not-to-yourself": "recipientId: a friend request cannot go to its own requester",
  "already-pending": "recipientId: a friend request between the two is pending",
  "already-friends": "recipientId: the two are friends already",
  "only-the-recipient-responds": "responderId: only the recipient of a friend request responds to it",
  "only-the-requester-cancels": "requesterId: only the requester of a friend request cancels it",
  "only-once": "friendshipId: the friend request was answered or cancelled before"
} as const

const broken = (rule: RuleBroken["rule"]) => Result.fail(new RuleBroken({ rule }))

/** Decides a new request; `between` is the newest friendship of the two, in either direction. */
export const send = (
  request: Pick<Friendship, "tenantId" | "id" | "requesterId" | "recipientId">,
  between: Friendship | undefined,
  now: DateTime.Utc
): Result.Result<Friendship, RuleBroken> => {
  if (request.requesterId === request.recipientId) return broken("not-to-yourself")
  if (between?.status === "PENDING") return broken("already-pending")
  if (between?.status === "ACCEPTED") return broken("already-friends")
  return Result.succeed({ ...request, status: "PENDING", createdAt: now, respondedAt: null })
}

/** Decides an answer to a request. */
export const respond = (
  friendship: Friendship,
  responderId: UserId,
  accept: boolean,
  now: DateTime.Utc
): Result.Result<Friendship, RuleBroken> => {
  if (friendship.recipientId !== responderId) return broken("only-the-recipient-responds")
  if (friendship.status !== "PENDING") return broken("only-once")
  return Result.succeed({ ...friendship, status: accept ? "ACCEPTED" : "REJECTED", respondedAt: now })
}

/** Decides the withdrawal of a request. */
export const cancel = (
  friendship: Friendship,
  requesterId: UserId,
  now: DateTime.Utc
): Result.Result<Friendship, RuleBroken> => {
  if (friendship.requesterId !== requesterId) return broken("only-the-requester-cancels")
  if (friendship.status !== "PENDING") return broken("only-once")
  return Result.succeed({ ...friendship, status: "CANCELLED", respondedAt: now })
}
