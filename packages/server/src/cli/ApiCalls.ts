/**
 * Calls of the HTTP API, whose failures are told in a line.
 */
import { Effect, Option, Redacted, Schema } from "effect"
import { Flag } from "effect/cli"
import { HttpClient, HttpClientRequest } from "effect/http"
import type { HttpClientError } from "effect/http"
import { ServerConfig } from "../layers/ServerConfig.ts"
import { failed, rootMessage } from "./FailureLine.ts"
import { plain } from "./Text.ts"
import * as Tokens from "./Tokens.ts"

const Url = Schema.String.check(
  Schema.makeFilter((text: string) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), {
    expected: "a URL that begins with http:// or https://"
  })
)

export const urlFlag = Flag.String("url").pipe(
  Flag.withDescription("Where the server is; default http://127.0.0.1 and PORT or 8080"),
  Flag.withSchema(Url),
  Flag.optional
)

/** What was given, or the server of this machine's own configuration. */
export const urlOf = (given: Option.Option<string>) =>
  Option.match(given, {
    onSome: (url) => Effect.succeed(url.replace(/\/+$/, "")),
    onNone: () => Effect.map(ServerConfig, ({ port }) => `http://127.0.0.1:${port}`)
  })

const timeout = "15 seconds"

/** RFC 9457, section 3.1. */
const Problem = Schema.fromJsonString(
  Schema.Struct({ title: Schema.String, detail: Schema.optionalKey(Schema.String) })
)
const decodeProblem = Schema.decodeUnknownOption(Problem)

const problemLine = (url: string, status: number, body: string, madeToken: boolean): string =>
  Option.match(decodeProblem(body), {
    onNone: () => `${url} answered ${status} and no problem document: is it a Beckon server?`,
    onSome: ({ detail, title }) => {
      const hint = madeToken && status === 401 ? ". Is --data-dir the server's? Otherwise give --token" : ""
      return `${plain(detail === undefined ? title : `${title.replace(/\.$/, "")}: ${detail}`)}${hint}`
    }
  })

const unreachable = (url: string, error: HttpClientError.HttpClientError): string =>
  `No server answers at ${url} (${plain(rootMessage(error.reason) || error.message)}): start one with: npx --yes pnpm start`

/** Sends the request as the caller, and gives the body of a successful answer. */
export const call = Effect.fnUntraced(function* (
  request: HttpClientRequest.HttpClientRequest,
  caller: Tokens.Caller & { readonly url: Option.Option<string> }
) {
  const url = yield* urlOf(caller.url)
  const token = yield* Tokens.forCaller(caller)
  const client = yield* HttpClient.HttpClient
  const { body, status } = yield* request.pipe(
    HttpClientRequest.prependUrl(url),
    HttpClientRequest.bearerToken(Redacted.value(token)),
    HttpClientRequest.acceptJson,
    client.execute,
    Effect.flatMap((response) => Effect.map(response.text, (body) => ({ body, status: response.status }))),
    Effect.mapError((error) => failed(unreachable(url, error))),
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => Effect.fail(failed(`${url} did not answer within ${timeout}`))
    })
  )
  if (status >= 400) return yield* failed(problemLine(url, status, body, Option.isNone(caller.token)))
  return body
})

/** The answer is not what this version knows. */
export const notUnderstood = () => failed("The server's answer is not understood: is it another version of Beckon?")
