/**
 * Calls the endpoints of tenants (Standard Webhooks 1.0.0).
 *
 * **Details**
 *
 * | answer | outcome | why |
 * |---|---|---|
 * | 2xx | sent | |
 * | 3xx | permanent, `http_3xx` | a redirect is not followed and stays one: the URL is to be changed, and the delivery replayed |
 * | 410 | permanent, `gone` | the endpoint is to be switched off |
 * | 429, and 503 with `Retry-After` | throttled | |
 * | every other | transient, `http_4xx`, `http_5xx` | the specification makes no difference: a 404 or 401 while a receiver is deployed must lose nothing |
 * | none | transient: `timeout`, `connection`, `tls`, `dns`, `malformed` | |
 * | not asked | permanent: `address_refused`, `url_refused`, `secret`, `id` | |
 *
 * **Gotchas**
 *
 * Of what a receiver answers only the status and `Retry-After` are kept, and no detail names a URL: its path is often a secret.
 */
import { Clock, Effect } from "effect"
import type { FailureClass, SendOutcome } from "@beckon/domain/Delivery"
import type { ChannelProvider, Outgoing } from "@beckon/domain/ports/ChannelProvider"
import * as CorrelationId from "../http/CorrelationId.ts"
import { retryAfterOf } from "../http/RetryAfter.ts"
import { OutboundPost } from "./OutboundPost.ts"
import type { Answer, NoAnswer } from "./OutboundPost.ts"
import type { UrlRefused } from "./OutboundUrl.ts"
import { sign } from "./StandardWebhookSignature.ts"
import type { SecretUnusable } from "./StandardWebhookSignature.ts"

type Failed = Extract<SendOutcome, { readonly _tag: "Failed" }>

const failed = (kind: FailureClass, code: string, detail: string, retryAfter?: Failed["retryAfter"]): Failed => ({
  _tag: "Failed",
  class: kind,
  code,
  detail,
  ...(retryAfter === undefined ? {} : { retryAfter })
})

const classOf = (status: number, hasRetryAfter: boolean): FailureClass => {
  if (status >= 300 && status < 400) return "permanent"
  return status === 429 || (status === 503 && hasRetryAfter) ? "throttled" : "transient"
}

const outcomeOf = ({ headers, status }: Answer, now: number): SendOutcome => {
  if (status >= 200 && status < 300) return { _tag: "Sent", providerMessageId: null, code: `http_${status}` }
  if (status === 410) return failed("permanent", "gone", "the endpoint answered 410: it wants no more webhooks")
  const retryAfter = retryAfterOf(headers["retry-after"], now)
  const detail = `the endpoint answered ${status}${status >= 300 && status < 400 ? "; redirects are not followed" : ""}`
  return failed(classOf(status, retryAfter !== undefined), `http_${status}`, detail, retryAfter)
}

const unanswered = (error: NoAnswer | SecretUnusable | UrlRefused): Failed => {
  switch (error._tag) {
    case "UrlRefused":
      return failed("permanent", error.code, `the URL is refused: ${error.reason}`)
    case "SecretUnusable":
      return failed("permanent", "secret", `the endpoint's secret is ${error.reason}; rotate it`)
    case "NoAnswer":
      return error.code === "address_refused"
        ? failed("permanent", error.code, "the host does not lead to a public address")
        : failed("transient", error.code, `no answer: ${error.reason}`)
  }
}

/** An id with a full stop would make two messages of one signature (Standard Webhooks, "Signature scheme"). */
const plainId = /^[A-Za-z0-9_:-]{1,256}$/

const utf8 = new TextEncoder()

export const make: Effect.Effect<ChannelProvider<"webhook">, never, OutboundPost> = Effect.map(
  OutboundPost,
  (outbound): ChannelProvider<"webhook"> => {
    const send = ({ correlationId, message, traceparent }: Outgoing<"webhook">) =>
      Effect.gen(function* () {
        if (!plainId.test(message.id)) return failed("permanent", "id", "the event's id cannot be signed")
        const text = JSON.stringify(message.body)
        const signed = yield* sign(message.secrets, message.id, text, yield* Clock.currentTimeMillis)
        const answer = yield* outbound.post({
          url: message.url,
          headers: {
            ...signed,
            "content-type": "application/json",
            "user-agent": "Beckon-Webhooks/1.0",
            ...CorrelationId.headersOf(correlationId, traceparent)
          },
          body: utf8.encode(text)
        })
        return outcomeOf(answer, yield* Clock.currentTimeMillis)
      }).pipe(Effect.catch((error) => Effect.succeed(unanswered(error))))

    return {
      id: "webhook",
      channel: "webhook",
      maxBatch: 1,
      // An endpoint that hangs holds a place for the whole limit.
      concurrency: 64,
      rate: undefined,
      accepts: () => true,
      circuit: ({ endpointId }) => `webhook:${endpointId}`,
      send: Effect.fn("WebhookProvider.send")((batch: ReadonlyArray<Outgoing<"webhook">>) =>
        Effect.forEach(batch, send, { concurrency: "unbounded" })
      )
    }
  }
)
