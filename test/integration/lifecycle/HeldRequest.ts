/**
 * A request whose last bytes the test keeps back: in flight for as long as it wants.
 */
import { Deferred, Effect } from "effect"
import type { Scope } from "effect"
import { connect } from "node:net"

export interface HeldRequest {
  /** Sends the rest. */
  readonly finish: Effect.Effect<void>
  /** Everything that came until the server closed the connection. */
  readonly answer: Effect.Effect<string>
}

/** Sends the head and a part of the body; when it returns, the server has begun to work on the request. */
export const held = (options: {
  readonly port: number
  readonly path: string
  readonly token: string
  readonly body: unknown
}): Effect.Effect<HeldRequest, never, Scope.Scope> =>
  Effect.gen(function* () {
    const closed = yield* Deferred.make<string>()
    const sent = yield* Deferred.make<void>()
    const body = JSON.stringify(options.body)
    let received = ""
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const made = connect(options.port, "127.0.0.1")
        made.setEncoding("utf8")
        made.on("data", (text: string) => {
          received += text
        })
        made.on("error", () => {})
        made.on("close", () => Deferred.doneUnsafe(closed, Effect.succeed(received)))
        return made
      }),
      (made) => Effect.sync(() => made.destroy())
    )
    socket.write(
      [
        `POST ${options.path} HTTP/1.1`,
        "Host: 127.0.0.1",
        `Authorization: Bearer ${options.token}`,
        "Content-Type: application/json",
        `Content-Length: ${Buffer.byteLength(body)}`,
        "",
        body.slice(0, 5)
      ].join("\r\n"),
      () => Deferred.doneUnsafe(sent, Effect.void)
    )
    yield* Deferred.await(sent)
    // One loop of the server reads its connections in turn: when a later one is answered, this one was read.
    yield* Effect.promise(() => fetch(`http://127.0.0.1:${options.port}/health/live`).then((answer) => answer.text()))
    return {
      finish: Effect.sync(() => void socket.write(body.slice(5))),
      answer: Deferred.await(closed)
    }
  })
