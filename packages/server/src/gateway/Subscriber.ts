/**
 * Brings a subscription from where its client is to now, and keeps it there when its mailbox moves or starts again.
 *
 * **Details**
 *
 * The past comes from the mailbox in pages, and the next page is asked for when the socket has taken the last one, so a
 * client that was away for long costs a page of memory, not its whole history.
 */
import { Effect, Schedule } from "effect"
import * as CloseReason from "@beckon/domain/CloseReason"
import type { GatewayId, SessionId } from "@beckon/domain/Identifiers"
import * as InboxFrame from "@beckon/domain/InboxFrame"
import type { Position } from "@beckon/domain/Position"
import type { Unavailable } from "@beckon/domain/Problem"
import type { OutFrame } from "../mailbox/FrameOutlet.ts"
import type { Mailboxes } from "../mailbox/Mailboxes.ts"
import type { AttachReply } from "../mailbox/MailboxProtocol.ts"
import type { GatewaySettingsShape } from "./GatewaySettings.ts"
import * as Session from "./Session.ts"

export interface Subscriber {
  /** Answers when the subscription is live. */
  readonly begin: (session: Session.Session, subscription: Session.Subscription) => Effect.Effect<void, Unavailable>
  /** The same for a subscription that was live: its client notices nothing, or a fresh `Subscribed` when it must. */
  readonly again: (session: Session.Session, subscription: Session.Subscription) => Effect.Effect<void>
}

/** What the gateway keeps of attachments. */
export interface Attachments {
  /** A new name for the subscription at its mailbox; the earlier one is forgotten. */
  readonly next: (session: Session.Session, subscription: Session.Subscription) => SessionId
  /** The subscription is attached to a mailbox on this node. */
  readonly ownedBy: (subscription: Session.Subscription, node: string) => void
}

/** The partition has a new node soon; the waits stay short, so that the session is attached soon after that. */
const attachAgain = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("1 second")]).pipe(
  Schedule.jittered,
  Schedule.upTo({ duration: "30 seconds" })
)

export const make = (
  gatewayId: GatewayId,
  mailboxes: Mailboxes["Service"],
  settings: GatewaySettingsShape,
  attachments: Attachments
): Subscriber => {
  const untilDrained = (session: Session.Session): Effect.Effect<void> =>
    Effect.suspend(() =>
      session.socket === undefined || session.socket.bufferedAmount() < settings.pacedBytes
        ? Effect.void
        : Effect.callback<void>((resume) => {
            const onDrain = () => {
              if (session.socket === undefined || session.socket.bufferedAmount() < settings.pacedBytes) {
                session.onDrain = undefined
                resume(Effect.void)
              }
            }
            session.onDrain = onDrain
            return Effect.sync(() => {
              if (session.onDrain === onDrain) session.onDrain = undefined
            })
          })
    )

  /** Writes a page in pieces of about `pacedBytes`, waiting for the socket after each. */
  const paced = Effect.fnUntraced(function* (
    session: Session.Session,
    subscription: Session.Subscription,
    frames: ReadonlyArray<OutFrame>
  ) {
    let piece: Array<OutFrame> = []
    let bytes = 0
    for (const frame of frames) {
      piece.push(frame)
      bytes += frame.json.length
      if (bytes < settings.pacedBytes) continue
      Session.writeNow(session, subscription, piece, settings)
      piece = []
      bytes = 0
      yield* untilDrained(session)
    }
    if (piece.length > 0) Session.writeNow(session, subscription, piece, settings)
    yield* untilDrained(session)
  })

  const announce = (session: Session.Session, subscription: Session.Subscription, reply: AttachReply) => {
    const { head, recovered, unread } = reply
    if (!recovered) subscription.position = undefined
    const json = InboxFrame.encode({ _tag: "Subscribed", recovered, head, unread })
    Session.writeNow(session, subscription, [{ json }], settings)
  }

  const catchUp = Effect.fnUntraced(function* (
    session: Session.Session,
    subscription: Session.Subscription,
    announced: boolean
  ) {
    let told = announced
    let position: Position | undefined = subscription.position
    const sessionId = attachments.next(session, subscription)
    while (true) {
      const reply: AttachReply = yield* mailboxes.attach({
        key: session.key,
        gatewayId,
        sessionId,
        ...(position === undefined ? {} : { position })
      })
      attachments.ownedBy(subscription, reply.node)
      if (!told || !reply.recovered) announce(session, subscription, reply)
      const quiet = told && reply.recovered && !reply.more
      told = true
      yield* paced(session, subscription, reply.frames)
      if (reply.more) {
        position = subscription.position
        continue
      }
      subscription.position = reply.head
      if (!quiet || !announced) {
        const json = InboxFrame.encode({ _tag: "CaughtUp", position: reply.head })
        Session.writeNow(session, subscription, [{ json }], settings)
      }
      if (Session.goLive(session, subscription, settings)) return
      // What waited does not follow on what was read: read again.
      Session.suspend(subscription)
      position = subscription.position
    }
  })

  return {
    begin: (session, subscription) => catchUp(session, subscription, false),
    again: (session, subscription) =>
      Effect.suspend(() =>
        catchUp(session, subscription, subscription.begun && subscription.position !== undefined)
      ).pipe(
        Effect.retry(attachAgain),
        Effect.catch(() => Effect.sync(() => Session.close(session, CloseReason.mailboxMoved)))
      )
  }
}
