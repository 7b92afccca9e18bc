/**
 * The sessions of this node, and the outlet through which mailboxes reach them.
 */
import { Context, Layer } from "effect"
import { uuidV4Unsafe } from "effect/crypto/SecureRandom"
import { GatewayId } from "@beckon/domain/Identifiers"
import type { SessionId } from "@beckon/domain/Identifiers"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { FrameOutlet } from "../mailbox/FrameOutlet.ts"
import { GatewaySettings } from "./GatewaySettings.ts"
import * as Session from "./Session.ts"
import { Effect } from "effect"

export class Sessions extends Context.Service<
  Sessions,
  {
    readonly gatewayId: GatewayId
    readonly nextClientId: () => number
    readonly add: (session: Session.Session) => void
    readonly remove: (session: Session.Session) => void
    readonly byClientId: (clientId: number) => Session.Session | undefined
    readonly byId: (id: SessionId) => Session.Session | undefined
    readonly all: () => Iterable<Session.Session>
    readonly count: () => number
    /** What to do when a mailbox asks for a session to attach again. */
    readonly onReattach: (handler: (session: Session.Session) => void) => void
    readonly reattach: (session: Session.Session) => void
    /** What to do when a mailbox still writes to a session that is gone. */
    readonly onStray: (handler: (key: MailboxKey, id: SessionId) => void) => void
    readonly stray: (key: MailboxKey, id: SessionId) => void
  }
>()("@beckon/server/gateway/Sessions") {
  static readonly layer = Layer.sync(Sessions, () => {
    const byId = new Map<SessionId, Session.Session>()
    const byClientId = new Map<number, Session.Session>()
    let clientId = 0
    let reattach: (session: Session.Session) => void = () => {}
    let stray: (key: MailboxKey, id: SessionId) => void = () => {}
    return {
      gatewayId: GatewayId.make(uuidV4Unsafe()),
      nextClientId: () => (clientId += 1),
      add: (session) => {
        byId.set(session.id, session)
        byClientId.set(session.clientId, session)
      },
      remove: (session) => {
        byId.delete(session.id)
        byClientId.delete(session.clientId)
      },
      byClientId: (id) => byClientId.get(id),
      byId: (id) => byId.get(id),
      all: () => byId.values(),
      count: () => byId.size,
      onReattach: (handler) => void (reattach = handler),
      reattach: (session) => reattach(session),
      onStray: (handler) => void (stray = handler),
      stray: (key, id) => stray(key, id)
    }
  })
}

/** Within a node: mailboxes write straight to the sessions. */
export const layerOutletLocal = Layer.effect(
  FrameOutlet,
  Effect.gen(function* () {
    const sessions = yield* Sessions
    const settings = yield* GatewaySettings
    return {
      write: (key, _gatewayId, sessionId, frames) => {
        const session = sessions.byId(sessionId)
        if (session === undefined) sessions.stray(key, sessionId)
        else Session.writeLive(session, frames, settings)
      },
      reattach: (_gatewayId, sessionId) => {
        const session = sessions.byId(sessionId)
        if (session !== undefined) sessions.reattach(session)
      }
    }
  })
)
