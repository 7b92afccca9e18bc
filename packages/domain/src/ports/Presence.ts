/**
 * Who is online: which sessions a user has, on which gateway, since when.
 *
 * **Details**
 *
 * A session counts while it was put online, was not put offline, and its gateway has been heard of within `presenceTimeToLive`.
 * So presence is right at once after a clean close, and a time to live after a gateway was killed.
 *
 * **Gotchas**
 *
 * A gateway gives its first heartbeat before its first session. When a heartbeat answers `false`, the gateway was not known (it
 * is new, or what it said was lost): it puts all its sessions online again.
 */
import { Context, Duration, Schema } from "effect"
import type { Effect } from "effect"
import type { GatewayId, SessionId } from "../Identifiers.ts"
import type { MailboxKey } from "../MailboxKey.ts"

/** How often a gateway is to give a heartbeat. */
export const heartbeatInterval = Duration.seconds(5)

/** A gateway that was silent for so long is gone, with its sessions. */
export const presenceTimeToLive = Duration.seconds(15)

export interface PresentSession {
  readonly gatewayId: GatewayId
  readonly sessionId: SessionId
  /** Since when; milliseconds since 1970. */
  readonly at: number
}

/** Nobody can say who is online, or be told. */
export class PresenceUnavailable extends Schema.TaggedError<PresenceUnavailable>()("PresenceUnavailable", {
  cause: Schema.Defect()
}) {
  override get message() {
    return "Presence is not available"
  }
}

export class Presence extends Context.Service<
  Presence,
  {
    readonly online: (
      key: MailboxKey,
      gatewayId: GatewayId,
      sessionId: SessionId,
      at: number
    ) => Effect.Effect<void, PresenceUnavailable>
    readonly offline: (
      key: MailboxKey,
      gatewayId: GatewayId,
      sessionId: SessionId
    ) => Effect.Effect<void, PresenceUnavailable>
    /** The gateway lives. Answers whether it was known; if not, see above. */
    readonly heartbeat: (gatewayId: GatewayId) => Effect.Effect<boolean, PresenceUnavailable>
    /** The gateway closes: all its sessions are offline at once. */
    readonly leave: (gatewayId: GatewayId) => Effect.Effect<void, PresenceUnavailable>
    /** Whether each user has a session; in the order of the keys. */
    readonly isOnline: (keys: ReadonlyArray<MailboxKey>) => Effect.Effect<ReadonlyArray<boolean>, PresenceUnavailable>
    /** The sessions of a user, the oldest first. */
    readonly sessionsOf: (key: MailboxKey) => Effect.Effect<ReadonlyArray<PresentSession>, PresenceUnavailable>
  }
>()("@beckon/domain/ports/Presence") {}
