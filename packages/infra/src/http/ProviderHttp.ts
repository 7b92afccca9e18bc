/**
 * One HTTP request to a provider, and the outcome that its answer is.
 *
 * **Details**
 *
 * A request is sent once. It has one time limit from the first byte of the connection to the last of the answer, so that a
 * server that hangs, or drips, costs no more than that; when the limit is over, its connection is closed. An answer of more than 64 KiB
 * is not heard out. Redirects are answers like others: the client of Node that we are given follows none.
 *
 * The provider's secrets never come out in a detail, even where a server quotes them. Tracing headers of ours are not sent.
 *
 * **Gotchas**
 *
 * After a failure without an answer nobody knows whether the provider took the message.
 */
import type { SendOutcome } from "@beckon/domain/Delivery"
import { Clock, Duration, Effect, Redacted, Schema, Stream } from "effect"
import { HttpClient } from "effect/http"
import type { Headers, HttpClientRequest } from "effect/http"
import { timedOut, unanswered } from "./ProviderFailure.ts"
import { storable } from "./StorableText.ts"

export interface Answer {
  readonly status: number
  readonly headers: Headers.Headers
  readonly text: string
}

/** What an answer means; `now` in ms since 1970. */
export type Interpret = (answer: Answer, now: number) => SendOutcome

export type Send = (request: HttpClientRequest.HttpClientRequest, interpret: Interpret) => Effect.Effect<SendOutcome>

export interface ProviderHttpOptions {
  /** For one request; 15 s by default. */
  readonly timeout?: Duration.Input | undefined
  /** What no detail may show. */
  readonly secrets: ReadonlyArray<Redacted.Redacted>
}

const maxAnswerBytes = 65_536

export class AnswerTooLong extends Schema.TaggedError<AnswerTooLong>()("AnswerTooLong", {}) {}

/** Takes secrets out of a text; what is too short to be one stays. */
const withoutSecrets = (text: string, secrets: ReadonlyArray<Redacted.Redacted>): string =>
  secrets.reduce((rest, secret) => {
    const value = Redacted.value(secret)
    return value.length < 4 ? rest : rest.replaceAll(value, "…")
  }, text)

/** An outcome as it may be kept and shown. */
export const presentable = (outcome: SendOutcome, secrets: ReadonlyArray<Redacted.Redacted>): SendOutcome =>
  outcome._tag === "Sent"
    ? { ...outcome, providerMessageId: outcome.providerMessageId && storable(outcome.providerMessageId, 256) }
    : {
        ...outcome,
        code: storable(outcome.code, 100),
        detail: storable(withoutSecrets(outcome.detail, secrets), 1_000)
      }

export const make = Effect.fnUntraced(function* (
  options: ProviderHttpOptions
): Effect.fn.Return<Send, never, HttpClient.HttpClient> {
  const client = yield* HttpClient.HttpClient
  const timeout = Duration.fromInputUnsafe(options.timeout ?? "15 seconds")

  const ask = Effect.fnUntraced(function* (request: HttpClientRequest.HttpClientRequest) {
    const response = yield* client.execute(request)
    const chunks: Array<Uint8Array> = []
    let bytes = 0
    yield* Stream.runForEach(response.stream, (chunk) => {
      bytes += chunk.length
      chunks.push(chunk)
      return bytes > maxAnswerBytes ? Effect.fail(new AnswerTooLong()) : Effect.void
    })
    const answer: Answer = {
      status: response.status,
      headers: response.headers,
      text: Buffer.concat(chunks).toString("utf8")
    }
    return answer
  })

  return (request, interpret) =>
    ask(request).pipe(
      Effect.flatMap((answer) => Effect.map(Clock.currentTimeMillis, (now) => interpret(answer, now))),
      Effect.catchTag("HttpClientError", ({ reason }) =>
        Effect.succeed(unanswered("cause" in reason ? reason.cause : undefined))
      ),
      Effect.catchTag("AnswerTooLong", () =>
        Effect.succeed({
          _tag: "Failed" as const,
          class: "transient" as const,
          code: "bad_answer",
          detail: `the answer has more than ${maxAnswerBytes} bytes`
        })
      ),
      Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.succeed(timedOut()) }),
      Effect.map((outcome) => presentable(outcome, options.secrets)),
      Effect.provideService(HttpClient.TracerPropagationEnabled, false)
    )
})
