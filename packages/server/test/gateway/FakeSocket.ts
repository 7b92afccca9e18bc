/**
 * A socket whose reader is the test: `read` takes what waits, and until then it counts as buffered.
 */
import { Schema } from "effect"
import { SessionId, TenantId, UserId } from "@beckon/domain/Identifiers"
import { InboxFrame } from "@beckon/domain/InboxFrame"
import { UwsSocket } from "@beckon/infra/uws/UwsWebSocket"
import { makeFlows } from "../../src/gateway/SocketLimits.ts"
import type { Session } from "../../src/gateway/Session.ts"

const Chunk = Schema.fromJsonString(
  Schema.Struct({ _tag: Schema.Literal("Chunk"), requestId: Schema.Unknown, values: Schema.Array(InboxFrame) })
)
const decodeChunk = Schema.decodeUnknownSync(Chunk)

export class FakeSocket extends UwsSocket<Session> {
  closedWith: { readonly code: number; readonly reason: string } | undefined
  /** True: the reader is as fast as the writer. */
  isFast = true
  private readonly sent: Array<string> = []
  private waiting = 0

  override send(text: string): number {
    if (this.closedWith !== undefined) return 2
    this.sent.push(text)
    if (!this.isFast) this.waiting += text.length
    return this.isFast ? 1 : 0
  }

  override bufferedAmount(): number {
    return this.waiting
  }

  override close(code: number, reason = ""): void {
    if (this.closedWith !== undefined) return
    this.closedWith = { code, reason }
    // As the gateway does.
    this.data.socket = undefined
    this.data.onDrain?.()
    this.data.subscription = undefined
  }

  /** The reader takes everything that waits. */
  drain(): void {
    this.waiting = 0
    this.data.onDrain?.()
  }

  get texts(): ReadonlyArray<string> {
    return this.sent
  }

  get frames(): ReadonlyArray<InboxFrame> {
    return this.sent.flatMap((text) => decodeChunk(text).values)
  }
}

export const makeSession = (): { readonly session: Session; readonly socket: FakeSocket } => {
  const key = { tenantId: TenantId.make("acme"), userId: UserId.make("ada") }
  const session: Session = {
    id: SessionId.make("session"),
    clientId: 1,
    key,
    identity: { ...key, roles: ["user"], expiresAt: 2 ** 45 },
    socket: undefined,
    subscription: undefined,
    flows: makeFlows({ messages: undefined, bytes: undefined }, 0),
    unacknowledgedChunks: 0,
    calls: 0,
    onDrain: undefined
  }
  const socket = new FakeSocket(session, "127.0.0.1")
  session.socket = socket
  return { session, socket }
}
