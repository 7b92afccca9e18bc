/**
 * One uWebSockets.js application on one port: its routes, its life and its death.
 *
 * **Details**
 *
 * Building the layer makes the application and binds nothing; `listen` binds (once, however often it is called), so that
 * routes can be there before the first request. What reaches the port before `UwsHttpServer` serves gets 503. When the
 * scope closes the server stops listening, closes web sockets with 1001, gives requests in flight `shutdownGrace` to
 * finish and then closes what is left.
 *
 * **Gotchas**
 *
 * The binding closes a connection by itself, without an answer, that sends no byte for 10 s or not a whole request head
 * within 10 s, and one whose reader takes nothing for 10 s. It closes a connection that sends a second request while the
 * first is still being answered (no client that is common today pipelines).
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { createServer } from "node:net"
import type { TemplatedApp, us_listen_socket } from "uWebSockets.js"
import { UwsConnections } from "./UwsConnections.ts"
import * as Native from "./UwsNative.ts"
import { registerWebSocket, type UwsWebSocketOptions } from "./UwsWebSocket.ts"

/** Another socket, of this or another process, holds the port. */
export class PortInUse extends Schema.TaggedError<PortInUse>()("PortInUse", {
  host: Schema.String,
  port: Schema.Number
}) {}

/** The port could not be bound for another reason: no right to it, an address that is not this machine's. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", {
  host: Schema.String,
  port: Schema.Number,
  cause: Schema.Defect()
}) {}

/** What one request may cost; each excess is answered with a problem that names the setting. */
export interface UwsLimits {
  /** Bytes of request target and headers, 431 above; at most 32 768, where the binding answers by itself. */
  readonly maxHeaderBytes: number
  /** Number of headers, 431 above; at most 98, where the binding answers by itself. */
  readonly maxHeaderCount: number
  /** Bytes of a request body, declared or counted, 413 above. */
  readonly maxBodyBytes: number
  /** Time from the head to the last byte of the body, 408 above, checked every second; time in which the handler does not read is not counted. */
  readonly bodyTimeout: Duration.Duration
  /** What stands in for `maxBodyBytes` and `bodyTimeout` on these paths, as they are sent. */
  readonly uploads?: ReadonlyMap<string, UwsUpload> | undefined
  /** Time from the head to the start of the response, 503 above; `undefined` is no limit. */
  readonly handlerTimeout: Duration.Duration | undefined
}

/** A path whose bodies are read as a stream, and so may be larger and slower than others. */
export interface UwsUpload {
  readonly maxBodyBytes: number
  readonly bodyTimeout: Duration.Duration
}

export interface UwsServerOptions {
  /** IP address to bind, such as `127.0.0.1`, `0.0.0.0` or `::`; `localhost` is 127.0.0.1. */
  readonly host: string
  /** Port to bind; 0 takes a free one. */
  readonly port: number
  /** 16 KiB when not given. */
  readonly maxHeaderBytes?: number | undefined
  /** 64 when not given. */
  readonly maxHeaderCount?: number | undefined
  /** 1 MiB when not given. */
  readonly maxBodyBytes?: number | undefined
  /** 30 s when not given. */
  readonly bodyTimeout?: Duration.Input | undefined
  /** None when not given. */
  readonly uploads?: ReadonlyMap<string, UwsUpload> | undefined
  /** No limit when not given. */
  readonly handlerTimeout?: Duration.Input | undefined
  /** How long requests in flight may take to finish when the server stops; 10 s when not given. */
  readonly shutdownGrace?: Duration.Input | undefined
}

export class UwsServer extends Context.Service<
  UwsServer,
  {
    /** The native application, for `UwsHttpServer`. */
    readonly app: TemplatedApp
    readonly limits: UwsLimits
    /** Requests and web sockets that are open now. */
    readonly connections: UwsConnections
    /** Binds the port and tells where; later calls give the same answer. */
    readonly listen: Effect.Effect<NetAddress.InetAddress, PortInUse | ListenFailed>
    /** Where the server listens, or before that where it is told to (port 0 stays 0). */
    readonly address: Effect.Effect<NetAddress.InetAddress>
    /** The bound port; `undefined` before `listen`. */
    readonly port: Effect.Effect<number | undefined>
    /** Stops listening, closes web sockets, waits for requests in flight at most `shutdownGrace`. Runs once. */
    readonly shutdown: Effect.Effect<void>
    /** Sends a text frame to every open web socket that has subscribed to the channel; encoded and framed once. */
    readonly publish: (channel: string, text: string) => void
    /** Takes web sockets on `path` until the scope closes; afterwards the path answers 503. */
    readonly websocket: <D, R = never>(
      path: string,
      options: UwsWebSocketOptions<D, R>
    ) => Effect.Effect<void, never, R | Scope.Scope>
  }
>()("@beckon/infra/uws/UwsServer") {
  static readonly make = (options: UwsServerOptions): Effect.Effect<UwsServer["Service"], ListenFailed, Scope.Scope> =>
    makeServer(options)

  static readonly layer = (options: UwsServerOptions): Layer.Layer<UwsServer, ListenFailed> =>
    Layer.effect(UwsServer)(makeServer(options))

  /** `websocket` of the server in context. */
  static readonly websocket = <D, R = never>(
    path: string,
    options: UwsWebSocketOptions<D, R>
  ): Effect.Effect<void, never, UwsServer | R | Scope.Scope> =>
    UwsServer.use((server) => server.websocket(path, options))
}

const limitsOf = (options: UwsServerOptions): UwsLimits => ({
  maxHeaderBytes: Math.min(options.maxHeaderBytes ?? 16_384, Native.nativeMaxHeaderBytes),
  maxHeaderCount: Math.min(options.maxHeaderCount ?? 64, Native.nativeMaxHeaderCount),
  maxBodyBytes: options.maxBodyBytes ?? 1_048_576,
  bodyTimeout: Duration.fromInputUnsafe(options.bodyTimeout ?? Duration.seconds(30)),
  uploads: options.uploads,
  handlerTimeout: options.handlerTimeout === undefined ? undefined : Duration.fromInputUnsafe(options.handlerTimeout)
})

const makeServer = Effect.fnUntraced(function* (options: UwsServerOptions) {
  const host = options.host === "localhost" ? "127.0.0.1" : options.host
  let address = yield* Effect.fromResult(NetAddress.inetAddressFromIpString(host, options.port)).pipe(
    Effect.mapError((cause) => new ListenFailed({ host, port: options.port, cause }))
  )
  const app = Native.makeApp()
  const limits = limitsOf(options)
  const connections = yield* UwsConnections.make
  let listening: us_listen_socket | undefined
  let stopped = false

  const listen = yield* Effect.callback<NetAddress.InetAddress, PortInUse | ListenFailed>((resume) => {
    if (stopped) {
      return resume(
        Effect.fail(new ListenFailed({ host, port: options.port, cause: new Error("The server has stopped") }))
      )
    }
    Native.listenExclusive(app, host, options.port, (socket) => {
      if (socket === false) return resume(whyNotBound(host, options.port))
      listening = socket
      address = NetAddress.inetAddressUnsafe(address.address, Native.localPort(socket))
      resume(Effect.succeed(address))
    })
  }).pipe(Effect.cached)

  const stopListening = Effect.sync(() => {
    stopped = true
    if (listening === undefined) return
    Native.closeListenSocket(listening)
    listening = undefined
  })

  const shutdown = yield* stopListening.pipe(
    Effect.andThen(connections.drain(Duration.fromInputUnsafe(options.shutdownGrace ?? Duration.seconds(10)))),
    Effect.cached
  )

  yield* Effect.addFinalizer(() =>
    Effect.andThen(
      shutdown,
      Effect.sync(() => app.close())
    )
  )

  return UwsServer.of({
    app,
    limits,
    connections,
    listen,
    address: Effect.sync(() => address),
    port: Effect.sync(() => (listening === undefined ? undefined : address.port)),
    shutdown,
    publish: (channel, text) => void (stopped || app.publish(channel, text, false, false)),
    websocket: (path, options) => registerWebSocket({ app, limits, connections }, path, options)
  })
})

/** The binding gives no reason, so that Node is asked to bind the same port and tells. */
const whyNotBound = (host: string, port: number): Effect.Effect<never, PortInUse | ListenFailed> =>
  Effect.callback((resume) => {
    const probe = createServer()
    probe.once("error", (cause: NodeJS.ErrnoException) => {
      resume(
        Effect.fail(
          cause.code === "EADDRINUSE" ? new PortInUse({ host, port }) : new ListenFailed({ host, port, cause })
        )
      )
    })
    probe.listen({ host, port, exclusive: true }, () => {
      // It was taken a moment ago and is free now.
      probe.close(() => resume(Effect.fail(new PortInUse({ host, port }))))
    })
  })
