/**
 * One live connection of one user, and what it has subscribed to.
 *
 * **Details**
 *
 * Frames of a subscription are written straight to the socket as chunks of effect/rpc's JSON protocol, past the RPC
 * server: the payload is encoded once in the mailbox, and only the request's id is put in front of it. `docs/architecture.md`
 * has the measured costs of both ways.
 */
import type { Fiber } from "effect"
import type { UwsSocket } from "@beckon/infra/uws/UwsWebSocket"
import * as CloseReason from "@beckon/domain/CloseReason"
import type { SessionId } from "@beckon/domain/Identifiers"
import type { Identity } from "@beckon/domain/Identity"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import type { Position } from "@beckon/domain/Position"
import type { OutFrame } from "../mailbox/FrameOutlet.ts"
import type { GatewaySettingsShape } from "./GatewaySettings.ts"
import type { Flows } from "./SocketLimits.ts"

export interface Subscription {
  readonly requestId: string | number
  /** The text before the frames of a chunk. */
  readonly chunkStart: string
  /** Where the client is; absent until a fresh start is complete. */
  position: Position | undefined
  /** Whether the client has its `CaughtUp`: a new attachment is then none of its business. */
  begun: boolean
  /** False while the past is being written; what comes meanwhile waits in `pending`. */
  live: boolean
  pending: Array<OutFrame>
  pendingBytes: number
  fiber: Fiber.Fiber<void> | undefined
  /** What its mailbox calls it now; another one with each attachment, so that what is late for an earlier one is known. */
  attachment: SessionId | undefined
  /** The node whose mailbox it is attached to. */
  owner: string | undefined
}

export interface Session {
  readonly id: SessionId
  /** The RPC server's number for this client. */
  readonly clientId: number
  readonly key: MailboxKey
  identity: Identity
  socket: UwsSocket<Session> | undefined
  subscription: Subscription | undefined
  /** What may still come from this socket. */
  readonly flows: Flows
  /** Chunks that a stock client may still acknowledge; those acknowledgements are no messages. */
  unacknowledgedChunks: number
  calls: number
  /** Called when the socket has taken what waited. */
  onDrain: (() => void) | undefined
}

export const makeSubscription = (requestId: string | number, position: Position | undefined): Subscription => ({
  requestId,
  chunkStart: `{"_tag":"Chunk","requestId":${JSON.stringify(requestId)},"values":[`,
  position,
  begun: false,
  live: false,
  pending: [],
  pendingBytes: 0,
  fiber: undefined,
  attachment: undefined,
  owner: undefined
})

/** Ends a session for a reason that the client understands. */
export const close = (session: Session, reason: CloseReason.CloseReason, detail?: string): void =>
  session.socket?.close(reason.code, detail === undefined ? reason.reason : `${reason.reason}: ${detail}`)

/** Sends one text frame, or ends the session when its client does not keep up. */
export const send = (session: Session, text: string, settings: GatewaySettingsShape): void => {
  const socket = session.socket
  if (socket === undefined) return
  if (socket.bufferedAmount() + text.length > settings.maxBufferedBytes && socket.bufferedAmount() > 0) {
    close(session, CloseReason.slowConsumer)
  } else {
    socket.send(text)
  }
}

/** Frames of one chunk, at most. */
const chunkFrames = 64

const sendChunks = (
  session: Session,
  subscription: Subscription,
  frames: ReadonlyArray<OutFrame>,
  settings: GatewaySettingsShape
) => {
  for (let from = 0; from < frames.length; from += chunkFrames) {
    let text = ""
    const to = Math.min(frames.length, from + chunkFrames)
    for (let index = from; index < to; index++) {
      const frame = frames[index]
      if (frame === undefined) continue
      if (subscription.position !== undefined) advance(subscription, subscription.position, frame)
      if (frame.json !== "") text += (text === "" ? subscription.chunkStart : ",") + frame.json
    }
    if (text === "") continue
    session.unacknowledgedChunks += 1
    send(session, text + "]}", settings)
  }
}

const advance = (subscription: Subscription, position: Position, frame: OutFrame) => {
  if (frame.seq !== undefined && frame.seq > position.seq) subscription.position = { ...position, seq: frame.seq }
  else if (frame.rev !== undefined) subscription.position = { ...position, rev: frame.rev }
}

const isNews = (subscription: Subscription, frame: OutFrame): boolean =>
  frame.seq === undefined || subscription.position === undefined || frame.seq > subscription.position.seq

/** Whether something that the client does not have lies between its position and these frames. */
const hasGap = ({ position }: Subscription, frames: ReadonlyArray<OutFrame>): boolean => {
  const seq = frames.find((frame) => frame.seq !== undefined)?.seq
  return seq !== undefined && position !== undefined && seq > position.seq + 1
}

/**
 * Writes frames of what is happening now. Those that the client has already, after a new attachment, are left out. False
 * when something is missing before them: nothing is written, and the session has to attach again.
 */
export const writeLive = (
  session: Session,
  frames: ReadonlyArray<OutFrame>,
  settings: GatewaySettingsShape
): boolean => {
  const subscription = session.subscription
  if (subscription === undefined) return true
  if (!subscription.live) {
    for (const frame of frames) {
      subscription.pending.push(frame)
      subscription.pendingBytes += frame.json.length
    }
    if (subscription.pendingBytes > settings.maxBufferedBytes) close(session, CloseReason.slowConsumer)
    return true
  }
  if (hasGap(subscription, frames)) return false
  const first = frames[0]
  if (first !== undefined && isNews(subscription, first)) sendChunks(session, subscription, frames, settings)
  else
    sendChunks(
      session,
      subscription,
      frames.filter((frame) => isNews(subscription, frame)),
      settings
    )
  return true
}

/** Writes frames of the past, or of the subscription itself. */
export const writeNow = (
  session: Session,
  subscription: Subscription,
  frames: ReadonlyArray<OutFrame>,
  settings: GatewaySettingsShape
): void => sendChunks(session, subscription, frames, settings)

/** The mailbox has forgotten the session; what waited comes again with the new attachment. */
export const suspend = (subscription: Subscription): void => {
  subscription.live = false
  subscription.pending = []
  subscription.pendingBytes = 0
}

/** From now on frames go straight to the socket; those that waited go first. False as with `writeLive`. */
export const goLive = (session: Session, subscription: Subscription, settings: GatewaySettingsShape): boolean => {
  const waiting = subscription.pending
  subscription.pending = []
  subscription.pendingBytes = 0
  subscription.live = true
  subscription.begun = true
  return waiting.length === 0 || writeLive(session, waiting, settings)
}
