/**
 * What every HTTP call passes first and last: its correlation id and origin on the way in, its headers on the way out.
 *
 * **Details**
 *
 * One middleware around everything, so that also what no route answers, and what fails, has all of it. What is learned of the
 * call inside (`CurrentCall`) is put on the answer here.
 */
import { Context, Effect, References } from "effect"
import { HttpMiddleware, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { CallOrigin, traceIdOf } from "@beckon/domain/CallOrigin"
import { asProblems } from "../api/EmptyErrors.ts"
import * as Conditional from "./Conditional.ts"
import * as Correlation from "./Correlation.ts"
import * as Cors from "./Cors.ts"
import * as CurrentCall from "./CurrentCall.ts"
import type { Call } from "./CurrentCall.ts"
import { HttpSettings } from "./HttpSettings.ts"
import * as Idempotency from "./Idempotency.ts"
import * as SecurityHeaders from "./SecurityHeaders.ts"

type Response = HttpServerResponse.HttpServerResponse

const annotationsOf = ({ correlationId, traceparent }: CallOrigin) => ({
  correlation_id: correlationId,
  ...(traceparent === null ? {} : { trace_id: traceIdOf(traceparent) })
})

const finish = (call: Call, response: Response): Response => {
  const { request } = call
  const etag = response.status < 300 ? call.etag : undefined
  const added = call.headers
  if (call.origin.correlationId !== null) added["x-correlation-id"] = call.origin.correlationId
  if (call.origin.traceparent !== null) added["traceparent"] = call.origin.traceparent
  if (etag !== undefined) added["etag"] = etag
  SecurityHeaders.add(added, response, {
    secure: request.protocol === "https",
    personal: call.identity !== undefined,
    etag
  })
  // A preflight says it itself.
  if (request.method !== "OPTIONS") Cors.add(added, request, call.refusedOrigin)
  const known = request.headers["if-none-match"]
  const isRead = request.method === "GET" || request.method === "HEAD"
  if (etag !== undefined && isRead && known !== undefined && Conditional.isCurrent(known, etag)) {
    return HttpServerResponse.empty({ status: 304, headers: added })
  }
  return HttpServerResponse.setHeaders(response, added)
}

/** Around the router, in the server's configuration. */
export const layer = HttpRouter.middleware(
  Effect.gen(function* () {
    const { trustedProxies } = yield* HttpSettings
    const idempotency = yield* Idempotency.Idempotency

    const edge = <E, R>(app: Effect.Effect<Response, E, R>) => {
      const answered = asProblems(app)
      return Effect.withFiber<Response, E, R | HttpServerRequest.HttpServerRequest>((fiber) => {
        const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
        const origin = Correlation.originOf(request)
        const call = CurrentCall.make(request, origin)
        const preflight = Cors.preflight(request)
        if (preflight !== undefined) return Effect.succeed(finish(call, preflight))
        const running = Effect.updateContext(answered, (context: Context.Context<R>) =>
          context.pipe(
            Context.add(CallOrigin, origin),
            Context.add(CurrentCall.CurrentCall, call),
            Context.add(References.CurrentLogAnnotations, annotationsOf(origin))
          )
        )
        const carriedOut = Idempotency.isAsked(request) ? idempotency.complete(call, running) : running
        return Effect.map(carriedOut, (response) => finish(call, response))
      })
    }

    if (trustedProxies.length === 0) return edge
    const forwarded = HttpMiddleware.xForwardedHeaders({ trustedProxies })
    return <E, R>(app: Effect.Effect<Response, E, R>) => forwarded(edge(app))
  }),
  { global: true }
)
