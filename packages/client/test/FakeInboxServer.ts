/**
 * A server that speaks the socket's wire protocol for one user, without a network: what it keeps is a list, what carries it
 * is given (`InMemoryWebSocket`, or a real socket in `RealSocket.test.ts`).
 */

export interface Carrier {
  readonly send: (text: string) => void
  readonly close: (code: number, reason: string) => void
}

export interface Received {
  readonly session: Session
  readonly id: number
  readonly tag: string
  readonly payload: Record<string, unknown>
}

export interface Session {
  readonly token: string
  readonly receive: (text: string) => void
  /** The peer is gone. */
  readonly gone: () => void
  /** Sends frames of the subscription as one chunk. */
  readonly frames: (...frames: ReadonlyArray<unknown>) => void
  readonly raw: (text: string) => void
  readonly close: (code: number, reason: string) => void
}

interface Stored {
  readonly id: string
  readonly seq: number
  readonly [field: string]: unknown
}

const success = (value: unknown) => ({ _tag: "Success", value })

export const dies = (defect: unknown) => ({ _tag: "Failure", cause: [{ _tag: "Die", defect }] })

export const fails = (error: unknown) => ({ _tag: "Failure", cause: [{ _tag: "Fail", error }] })

/** An unsigned JWT that expires at `exp` seconds; `n` tells tokens apart. */
export const jwt = (exp: number, n = 0) => `h.${Buffer.from(JSON.stringify({ exp, n })).toString("base64url")}.s`

export class FakeInboxServer {
  epoch = "e1"
  readonly stored: Array<Stored> = []
  rev = 0
  /** Positions below it cannot be recovered. */
  floor = 0
  /** Tokens that are refused; the value is the status of the refusal. */
  readonly refused = new Map<string, number>()
  /** Whether the network is down: connects fail and probes get no answer. */
  isDown = false
  answersPings = true
  /** Asked before each message goes out; true cuts the link instead. */
  cuts: () => boolean = () => false
  /** What a call answers, by tag; `undefined` leaves it unanswered. */
  readonly answers: Record<string, (call: Received) => unknown> = {
    UnreadCount: () => success({ unread: this.stored.length }),
    Acknowledge: () => success(null),
    RefreshToken: () => success({ expiresAt: "2030-01-01T00:00:00.000Z" })
  }
  readonly log: Array<Received> = []
  readonly onCall = new Set<(call: Received) => void>()
  readonly sessions = new Set<Session>()
  connects = 0
  probes = 0

  notification(fields: Record<string, unknown> = {}): Stored {
    const seq = this.stored.length + 1
    return {
      id: `n${seq}`,
      seq,
      type: "order_created",
      title: `Title ${seq}`,
      message: "",
      priority: "high",
      createdAt: "2026-01-01T00:00:00.000Z",
      readAt: null,
      ...fields
    }
  }

  /** Saves a notification and tells every subscriber. */
  push(fields: Record<string, unknown> = {}): void {
    const notification = this.notification(fields)
    this.stored.push(notification)
    for (const session of this.sessions) session.frames(this.frameOf(notification))
  }

  changed(ids: ReadonlyArray<string>): void {
    this.rev += 1
    const changes = ids.map((id) => ({ id, seq: Number(id.slice(1)), readAt: null, deleted: true }))
    for (const session of this.sessions) session.frames({ _tag: "Changed", rev: this.rev, unread: 0, changes })
  }

  frameOf(notification: Stored) {
    return { _tag: "Notification", notification, unread: notification.seq }
  }

  get head() {
    return { epoch: this.epoch, seq: this.stored.length, rev: this.rev }
  }

  connect(carrier: Carrier, token: string): Session {
    this.connects += 1
    let subscription: number | undefined
    let isOpen = true
    const gone = () => {
      isOpen = false
      this.sessions.delete(session)
    }
    const write = (message: unknown) => {
      if (!isOpen) return
      if (this.cuts()) return session.close(1006, "cut")
      carrier.send(JSON.stringify(message))
    }
    const subscribe = (id: number, position: Record<string, unknown> | undefined) => {
      subscription = id
      this.sessions.add(session)
      const seq = Number(position?.["seq"] ?? 0)
      const recovered = position?.["epoch"] === this.epoch && seq >= this.floor
      session.frames({ _tag: "Subscribed", recovered, head: this.head, unread: this.stored.length })
      for (const notification of this.stored) {
        if (notification.seq > (recovered ? seq : this.floor)) session.frames(this.frameOf(notification))
      }
      session.frames({ _tag: "CaughtUp", position: this.head })
    }
    const onRequest = (call: Received) => {
      this.log.push(call)
      for (const listener of this.onCall) listener(call)
      if (call.tag === "Subscribe" && this.answers["Subscribe"] === undefined) {
        return subscribe(call.id, call.payload["position"] as Record<string, unknown> | undefined)
      }
      const exit = this.answers[call.tag]?.(call)
      // Arrays are part of the protocol, and so is an id that comes back as text.
      if (exit !== undefined) write([{ _tag: "Exit", requestId: String(call.id), exit }])
    }
    const session: Session = {
      token,
      receive: (text) => {
        const decoded = JSON.parse(text)
        for (const message of Array.isArray(decoded) ? decoded : [decoded]) {
          if (message._tag === "Ping" && this.answersPings) write({ _tag: "Pong" })
          if (message._tag === "Request") {
            onRequest({ session, id: message.id, tag: message.tag, payload: message.payload ?? {} })
          }
        }
      },
      gone,
      frames: (...values) => {
        if (subscription !== undefined) write({ _tag: "Chunk", requestId: subscription, values })
      },
      raw: (text) => carrier.send(text),
      close: (code, reason) => {
        gone()
        carrier.close(code, reason)
      }
    }
    return session
  }

  /** Answers the probe. */
  readonly fetch: typeof globalThis.fetch = (_url, init) => {
    this.probes += 1
    if (this.isDown) return Promise.reject(new TypeError("fetch failed"))
    const token = new Headers(init?.headers).get("authorization")?.slice("Bearer ".length) ?? ""
    const status = this.refused.get(token) ?? 426
    return Promise.resolve(Response.json({ status, title: "no", detail: `refused with ${status}` }, { status }))
  }

  /** The session that came last. */
  get session(): Session {
    const last = [...this.sessions].at(-1)
    if (last === undefined) throw new Error("nobody is subscribed")
    return last
  }
}
