/**
 * Errors that the router answers without a body (a path that does not decode, an upgrade where there is none) get the
 * shape of all others: an RFC 9457 problem.
 */
import { Effect } from "effect"
import { HttpRouter, HttpServerRespondable, HttpServerResponse, ProblemDetails } from "effect/http"

const titles: Readonly<Record<number, string>> = {
  400: "The request is not well-formed.",
  404: "There is no such thing, or it is not yours.",
  405: "The method does not exist here.",
  500: "The server failed."
}

const withBody = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
  response.status >= 400 && response.body._tag === "Empty"
    ? ProblemDetails.toResponse({
        type: ProblemDetails.blankType,
        status: response.status,
        title: titles[response.status] ?? "The request failed."
      })
    : response

/** Failures of our own keep their response; anything else is a 500. */
export const asProblems = <E, R>(
  app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R> =>
  app.pipe(
    Effect.catch((error) => HttpServerRespondable.toResponseOrElse(error, HttpServerResponse.empty({ status: 500 }))),
    Effect.catchDefect((defect) =>
      Effect.as(Effect.logError("A request failed", defect), HttpServerResponse.empty({ status: 500 }))
    ),
    Effect.map(withBody)
  )

/** For every path, also those that no route answers. */
export const layer = HttpRouter.middleware(asProblems, { global: true })
