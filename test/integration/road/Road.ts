/**
 * A server in a process of its own, and the ways to it that a test needs: HTTP, a bare socket, and tokens of any kind.
 */
import { Config, Context, Data, Deferred, Effect, Layer, Option, Queue, Schema } from "effect"
import type { Scope } from "effect"
import { createHmac } from "node:crypto"
import { readFileSync } from "node:fs"
import { createServer } from "node:net"
import { socketPath, subprotocol } from "@beckon/domain/InboxRpcs"
import * as BeckonProcess from "../../support/BeckonProcess.ts"

export const jwtSecret = "a secret of the tests, 32 bytes or more"

export interface TokenOptions {
  readonly sub: string
  readonly tenant?: string
  readonly roles?: ReadonlyArray<string>
  readonly name?: string
  /** Limits it, with blanks between the scopes. */
  readonly scope?: string
  /** Seconds since 1970; default in an hour. */
  readonly exp?: number
  /** Seconds since 1970; default now, `null` for none. */
  readonly iat?: number | null
  readonly algorithm?: "HS256" | "none"
  readonly secret?: string
}

const base64Url = (text: string): string => Buffer.from(text).toString("base64url")

/** A token as an issuer would sign it, or as a forger would. */
export const token = ({
  algorithm = "HS256",
  exp,
  iat = Math.floor(Date.now() / 1000),
  name,
  roles = ["user"],
  scope,
  secret = jwtSecret,
  sub,
  tenant = "default"
}: TokenOptions): string => {
  const claims = {
    sub,
    tenant,
    roles,
    exp: exp ?? Math.floor(Date.now() / 1000) + 3_600,
    ...(iat === null ? {} : { iat }),
    ...(name === undefined ? {} : { name }),
    ...(scope === undefined ? {} : { scope })
  }
  const body = `${base64Url(JSON.stringify({ alg: algorithm, typ: "JWT" }))}.${base64Url(JSON.stringify(claims))}`
  return `${body}.${algorithm === "none" ? "" : createHmac("sha256", secret).update(body).digest("base64url")}`
}

export const service = token({ sub: "shop", roles: ["service"] })

export class RequestFailed extends Data.TaggedError("RequestFailed")<{ readonly cause: unknown }> {}

export interface Answer {
  readonly status: number
  readonly type: string
  // Tests look into answers of any shape.
  // oxlint-disable-next-line typescript/no-explicit-any -- the assertions are what checks the shape
  readonly body: any
}

export interface Answered extends Answer {
  readonly headers: Headers
}

export interface Call {
  readonly token?: string
  readonly method?: string
  /** Sent as JSON; a string is sent as it is. */
  readonly body?: unknown
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** One HTTP exchange; fails only when no answer comes. */
export const call = (
  url: string,
  path: string,
  { body, contentType, headers, method, token }: Call = {}
): Effect.Effect<Answered, RequestFailed> =>
  Effect.tryPromise({
    try: async (signal) => {
      const answer = await fetch(url + path, {
        signal,
        method: method ?? (body === undefined ? "GET" : "POST"),
        headers: {
          ...headers,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { "content-type": contentType ?? "application/json" })
        },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
      })
      const text = await answer.text()
      const type = answer.headers.get("content-type") ?? ""
      return {
        status: answer.status,
        headers: answer.headers,
        type,
        body: /[/+]json\b/.test(type) ? JSON.parse(text) : text
      }
    },
    catch: (cause) => new RequestFailed({ cause })
  })

export interface Closed {
  readonly code: number
  readonly reason: string
}

/** A socket without a client's cleverness: what comes is in `messages`, how it ended in `closed`. */
export interface BareSocket {
  readonly send: (data: unknown) => void
  readonly sendRaw: (data: string | Uint8Array<ArrayBuffer>) => void
  readonly messages: Queue.Queue<Answer["body"]>
  /** Calls and answers the exit. */
  readonly rpc: (tag: string, payload?: unknown) => Effect.Effect<Answer["body"]>
  readonly closed: Effect.Effect<Closed>
  readonly isClosed: () => boolean
  readonly end: () => void
}

export const bareSocket = (url: string, token: string): Effect.Effect<BareSocket, Closed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<BareSocket, Closed>((resume) => {
      const socket = new WebSocket(url.replace("http", "ws") + socketPath, [subprotocol, `bearer.${token}`])
      const messages = Effect.runSync(Queue.unbounded<Answer["body"]>())
      const closed = Deferred.makeUnsafe<Closed>()
      const waiting = new Map<string, Deferred.Deferred<Answer["body"]>>()
      let id = 0
      socket.addEventListener("message", ({ data }) => {
        const message: Answer["body"] = JSON.parse(String(data))
        const waiter = message._tag === "Exit" ? waiting.get(String(message.requestId)) : undefined
        if (waiter === undefined) Queue.offerUnsafe(messages, message)
        else Deferred.doneUnsafe(waiter, Effect.succeed(message.exit))
      })
      const over = ({ code, reason }: Closed) => {
        Deferred.doneUnsafe(closed, Effect.succeed({ code, reason }))
        for (const waiter of waiting.values()) Deferred.doneUnsafe(waiter, Effect.succeed({ _tag: "Closed", code }))
        resume(Effect.fail({ code, reason }))
      }
      socket.addEventListener("close", over)
      let opened = false
      // Of a refused upgrade Node tells only this; after the opening "close" follows, which has the code.
      socket.addEventListener("error", () => {
        if (!opened) over({ code: 1006, reason: "" })
      })
      const send = (data: unknown) => socket.send(JSON.stringify(data))
      socket.addEventListener("open", () => {
        opened = true
        resume(
          Effect.succeed({
            send,
            sendRaw: (data) => socket.send(data),
            messages,
            rpc: (tag, payload = null) =>
              Effect.suspend(() => {
                // What is sent on a closed socket is thrown away without a word.
                if (Deferred.isDoneUnsafe(closed)) {
                  return Effect.map(Deferred.await(closed), ({ code }) => ({ _tag: "Closed", code }))
                }
                id += 1
                const answer = Deferred.makeUnsafe<Answer["body"]>()
                waiting.set(String(id), answer)
                send({ _tag: "Request", id, tag, payload, headers: [] })
                return Deferred.await(answer)
              }),
            closed: Deferred.await(closed),
            isClosed: () => Deferred.isDoneUnsafe(closed),
            end: () => socket.close()
          })
        )
      })
    }),
    (socket) => Effect.sync(socket.end)
  )

/** One server for the tests of a file. */
export class Road extends Context.Service<Road, BeckonProcess.BeckonProcess>()("@beckon/test/Road") {
  static readonly layer = Layer.effect(Road, BeckonProcess.start({ env: { BECKON_JWT_SECRET: jwtSecret } }))
}

export const http = (path: string, options?: Call) => Effect.flatMap(Road, ({ url }) => call(url, path, options))

export const socketOf = (options: TokenOptions) => Effect.flatMap(Road, ({ url }) => bareSocket(url, token(options)))

/** Sends one notification as a service of the default tenant; answers what was accepted. */
export const send = (user: string, other: Record<string, unknown> = {}) =>
  Effect.map(
    http("/api/v1/services/notifications/send", {
      token: service,
      body: { user_id: user, type: "order_created", title: "New Order", message: "Accept now!", ...other }
    }),
    ({ body }) => body.data
  )

const listens = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.on("error", () => resume(Effect.succeed(false)))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(true))))
  })

/**
 * A free port that stays free: below the range from which the kernel takes the ports of clients. A client that tries again
 * and again to reach a dead server on a port of that range ends up connected to itself, and the server cannot come back.
 */
export const lastingPort = Effect.gen(function* () {
  while (true) {
    const port = 12_000 + Math.floor(Math.random() * 18_000)
    if (yield* listens(port)) return port
  }
})

/** Resident memory of a process in MB (Linux). */
export const rssOf = (pid: number): number => {
  const status = readFileSync(`/proc/${pid}/status`, "utf8")
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
}

/** The seed of this run's chance; `BECKON_TEST_SEED` repeats a run. */
export const seed = Effect.map(Config.option(Config.schema(Schema.FiniteFromString, "BECKON_TEST_SEED")), (given) =>
  Option.getOrElse(given, () => Math.floor(Math.random() * 2 ** 31))
)

/** A small generator (mulberry32), so that a seed repeats a run. */
export const randomOf = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
