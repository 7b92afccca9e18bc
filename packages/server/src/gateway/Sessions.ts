/**
 * The sessions of this node, and the outlet through which mailboxes reach them.
 */
import { Context, Effect, Layer } from "effect"
import { uuidV4Unsafe } from "effect/crypto/SecureRandom"
import { GatewayId, SessionId } from "@beckon/domain/Identifiers"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { FrameOutlet } from "../mailbox/FrameOutlet.ts"
import { GatewaySettings } from "./GatewaySettings.ts"
import * as Session from "./Session.ts"
import type { Attachments } from "./Subscriber.ts"

export class Sessions extends Context.Service<
  Sessions,
  {
    readonly gatewayId: GatewayId
    readonly nextClientId: () => number
    readonly add: (session: Session.Session) => void
    readonly remove: (session: Session.Session) => void
    /** What to do when a socket has gone; one handler. */
    readonly onGone: (handler: (session: Session.Session) => void) => void
    readonly byClientId: (clientId: number) => Session.Session | undefined
    /** The session that a mailbox knows by this name, unless it has another one now. */
    readonly byAttachment: (attachment: SessionId) => Session.Session | undefined
    readonly attachments: Attachments
    /** The subscription has ended. */
    readonly forget: (subscription: Session.Subscription) => void
    /** What to do when a session is attached to a mailbox of this node. */
    readonly onOwned: (handler: (node: string) => void) => void
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
    const all = new Set<Session.Session>()
    const byAttachment = new Map<SessionId, Session.Session>()
    const byClientId = new Map<number, Session.Session>()
    let clientId = 0
    let attachments = 0
    let gone: (session: Session.Session) => void = () => {}
    let owned: (node: string) => void = () => {}
    let reattach: (session: Session.Session) => void = () => {}
    let stray: (key: MailboxKey, id: SessionId) => void = () => {}
    return {
      gatewayId: GatewayId.make(uuidV4Unsafe()),
      nextClientId: () => (clientId += 1),
      add: (session) => {
        all.add(session)
        byClientId.set(session.clientId, session)
      },
      remove: (session) => {
        all.delete(session)
        const attachment = session.subscription?.attachment
        if (attachment !== undefined) byAttachment.delete(attachment)
        byClientId.delete(session.clientId)
        gone(session)
      },
      onGone: (handler) => void (gone = handler),
      byClientId: (id) => byClientId.get(id),
      byAttachment: (attachment) => byAttachment.get(attachment),
      attachments: {
        next: (session, subscription) => {
          if (subscription.attachment !== undefined) byAttachment.delete(subscription.attachment)
          attachments += 1
          const name = SessionId.make(`${session.id}.${attachments}`, { disableChecks: true })
          subscription.attachment = name
          if (all.has(session)) byAttachment.set(name, session)
          return name
        },
        ownedBy: (subscription, node) => {
          subscription.owner = node
          owned(node)
        }
      },
      forget: ({ attachment }) => {
        if (attachment !== undefined) byAttachment.delete(attachment)
      },
      onOwned: (handler) => void (owned = handler),
      all: () => all,
      count: () => all.size,
      onReattach: (handler) => void (reattach = handler),
      reattach: (session) => reattach(session),
      onStray: (handler) => void (stray = handler),
      stray: (key, id) => stray(key, id)
    }
  })
}

/** Mailboxes of this node write straight to its sessions. */
export const makeLocalOutlet = (
  sessions: Sessions["Service"],
  settings: GatewaySettings["Service"]
): FrameOutlet["Service"] => ({
  prepare: () => Effect.void,
  write: (key, _gatewayId, sessionId, frames) => {
    const session = sessions.byAttachment(sessionId)
    if (session === undefined) sessions.stray(key, sessionId)
    else if (!Session.writeLive(session, frames, settings)) sessions.reattach(session)
  },
  reattach: (_gatewayId, sessionId) => {
    const session = sessions.byAttachment(sessionId)
    if (session !== undefined) sessions.reattach(session)
  }
})

/** One node: there is no other way. */
export const layerOutletLocal = Layer.effect(
  FrameOutlet,
  Effect.gen(function* () {
    return makeLocalOutlet(yield* Sessions, yield* GatewaySettings)
  })
)
