/**
 * An HTTPS server on loopback that says it is the hosts it is asked for, and misbehaves on purpose.
 */
import { Effect } from "effect"
import { createServer } from "node:https"
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { generate } from "selfsigned"

export type Handler = (request: IncomingMessage, body: Buffer, response: ServerResponse) => void

/** One way to answer. */
export type Reply = (response: ServerResponse) => void

export const json =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Reply =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json; charset=UTF-8", ...headers })
    response.end(JSON.stringify(body))
  }

export const text =
  (status: number, body: string, headers: Readonly<Record<string, string>> = {}): Reply =>
  (response) => {
    response.writeHead(status, headers)
    response.end(body)
  }

export const hang: Reply = () => undefined

/** By port of the client: a TLS socket cannot send RST, the one below it can. */
const plain = new Map<number, Socket>()

export const reset: Reply = (response) => void plain.get(response.socket?.remotePort ?? 0)?.resetAndDestroy()

/** The head and half of the body it promises, then the connection breaks. */
export const half: Reply = (response) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": "100" })
  response.write('{"name": "projects/', () => response.socket?.destroy())
}

/** A byte now and then, for ever: a silence timeout never ends it. */
export const drip: Reply = (response) => {
  response.writeHead(200, { "content-type": "application/json" })
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

export interface Loopback {
  readonly port: number
  /** PEM of the certificate, which is its own authority. */
  readonly ca: string
  /** Connections that are open now. */
  readonly sockets: ReadonlySet<Socket>
  /** Connections that were ever opened. */
  readonly opened: () => number
  /** Succeeds when no connection is open. */
  readonly quiet: Effect.Effect<void>
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port

export const start = Effect.fnUntraced(function* (hosts: ReadonlyArray<string>, handler: Handler) {
  const { cert, private: key } = yield* Effect.promise(() =>
    generate([{ name: "commonName", value: hosts[0] ?? "localhost" }], {
      algorithm: "sha256",
      extensions: [
        { name: "basicConstraints", cA: true },
        { name: "subjectAltName", altNames: hosts.map((value) => ({ type: 2 as const, value })) }
      ]
    })
  )
  const sockets = new Set<Socket>()
  const waiting = new Set<() => void>()
  let opened = 0
  const server = createServer({ cert, key }, (request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("error", () => undefined)
    request.on("end", () => handler(request, Buffer.concat(chunks), response))
  })
  server.on("connection", (socket: Socket) => {
    opened += 1
    sockets.add(socket)
    const port = socket.remotePort ?? 0
    plain.set(port, socket)
    socket.on("error", () => undefined)
    socket.on("close", () => {
      sockets.delete(socket)
      plain.delete(port)
      if (sockets.size === 0) for (const done of waiting) done()
    })
  })
  server.on("tlsClientError", () => undefined)
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )
  const loopback: Loopback = {
    port: portOf(server),
    ca: cert,
    sockets,
    opened: () => opened,
    quiet: Effect.callback<void>((resume) => {
      if (sockets.size === 0) return resume(Effect.void)
      const done = () => {
        waiting.delete(done)
        resume(Effect.void)
      }
      waiting.add(done)
    })
  }
  return loopback
})
