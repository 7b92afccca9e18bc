/**
 * What one node's mailboxes send to another node's sockets: one stream for each pair of nodes.
 *
 * **Details**
 *
 * The gateway opens the stream to the node that hosts its users' mailboxes; it is a plain RPC stream beside effect/cluster,
 * because a chunk of a cluster stream costs 250–300 µs. When the stream ends, for whatever reason, the gateway attaches the
 * sessions of that node again from their positions.
 */
import { Schema } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { GatewayId, SessionId } from "@beckon/domain/Identifiers"
import { Frame } from "../mailbox/MailboxProtocol.ts"

/** Frames for a session, or (without any) word that its mailbox has gone and it has to attach again. */
export const Parcel = Schema.Struct({ sessionId: SessionId, frames: Schema.Array(Frame) })
export type Parcel = typeof Parcel.Type

/** Everything for this gateway, in order, from now on. A later call of the same gateway ends the earlier stream. */
export const Frames = Rpc.make("Frames", {
  payload: { gatewayId: GatewayId },
  success: Parcel,
  stream: true
})

export class FrameRpcs extends RpcGroup.make(Frames) {}
