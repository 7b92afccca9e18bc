/**
 * Email through SendGrid's API v3 (`POST /v3/mail/send`).
 *
 * **Details**
 *
 * The delivery's id goes along as a custom argument, which SendGrid's events bring back. SendGrid has no idempotency key: a second try
 * has the same `Message-ID`.
 *
 * **Gotchas**
 *
 * 403 also stands for a sender that is not verified: that is our account's fault too, and no message of it can go out.
 */
import { Duration, Effect, Option, Schema } from "effect"
import type { Redacted } from "effect"
import { HttpClientRequest } from "effect/http"
import type { Headers, HttpClient } from "effect/http"
import type { SendOutcome } from "@beckon/domain/Delivery"
import type { ChannelProvider, EmailMessage, Outgoing } from "@beckon/domain/ports/ChannelProvider"
import * as CorrelationId from "../http/CorrelationId.ts"
import * as ProviderHttp from "../http/ProviderHttp.ts"
import type { Answer } from "../http/ProviderHttp.ts"
import { failed, ofStatus } from "../http/ProviderFailure.ts"
import { retryAfterOf } from "../http/RetryAfter.ts"
import { domainOf, emailAddressOf } from "./EmailAddress.ts"
import type { EmailAddress } from "./EmailAddress.ts"
import { prepare } from "./PreparedEmail.ts"
import type { PreparedEmail } from "./PreparedEmail.ts"

export interface SendGridSettings {
  readonly apiKey: Redacted.Redacted
  /** `Acme <no-reply@acme.example>`, a verified sender. */
  readonly from: string
  /** `https://api.sendgrid.com` by default; `https://api.eu.sendgrid.com` for subusers in the EU. */
  readonly baseUrl?: string
  /** For one message; 15 s by default. */
  readonly timeout?: Duration.Input
  /** Messages at a time; 10 by default. */
  readonly concurrency?: number
  readonly rate?: ChannelProvider["rate"]
}

export class SendGridSettingsInvalid extends Schema.TaggedError<SendGridSettingsInvalid>()("SendGridSettingsInvalid", {
  reason: Schema.String
}) {
  override get message() {
    return `The settings of SendGrid are not usable: ${this.reason}`
  }
}

const decodeErrors = Schema.decodeUnknownOption(
  Schema.fromJsonString(
    Schema.Struct({
      errors: Schema.Array(
        Schema.Struct({
          message: Schema.optionalKey(Schema.String),
          field: Schema.optionalKey(Schema.NullOr(Schema.String))
        })
      )
    })
  )
)

const mailboxOf = ({ address, name }: EmailAddress) => (name === "" ? { email: address } : { email: address, name })

const bodyOf = (message: EmailMessage, email: PreparedEmail, from: EmailAddress, deliveryId: string) => ({
  personalizations: [{ to: [mailboxOf(email.to)], custom_args: { delivery_id: deliveryId } }],
  from: mailboxOf(from),
  ...(email.replyTo === undefined ? {} : { reply_to: mailboxOf(email.replyTo) }),
  subject: email.subject,
  content: [
    // SendGrid refuses a part without a character.
    { type: "text/plain", value: message.text === "" ? " " : message.text },
    ...(message.html === undefined || message.html === "" ? [] : [{ type: "text/html", value: message.html }])
  ],
  headers: { "Message-ID": email.messageId, ...email.headers }
})

/** `Retry-After`, or the second of `X-RateLimit-Reset` (since 1970). */
const waitOf = (headers: Headers.Headers, now: number): Duration.Duration | undefined => {
  const reset = Number(headers["x-ratelimit-reset"]) * 1_000 - now
  return (
    retryAfterOf(headers["retry-after"], now) ??
    (reset > 0 ? Duration.min(Duration.millis(reset), Duration.days(1)) : undefined)
  )
}

/** What an answer of SendGrid means; `now` in ms since 1970. */
export const outcomeOf = ({ headers, status, text }: Answer, now: number): SendOutcome => {
  if (status >= 200 && status < 300)
    return { _tag: "Sent", providerMessageId: headers["x-message-id"] ?? null, code: `http_${status}` }
  const errors = Option.getOrUndefined(decodeErrors(text))?.errors ?? []
  const said = errors.map(({ field, message }) => [field, message].filter(Boolean).join(": ")).join("; ")
  const code = `http_${status}`
  const detail = `SendGrid answered ${status}${said === "" ? "" : `: ${said}`}`
  // A bare 404 or 405 is about the base URL.
  if ([401, 402, 403, 404, 405].includes(status)) return failed("credentials", code, detail)
  return ofStatus(status, code, detail, waitOf(headers, now)) ?? failed("permanent", code, detail)
}

export const make = Effect.fnUntraced(function* (
  settings: SendGridSettings
): Effect.fn.Return<ChannelProvider<"email">, SendGridSettingsInvalid, HttpClient.HttpClient> {
  const from = emailAddressOf(settings.from)
  if (from === undefined || !URL.canParse(`http://${domainOf(from)}`))
    return yield* new SendGridSettingsInvalid({ reason: "from is not one email address" })
  const baseUrl = settings.baseUrl ?? "https://api.sendgrid.com"
  if (!URL.canParse(baseUrl)) return yield* new SendGridSettingsInvalid({ reason: "baseUrl is not a URL" })
  const send = yield* ProviderHttp.make({ timeout: settings.timeout, secrets: [settings.apiKey] })

  const sendOne = ({
    correlationId,
    deliveryId,
    message,
    traceparent
  }: Outgoing<"email">): Effect.Effect<SendOutcome> => {
    const email = prepare(message, deliveryId, from)
    if (email._tag === "Failed") return Effect.succeed(email)
    const request = HttpClientRequest.post(new URL("/v3/mail/send", baseUrl)).pipe(
      HttpClientRequest.bearerToken(settings.apiKey),
      HttpClientRequest.setHeaders(CorrelationId.headersOf(correlationId, traceparent)),
      HttpClientRequest.bodyJsonUnsafe(bodyOf(message, email, from, deliveryId))
    )
    return send(request, outcomeOf)
  }

  return {
    id: "sendgrid",
    channel: "email",
    maxBatch: 1,
    concurrency: settings.concurrency ?? 10,
    rate: settings.rate,
    accepts: () => true,
    send: Effect.fn("SendGridProvider.send")((batch: ReadonlyArray<Outgoing<"email">>) =>
      Effect.forEach(batch, sendOne, { concurrency: "unbounded" })
    )
  }
})
