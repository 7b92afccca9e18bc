/**
 * What the rest of the system asks of the partition that hosts a mailbox: the entity `MailboxPartition` of effect/cluster.
 */
import { Schema } from "effect"
import { ClusterSchema, Entity } from "effect/cluster"
import { Rpc } from "effect/rpc"
import { GatewayId, SessionId } from "@beckon/domain/Identifiers"
import { Change, Ids } from "@beckon/domain/InboxRpcs"
import { MailboxKey } from "@beckon/domain/MailboxKey"
import { Accepted, Draft } from "@beckon/domain/Notification"
import { Position, Sequence } from "@beckon/domain/Position"
import { Unavailable } from "@beckon/domain/Problem"

/** A frame with the position after it; see `FrameOutlet.OutFrame`. */
export const Frame = Schema.Struct({
  json: Schema.String,
  seq: Schema.optionalKey(Sequence),
  rev: Schema.optionalKey(Sequence)
})

/** Drafts of users of this partition. Answers, in order, when all are saved. */
export const Deliver = Rpc.make("Deliver", {
  payload: { drafts: Schema.Array(Draft) },
  success: Schema.Array(Accepted),
  error: Unavailable
})

/**
 * A session asks for what it missed and to be told of what comes. When `more` is true it is not registered yet: it asks
 * again, from the position of the last frame, once its socket has taken these.
 */
export const Attach = Rpc.make("Attach", {
  payload: {
    key: MailboxKey,
    gatewayId: GatewayId,
    sessionId: SessionId,
    position: Schema.optionalKey(Position)
  },
  success: Schema.Struct({
    recovered: Schema.Boolean,
    head: Position,
    unread: Sequence,
    frames: Schema.Array(Frame),
    more: Schema.Boolean,
    /** The node of the mailbox, from which frames will come. */
    node: Schema.String
  }),
  error: Unavailable
})
export type AttachReply = (typeof Attach)["successSchema"]["Type"]

export const Detach = Rpc.make("Detach", { payload: { key: MailboxKey, sessionId: SessionId } })

export const Acknowledge = Rpc.make("Acknowledge", {
  payload: { positions: Schema.Array(Schema.Struct({ key: MailboxKey, position: Position })) }
})

export const StateRequest = Schema.Union([
  Schema.TaggedStruct("SetRead", { ids: Ids, read: Schema.Boolean }),
  Schema.TaggedStruct("SetAllRead", {}),
  Schema.TaggedStruct("Remove", { ids: Ids }),
  /** Throws away a part of what is not after `uptoSeq`; `changed` says how much, 0 when nothing is left. */
  Schema.TaggedStruct("Trim", { uptoSeq: Sequence }),
  /** Throws everything away, and begins anew. */
  Schema.TaggedStruct("Erase", {})
])
export type StateRequest = typeof StateRequest.Type

export const ChangeState = Rpc.make("ChangeState", {
  payload: { key: MailboxKey, request: StateRequest },
  success: Change,
  error: Unavailable
})

export const MailboxPartition = Entity.make("MailboxPartition", [
  Deliver,
  Attach,
  Detach,
  Acknowledge,
  ChangeState
]).annotateRpcs(ClusterSchema.InterruptOnTermination, true)
