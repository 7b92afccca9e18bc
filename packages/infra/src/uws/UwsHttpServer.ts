/**
 * effect/http's `HttpServer` on a `UwsServer`: `HttpRouter` and `HttpApi` run on it unchanged.
 *
 * **Details**
 *
 * A client that goes away interrupts its handler. Requests that arrive before an application is served, or after its
 * scope closed, get 503. Upgrades do not go through handlers: see `UwsServer.websocket`.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import type * as NodeServices from "@effect/platform-node/NodeServices"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Etag from "effect/http/Etag"
import * as HttpEffect from "effect/http/HttpEffect"
import type * as HttpMiddleware from "effect/http/HttpMiddleware"
import type * as HttpPlatform from "effect/http/HttpPlatform"
import * as HttpServer from "effect/http/HttpServer"
import { ClientAbort } from "effect/http/HttpServerError"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { Exchange } from "./UwsExchange.ts"
import { UwsHttpRequest } from "./UwsHttpRequest.ts"
import { sendResponse } from "./UwsHttpResponse.ts"
import { type ListenFailed, type PortInUse, UwsServer } from "./UwsServer.ts"

export interface UwsHttpServerOptions {
  /**
   * Whether building the layer binds the port; true when not given. Otherwise the caller runs `UwsServer.listen` when
   * every route is there, and `HttpServer.address` is the configured one until the layer is built.
   */
  readonly listen?: boolean | undefined
}

type HttpApp = Effect.Effect<HttpServerResponse, unknown, HttpServerRequest | Scope.Scope>

/** Starts answering HTTP on the server in context. */
export const make = Effect.fnUntraced(function* (options: UwsHttpServerOptions = {}) {
  const server = yield* UwsServer
  let handle: ((exchange: Exchange) => void) | undefined
  const notServing = (exchange: Exchange): void =>
    exchange.answerProblem({ status: 503, detail: "The server is not ready.", headers: { "retry-after": "1" } })

  server.app.any("/*", (res, req) => Exchange.start(server, res, req, (exchange) => (handle ?? notServing)(exchange)))
  const address = yield* options.listen === false ? server.address : server.listen

  return HttpServer.make({
    address,
    serve: Effect.fnUntraced(function* (httpApp: HttpApp, middleware?: HttpMiddleware.HttpMiddleware) {
      const serveScope = yield* Effect.scope
      const scope = yield* Scope.fork(serveScope, "parallel")
      const handler = yield* makeHandler(httpApp, scope, middleware)
      handle = handler
      yield* Scope.addFinalizer(
        serveScope,
        Effect.ensuring(
          server.shutdown,
          Effect.sync(() => {
            if (handle === handler) handle = undefined
          })
        )
      )
    })
  })
})

const makeHandler = (
  httpApp: HttpApp,
  scope: Scope.Scope,
  middleware: HttpMiddleware.HttpMiddleware | undefined
): Effect.Effect<(exchange: Exchange) => void> => {
  const handled = HttpEffect.toHandled(
    httpApp,
    (request, response) => sendResponse(exchangeOf(request), request, response),
    middleware
  )
  return Effect.withFiber((parent) => {
    const { context } = parent
    return Effect.succeed((exchange: Exchange) => {
      const request = new UwsHttpRequest(exchange)
      const fiber = Fiber.runIn(Effect.runForkWith(Context.add(context, HttpServerRequest, request))(handled), scope)
      if (fiber.pollUnsafe() !== undefined) return
      exchange.onCut = (by) => fiber.interruptUnsafe(parent.id, by === "client" ? ClientAbort.annotation : undefined)
    })
  })
}

// Middleware sees views of the request, all of which keep their exchange as `source`.
const exchangeOf = (request: HttpServerRequest): Exchange => {
  if (request.source instanceof Exchange) return request.source
  throw new TypeError("The request did not come from UwsHttpServer")
}

/** `HttpServer` on the `UwsServer` in context. */
export const layerServer = (
  options?: UwsHttpServerOptions
): Layer.Layer<HttpServer.HttpServer, PortInUse | ListenFailed, UwsServer> =>
  Layer.effect(HttpServer.HttpServer)(make(options))

/** `layerServer` with what handlers need for files, multipart bodies and entity tags. */
export const layer = (
  options?: UwsHttpServerOptions
): Layer.Layer<
  HttpServer.HttpServer | NodeServices.NodeServices | HttpPlatform.HttpPlatform | Etag.Generator,
  PortInUse | ListenFailed,
  UwsServer
> => Layer.mergeAll(layerServer(options), NodeHttpServer.layerHttpServices)
