/**
 * The way from a mailbox to the gateways that hold its user's sockets.
 *
 * **Gotchas**
 *
 * `write` is called in the mailbox's own step and must not wait: order on the wire is the order of the calls. A gateway
 * that is gone loses the frames; its clients come back with their positions.
 */
import { Context } from "effect"
import type { Effect } from "effect"
import type { GatewayId, SessionId } from "@beckon/domain/Identifiers"
import type { MailboxKey } from "@beckon/domain/MailboxKey"

/** A frame, encoded once, with the position that a client has after it. */
export interface OutFrame {
  /** Empty for a number that clients are not told of: their position moves on. */
  readonly json: string
  /** Absent on frames that do not move the position in this direction. */
  readonly seq?: number
  readonly rev?: number
}

export class FrameOutlet extends Context.Service<
  FrameOutlet,
  {
    /** Opens the way to a gateway, before a session of it is registered. */
    readonly prepare: (gatewayId: GatewayId) => Effect.Effect<void>
    readonly write: (
      key: MailboxKey,
      gatewayId: GatewayId,
      sessionId: SessionId,
      frames: ReadonlyArray<OutFrame>
    ) => void
    /** Tells a gateway that its session is no longer registered: it attaches it again from its position. */
    readonly reattach: (gatewayId: GatewayId, sessionId: SessionId) => void
  }
>()("@beckon/server/mailbox/FrameOutlet") {}
