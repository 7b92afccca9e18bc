/**
 * Web sockets on a `UwsServer`: authentication before the upgrade, plain synchronous callbacks after it.
 *
 * **Details**
 *
 * There is nothing per connection but one `UwsSocket`: who gets what is the caller's business. What `UwsServer.publish` sends
 * is framed once and goes to all subscribers at the end of the turn of the event loop, in order with what `send` sends; a
 * socket over its `maxBackpressure` is passed over or closed, as `closeOnBackpressureLimit` says. A callback that throws is logged and closes its own socket with 1011.
 *
 * **Gotchas**
 *
 * A browser cannot read why an upgrade was refused, but it can ask again with `fetch`: a GET of the path without an
 * upgrade runs the same authentication and answers the refusal, or 426 when an upgrade would be accepted.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t, WebSocket } from "uWebSockets.js"
import { Exchange, type UwsHost } from "./UwsExchange.ts"
import { decodeUtf8 } from "./UwsNative.ts"
import { endWithProblem, type Problem, problemDetails } from "./UwsProblem.ts"

/** What is known of a client before its upgrade is accepted. */
export interface UpgradeRequest {
  /** Request target, path and query, as sent. */
  readonly url: string
  readonly path: string
  readonly query: URLSearchParams
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Address of the peer as text, `""` when unknown. */
  readonly remoteAddress: string
  /** Subprotocols the client offers, in its order. */
  readonly subprotocols: ReadonlyArray<string>
}

/** Why an upgrade is not accepted: answered as it is, `problem` as `application/problem+json`. */
export class UpgradeRefused extends Schema.TaggedError<UpgradeRefused>()("UpgradeRefused", {
  /** HTTP status, 4xx or 5xx. */
  status: Schema.Number,
  /** RFC 9457 members; `type`, `status` and `title` are filled in when missing. */
  problem: Schema.Record(Schema.String, Schema.Unknown),
  /** Further response headers, such as `www-authenticate` or `retry-after`. */
  headers: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
}) {}

export interface UwsWebSocketOptions<D, R = never> {
  /** Runs before the upgrade is accepted, and is interrupted when the client goes away. */
  readonly authenticate: (
    request: UpgradeRequest
  ) => Effect.Effect<{ readonly data: D; readonly subprotocol?: string | undefined }, UpgradeRefused, R>
  readonly open?: ((socket: UwsSocket<D>) => void) | undefined
  /** Text frames come decoded; a binary frame's buffer is only valid while the callback runs. */
  readonly message?: ((socket: UwsSocket<D>, message: string | ArrayBuffer, isBinary: boolean) => void) | undefined
  /** Some or all of what was buffered went out; `socket.bufferedAmount()` tells what is left. */
  readonly drain?: ((socket: UwsSocket<D>) => void) | undefined
  /** Runs exactly once for every socket that was opened; nothing can be sent any more. */
  readonly close?: ((socket: UwsSocket<D>, code: number, reason: string) => void) | undefined
  /** Bytes of one message above which the socket is cut (1006 to the client); 16 KiB when not given. */
  readonly maxPayloadLength?: number | undefined
  /** Bytes that may wait for a slow reader; 64 KiB when not given. What exceeds it is dropped. */
  readonly maxBackpressure?: number | undefined
  /** Closes the socket when a message is dropped for `maxBackpressure`; true when not given. */
  readonly closeOnBackpressureLimit?: boolean | undefined
  /** Seconds of silence after which the socket is cut: 0 never, otherwise 8 to 960 in steps of 4; 120 when not given. */
  readonly idleTimeoutSeconds?: number | undefined
  /** Pings a silent client in time before `idleTimeoutSeconds`; true when not given. */
  readonly sendPingsAutomatically?: boolean | undefined
  /** Values of the `Origin` header that may connect; clients that send none may, and everyone when not given. */
  readonly allowedOrigins?: ReadonlyArray<string> | undefined
  /** How long `authenticate` may take, 503 above; 10 s when not given. */
  readonly authenticateTimeout?: Duration.Input | undefined
  /** How open sockets are closed when the scope or the server closes; 1001 "server stopping" when not given. */
  readonly stopClose?: { readonly code: number; readonly reason: string } | undefined
  /** Subprotocols spoken here; the first that the client offers is chosen unless `authenticate` chooses. */
  readonly subprotocols?: ReadonlyArray<string> | undefined
}

/** What `UwsSocket.send` returns. */
export const SendResult = { backpressure: 0, sent: 1, dropped: 2 } as const

/** One open web socket. Every method is safe after it is closed: it does nothing and never throws. */
export class UwsSocket<D> {
  readonly data: D
  /** Address of the peer as text, `""` when unknown. */
  readonly remoteAddress: string
  private native: WebSocket<UserData<D>> | undefined

  constructor(data: D, remoteAddress: string) {
    this.data = data
    this.remoteAddress = remoteAddress
  }

  /** Sends a text frame: 1 sent, 0 waits for the reader, 2 dropped (over `maxBackpressure`, or closed). */
  send(text: string): number {
    return this.native === undefined ? SendResult.dropped : this.native.send(text, false, false)
  }

  /** From now on it gets what `UwsServer.publish` sends to this channel, until it is closed. */
  subscribe(channel: string): void {
    this.native?.subscribe(channel)
  }

  unsubscribe(channel: string): void {
    this.native?.unsubscribe(channel)
  }

  /** Bytes that wait for the reader. */
  bufferedAmount(): number {
    return this.native === undefined ? 0 : this.native.getBufferedAmount()
  }

  /** Sends a close frame (`reason` at most 123 bytes, RFC 6455 §5.5) and closes; `close` runs before this returns. */
  close(code: number, reason = ""): void {
    this.native?.end(code, Buffer.byteLength(reason) <= 123 ? reason : reason.slice(0, 40))
  }

  /** Cuts the connection without a close frame. */
  terminate(): void {
    this.native?.close()
  }

  /** Packs what `send` writes inside `write` into one system call. */
  cork(write: () => void): void {
    if (this.native === undefined) return
    this.native.cork(write)
  }

  get isOpen(): boolean {
    return this.native !== undefined
  }

  /** @internal */
  attach(native: WebSocket<UserData<D>> | undefined): void {
    this.native = native
  }
}

interface UserData<D> {
  readonly socket: UwsSocket<D>
}

interface WebSocketHost extends UwsHost {
  readonly app: TemplatedApp
}

/** Adds the routes of `path` to the application; when the scope closes, so do its sockets, and the path answers 503. */
export const registerWebSocket = <D, R>(
  host: WebSocketHost,
  path: string,
  options: UwsWebSocketOptions<D, R>
): Effect.Effect<void, never, R | Scope.Scope> =>
  Effect.contextWith((context: Context.Context<R | Scope.Scope>) =>
    Effect.gen(function* () {
      const scope = yield* Scope.fork(Context.get(context, Scope.Scope), "parallel")
      const run = Effect.runForkWith(context)
      const { connections } = host
      const sockets = new Set<UwsSocket<D>>()
      const stopClose = options.stopClose ?? { code: 1001, reason: "server stopping" }
      let active = true
      const stop = (): void => {
        active = false
        connections.routes.delete(stop)
        for (const socket of sockets) socket.close(stopClose.code, stopClose.reason)
      }
      connections.routes.add(stop)
      yield* Scope.addFinalizer(scope, Effect.sync(stop))

      const report = (what: string, cause: unknown): void =>
        connections.report(`A web socket's ${what} callback`, cause)
      const guarded = (what: string, socket: UwsSocket<D>, f: () => void): void => {
        try {
          f()
        } catch (cause) {
          report(what, cause)
          socket.close(1011, "internal error")
        }
      }

      /** Authenticates and then accepts, with `upgrade`, or says that an upgrade would be accepted. */
      const handle = (res: HttpResponse, req: HttpRequest, upgrade: us_socket_context_t | undefined): void =>
        Exchange.start(host, res, req, (exchange) => {
          if (active) authenticate(exchange, upgrade)
          else exchange.answerProblem(stopping)
        })

      const authenticate = (exchange: Exchange, upgrade: us_socket_context_t | undefined): void => {
        const { headers } = exchange
        const origin = headers["origin"]
        if (origin !== undefined && options.allowedOrigins !== undefined && !options.allowedOrigins.includes(origin)) {
          return exchange.answerProblem({ status: 403, detail: "This origin may not connect." })
        }
        const request = upgradeRequest(exchange)
        const fiber = Fiber.runIn(
          run(
            Effect.timeoutOrElse(
              Effect.suspend(() => options.authenticate(request)),
              {
                duration: options.authenticateTimeout ?? Duration.seconds(10),
                orElse: () => Effect.fail(tookTooLong)
              }
            )
          ),
          scope
        )
        exchange.onCut = () => fiber.interruptUnsafe()
        fiber.addObserver((exit) =>
          exchange.guard(() => {
            if (exchange.answered) return
            if (!active) return exchange.answerProblem(stopping)
            if (Exit.isSuccess(exit)) {
              if (upgrade === undefined || headers["upgrade"]?.toLowerCase() !== "websocket") {
                return exchange.answerProblem(
                  upgradeRequired("This address speaks WebSocket; an upgrade would be accepted.")
                )
              }
              if (headers["sec-websocket-version"] !== "13") {
                return exchange.answerProblem(upgradeRequired("Only WebSocket version 13 is spoken here."))
              }
              return accept(exchange, upgrade, request, exit.value)
            }
            const refused = Cause.findErrorOption(exit.cause)
            if (refused._tag === "Some") return refuse(exchange, refused.value)
            if (Cause.hasInterruptsOnly(exit.cause)) return exchange.answerProblem(stopping)
            report("authenticate", exit.cause)
            exchange.answerProblem({ status: 500, detail: "The server failed to authenticate the connection." })
          })
        )
      }

      const accept = (
        exchange: Exchange,
        upgrade: us_socket_context_t,
        request: UpgradeRequest,
        accepted: { readonly data: D; readonly subprotocol?: string | undefined }
      ): void => {
        const socket = new UwsSocket(accepted.data, exchange.remoteAddress)
        const userData: UserData<D> = { socket }
        // RFC 6455 §4.2.2: the server may only name a subprotocol that the client offered.
        const subprotocol =
          accepted.subprotocol !== undefined
            ? request.subprotocols.find((offered) => offered === accepted.subprotocol)
            : request.subprotocols.find((offered) => options.subprotocols?.includes(offered))
        const { headers, res } = exchange
        if (exchange.answered) return
        // From here the socket is a web socket and the response is gone.
        exchange.finish()
        // Not corked: behind a corked upgrade the binding still looks at the state of the response, in memory that is no longer its
        // own, and now and then finds that the connection is to be closed. It warns of the missing cork, once.
        res.upgrade(
          userData,
          headers["sec-websocket-key"] ?? "",
          subprotocol ?? "",
          headers["sec-websocket-extensions"] ?? "",
          upgrade
        )
      }

      const isUpgrade = (req: HttpRequest): boolean => req.getHeader("upgrade").toLowerCase() === "websocket"

      host.app.ws<UserData<D>>(path, {
        maxPayloadLength: options.maxPayloadLength ?? 16 * 1024,
        maxBackpressure: options.maxBackpressure ?? 64 * 1024,
        closeOnBackpressureLimit: options.closeOnBackpressureLimit ?? true,
        idleTimeout: options.idleTimeoutSeconds ?? 120,
        sendPingsAutomatically: options.sendPingsAutomatically ?? true,
        compression: 0,
        maxLifetime: 0,
        upgrade: (res, req, context) => handle(res, req, isUpgrade(req) ? context : undefined),
        open: (ws) => {
          const { socket } = ws.getUserData()
          socket.attach(ws)
          sockets.add(socket)
          if (options.open !== undefined) guarded("open", socket, () => options.open?.(socket))
        },
        message: (ws, message, isBinary) => {
          const { socket } = ws.getUserData()
          try {
            options.message?.(socket, isBinary ? message : decodeUtf8(message), isBinary)
          } catch (cause) {
            report("message", cause)
            socket.close(1011, "internal error")
          }
        },
        drain: (ws) => {
          const { socket } = ws.getUserData()
          guarded("drain", socket, () => options.drain?.(socket))
        },
        close: (ws, code, reason) => {
          const { socket } = ws.getUserData()
          socket.attach(undefined)
          sockets.delete(socket)
          guarded("close", socket, () => options.close?.(socket, code, decodeUtf8(reason)))
        }
      })
      host.app.get(path, (res, req) => handle(res, req, undefined))
    })
  )

const stopping: Problem = { status: 503, detail: "The server is stopping.", headers: { "retry-after": "1" } }

const tookTooLong = new UpgradeRefused({
  status: 503,
  problem: { detail: "Authentication took too long." },
  headers: { "retry-after": "1" }
})

const upgradeRequired = (detail: string): Problem => ({
  status: 426,
  detail,
  headers: { upgrade: "websocket", connection: "upgrade", "sec-websocket-version": "13" }
})

const refuse = (exchange: Exchange, refused: UpgradeRefused): void =>
  exchange.end((res, close) =>
    endWithProblem(
      res,
      refused.status,
      { ...problemDetails({ status: refused.status, detail: "" }), detail: undefined, ...refused.problem },
      { headers: refused.headers, close }
    )
  )

const upgradeRequest = (exchange: Exchange): UpgradeRequest => {
  const mark = exchange.target.indexOf("?")
  return {
    url: exchange.target,
    path: mark === -1 ? exchange.target : exchange.target.slice(0, mark),
    query: new URLSearchParams(mark === -1 ? "" : exchange.target.slice(mark + 1)),
    headers: exchange.headers,
    remoteAddress: exchange.remoteAddress,
    subprotocols: (exchange.headers["sec-websocket-protocol"] ?? "")
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "")
  }
}
