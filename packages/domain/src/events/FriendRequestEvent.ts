/**
 * Events of the topic `friend-request-events` (R0), and the drafts that they become.
 */
import { Schema } from "effect"
import { SourceId, UserId } from "../Identifiers.ts"
import type { TenantId } from "../Identifiers.ts"
import type { Draft } from "../Notification.ts"
import { nonEmptyTextOf, textOf } from "../Text.ts"
import { Timestamp } from "./Timestamp.ts"

export const topic = "friend-request-events"
export const group = "notification-friend-request-group"

const UserReference = SourceId.pipe(Schema.decodeTo(UserId))
const optionalText = (maxLength: number) => Schema.optionalKey(Schema.NullOr(textOf(maxLength)))

export const FriendRequestEvent = Schema.Struct({
  eventId: SourceId,
  eventType: Schema.Literals(["FRIEND_REQUEST_SENT", "FRIEND_REQUEST_ACCEPTED", "FRIEND_REQUEST_REJECTED"]),
  friendshipId: SourceId,
  requesterId: UserReference,
  requesterName: optionalText(256),
  requesterEmail: optionalText(320),
  requesterImage: optionalText(2_048),
  recipientId: UserReference,
  recipientName: optionalText(256),
  recipientEmail: optionalText(320),
  recipientImage: optionalText(2_048),
  friendshipStatus: Schema.Literals(["PENDING", "ACCEPTED", "REJECTED"]),
  timestamp: Timestamp,
  message: optionalText(4_096),
  source: Schema.optionalKey(Schema.NullOr(nonEmptyTextOf(128))),
  /** 1 high, 2 medium, 3 low. */
  notificationPriority: Schema.optionalKey(Schema.NullOr(Schema.Literals([1, 2, 3])))
})
export type FriendRequestEvent = typeof FriendRequestEvent.Type

const nameOf = (name: string | null | undefined, id: string): string =>
  name === undefined || name === null || name === "" ? id : name

const texts = (event: FriendRequestEvent): Pick<Draft, "userId" | "type" | "priority" | "title" | "message"> => {
  switch (event.eventType) {
    case "FRIEND_REQUEST_SENT":
      return {
        userId: event.recipientId,
        type: "FRIEND_REQUEST_RECEIVED",
        priority: "medium",
        title: "New Friend Request",
        message: `${nameOf(event.requesterName, event.requesterId)} sent you a friend request`
      }
    case "FRIEND_REQUEST_ACCEPTED":
      return {
        userId: event.requesterId,
        type: "FRIEND_REQUEST_ACCEPTED",
        priority: "medium",
        title: "Friend Request Accepted",
        message: `${nameOf(event.recipientName, event.recipientId)} accepted your friend request!`
      }
    case "FRIEND_REQUEST_REJECTED":
      return {
        userId: event.requesterId,
        type: "FRIEND_REQUEST_REJECTED",
        priority: "low",
        title: "Friend Request Declined",
        message: "Your friend request was declined"
      }
  }
}

/** The table of R0. The event's own `notificationPriority` is data; the table's priority decides. */
export const toDrafts = (tenantId: TenantId, event: FriendRequestEvent): ReadonlyArray<Draft> => [
  {
    ...texts(event),
    tenantId,
    data: {
      friendshipId: event.friendshipId,
      friendshipStatus: event.friendshipStatus,
      requesterId: event.requesterId,
      requesterName: nameOf(event.requesterName, event.requesterId),
      requesterImage: event.requesterImage ?? null,
      recipientId: event.recipientId,
      recipientName: nameOf(event.recipientName, event.recipientId),
      recipientImage: event.recipientImage ?? null
    },
    dedupeKey: `friend-request:${event.eventId}`,
    source: topic
  }
]
