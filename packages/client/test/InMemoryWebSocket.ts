/**
 * A WebSocket whose other end is a `FakeInboxServer` in the same process. Events come as microtasks, so no time passes.
 */
import type { WebSocketConstructor, WebSocketLike } from "../src/Link.ts"
import type { FakeInboxServer, Session } from "./FakeInboxServer.ts"

interface Events {
  readonly data?: unknown
  readonly code?: number
  readonly reason?: string
}

export const inMemoryWebSocket = (server: FakeInboxServer): WebSocketConstructor =>
  class implements WebSocketLike {
    readonly listeners = new Map<string, Array<(event: never) => void>>()
    session: Session | undefined
    isClosed = false

    constructor(_url: string, protocols: Array<string>) {
      const token = protocols[1]?.slice("bearer.".length) ?? ""
      queueMicrotask(() => {
        if (this.isClosed) return
        if (server.isDown || server.refused.has(token)) return this.finish(1006, "")
        this.session = server.connect(
          {
            send: (text) => queueMicrotask(() => this.emit("message", { data: text })),
            close: (code, reason) => queueMicrotask(() => this.finish(code, reason))
          },
          token
        )
        this.emit("open", {})
      })
    }
    addEventListener(type: string, listener: (event: never) => void) {
      this.listeners.set(type, [...(this.listeners.get(type) ?? []), listener])
    }
    send(data: string) {
      if (this.isClosed) return
      queueMicrotask(() => this.session?.receive(data))
    }
    close(code = 1000, reason = "") {
      this.session?.gone()
      queueMicrotask(() => this.finish(code, reason))
    }
    emit(type: string, event: Events) {
      if (this.isClosed) return
      for (const listener of this.listeners.get(type) ?? []) (listener as (event: Events) => void)(event)
    }
    finish(code: number, reason: string) {
      this.session?.gone()
      this.emit("close", { code, reason })
      this.isClosed = true
    }
  }
