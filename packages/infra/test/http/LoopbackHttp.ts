/**
 * An HTTP server on loopback that answers as it is told and misbehaves on purpose.
 */
import { Deferred, Effect } from "effect"
import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"

export interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage["headers"]
  readonly body: string
}

/** One way to answer. */
export type Reply = (response: ServerResponse) => void

export const json =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Reply =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers })
    response.end(JSON.stringify(body))
  }

export const text =
  (status: number, body: string, headers: Readonly<Record<string, string>> = {}): Reply =>
  (response) => {
    response.writeHead(status, headers)
    response.end(body)
  }

export const hang: Reply = () => undefined

export const reset: Reply = (response) => void response.socket?.resetAndDestroy()

/** The head and half of the body it promises, then the connection breaks. */
export const half: Reply = (response) => {
  response.writeHead(202, { "content-type": "application/json", "content-length": "100" })
  response.write('{"sid": "SM', () => response.socket?.destroy())
}

/** The head and half of the body it promises, then nothing. */
export const stuck: Reply = (response) => {
  response.writeHead(201, { "content-length": "100" })
  response.write('{"sid": "SM')
}

/** A byte now and then, for ever: a silence timeout never ends it. */
export const drip: Reply = (response) => {
  response.writeHead(200)
  const timer = setInterval(() => response.write(" "), 20)
  response.on("close", () => clearInterval(timer))
}

/** More than anybody should read. */
export const flood: Reply = (response) => {
  response.writeHead(200)
  const chunk = "x".repeat(65_536)
  const pour = () => {
    while (!response.destroyed && response.write(chunk)) continue
  }
  response.on("drain", pour)
  pour()
}

export const start = Effect.gen(function* () {
  const seen: Array<Seen> = []
  const replies: Array<Reply> = []
  const sockets = new Set<Socket>()
  let opened = 0
  let quiet = Deferred.makeUnsafe<void>()
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("error", () => undefined)
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const { headers, method = "", url = "" } = request
      seen.push({ method, path: url, headers, body: Buffer.concat(chunks).toString("utf8") })
      const reply = replies.shift() ?? text(599, "nothing was prepared")
      reply(response)
    })
  })
  server.on("connection", (socket: Socket) => {
    opened += 1
    sockets.add(socket)
    if (sockets.size === 1) quiet = Deferred.makeUnsafe()
    socket.on("error", () => undefined)
    socket.on("close", () => {
      sockets.delete(socket)
      if (sockets.size === 0) Deferred.doneUnsafe(quiet, Effect.void)
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    /** Requests, in the order in which they came. */
    seen,
    /** Connections that were ever opened. */
    opened: () => opened,
    /** One reply for each of the next requests. */
    prepare: (...next: ReadonlyArray<Reply>) => void replies.push(...next),
    /** Succeeds when no connection is open. */
    quiet: Effect.suspend(() => (sockets.size === 0 ? Effect.void : Deferred.await(quiet)))
  }
})
