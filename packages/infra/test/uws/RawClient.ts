import { connect, type Socket } from "node:net"
import { Effect, type Scope } from "effect"

/** A TCP connection whose bytes are written and read as Latin-1 text. */
export interface RawClient {
  readonly socket: Socket
  readonly write: (text: string | Uint8Array) => void
  /** Everything received, once it satisfies `ready` or the connection is closed. */
  readonly until: (ready: (received: string) => boolean) => Effect.Effect<string>
  /** Everything received until the server closes. */
  readonly closed: Effect.Effect<string>
}

export const rawClient = (port: number): Effect.Effect<RawClient, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<RawClient>((resume) => {
      let received = ""
      let ended = false
      let listeners: Array<() => void> = []
      const notify = () => {
        for (const listener of listeners.slice()) listener()
      }
      const socket = connect(port, "127.0.0.1", () => resume(Effect.succeed(client)))
      socket.setEncoding("latin1")
      socket.on("data", (data: string) => {
        received += data
        notify()
      })
      socket.on("error", () => {})
      socket.on("close", () => {
        ended = true
        notify()
      })
      const until = (ready: (received: string) => boolean) =>
        Effect.callback<string>((resume) => {
          const check = () => {
            if (!ended && !ready(received)) return
            listeners = listeners.filter((listener) => listener !== check)
            resume(Effect.succeed(received))
          }
          listeners.push(check)
          check()
        })
      const client: RawClient = {
        socket,
        write: (text) => void socket.write(typeof text === "string" ? Buffer.from(text, "latin1") : text),
        until,
        closed: until(() => false)
      }
    }),
    (client) => Effect.sync(() => void client.socket.destroy())
  )

/** Sends `text` and gives what comes back until `ready` or the end of the connection. */
export const rawExchange = (
  port: number,
  text: string,
  ready: (received: string) => boolean = () => false
): Effect.Effect<string> =>
  Effect.scoped(
    Effect.gen(function* () {
      const client = yield* rawClient(port)
      client.write(text)
      return yield* client.until(ready)
    })
  )

export const requestHead = (line: string, headers: ReadonlyArray<string> = []): string =>
  [`${line} HTTP/1.1`, "Host: test", ...headers, "", ""].join("\r\n")
