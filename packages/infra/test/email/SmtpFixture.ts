/**
 * SMTP servers on loopback: a real one that refuses on request, and a script for what no real one would do.
 */
import { Deferred, Effect } from "effect"
import { createServer } from "node:net"
import type { AddressInfo, Server, Socket } from "node:net"
import { generate } from "selfsigned"
import { SMTPServer } from "smtp-server"
import type { SMTPServerOptions } from "smtp-server"

export interface Received {
  readonly mailFrom: string
  readonly rcptTo: ReadonlyArray<string>
  readonly raw: string
  readonly secure: boolean
  readonly user: unknown
}

/** The header fields by lower-case name, unfolded, and everything after them. */
export const parse = (raw: string) => {
  const end = raw.indexOf("\r\n\r\n")
  const fields = raw
    .slice(0, end)
    .replace(/\r\n(?=[ \t])/g, "")
    .split("\r\n")
    .map((line): readonly [string, string] => {
      const colon = line.indexOf(":")
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    })
  return { names: fields.map(([name]) => name), headers: new Map(fields), body: raw.slice(end + 4) }
}

/** A reply with a code of its own: "550 5.1.1 No such user". */
export const refusal = (reply: string) =>
  Object.assign(new Error(reply.slice(4)), { responseCode: Number(reply.slice(0, 3)) })

const watch = (server: Server) => {
  const sockets = new Set<Socket>()
  let opened = 0
  let quiet = Deferred.makeUnsafe<void>()
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
  return {
    sockets,
    opened: () => opened,
    /** Succeeds when no connection is open. */
    quiet: Effect.suspend(() => (sockets.size === 0 ? Effect.void : Deferred.await(quiet)))
  }
}

let made: ReturnType<typeof generate> | undefined

/** One for all servers, for `localhost` and 127.0.0.1: making a key takes a while. */
export const certificate = Effect.promise(
  () =>
    (made ??= generate([{ name: "commonName", value: "localhost" }], {
      algorithm: "sha256",
      extensions: [
        { name: "basicConstraints", cA: true },
        {
          name: "subjectAltName",
          altNames: [
            { type: 2, value: "localhost" },
            { type: 7, ip: "127.0.0.1" }
          ]
        }
      ]
    }))
)

/** A server that takes `ada:pass word` and every message, unless the options say otherwise. */
export const start = Effect.fnUntraced(function* (options: SMTPServerOptions = {}) {
  const { cert, private: key } = yield* certificate
  const received: Array<Received> = []
  const server = new SMTPServer({
    key,
    cert,
    disableReverseLookup: true,
    authOptional: true,
    onAuth: ({ password, username }, _session, done) =>
      username === "ada" && password === "pass word"
        ? done(null, { user: username })
        : done(refusal(`535 5.7.8 No: ${username} ${password}`)),
    onData: (stream, { envelope, secure, user }, done) => {
      const chunks: Array<Buffer> = []
      stream.on("data", (chunk: Buffer) => chunks.push(chunk))
      stream.on("end", () => {
        const raw = Buffer.concat(chunks).toString("utf8")
        const mailFrom = envelope.mailFrom === false ? "" : envelope.mailFrom.address
        received.push({ mailFrom, rcptTo: envelope.rcptTo.map(({ address }) => address), raw, secure, user })
        done()
      })
    },
    ...options
  })
  server.on("error", () => undefined)
  const watched = watch(server.server)
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.sync(() => {
        for (const socket of watched.sockets) socket.destroy()
        server.close(() => undefined)
      })
  )
  const { port } = server.server.address() as AddressInfo
  return { port, ca: cert, received, ...watched }
})

/** Answers each line of the client by the first pattern that it matches; `undefined` is silence. */
export const scripted = Effect.fnUntraced(function* (
  talk: (line: string, socket: Socket) => string | undefined,
  greet: (socket: Socket) => void = (socket) => void socket.write("220 loopback ESMTP\r\n")
) {
  const lines: Array<string> = []
  const server = createServer((socket) => {
    greet(socket)
    let rest = ""
    socket.on("data", (chunk: Buffer) => {
      const all = (rest + chunk.toString("utf8")).split("\r\n")
      rest = all.pop() ?? ""
      for (const line of all) {
        lines.push(line)
        const reply = talk(line, socket)
        if (reply !== undefined && socket.writable) socket.write(`${reply}\r\n`)
      }
    })
  })
  const watched = watch(server)
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.sync(() => {
        for (const socket of watched.sockets) socket.destroy()
        server.close()
      })
  )
  const { port } = server.address() as AddressInfo
  return { port, lines, ...watched }
})
