/**
 * SMS through Twilio's Programmable Messaging (`POST /2010-04-01/Accounts/{sid}/Messages.json`).
 *
 * **Details**
 *
 * Twilio calls back to `statusCallback` with the delivery's id in the query (`d`). It has no idempotency key for messages.
 * Error codes: https://www.twilio.com/docs/api/errors
 *
 * **Gotchas**
 *
 * Twilio refines its codes now and then; one that is not in the tables here is judged by the HTTP status.
 */
import { Effect, Option, Redacted, Schema } from "effect"
import type { Duration } from "effect"
import { HttpClientRequest } from "effect/http"
import type { HttpClient } from "effect/http"
import type { FailureClass, SendOutcome } from "@beckon/domain/Delivery"
import type { ChannelProvider, Outgoing, SmsMessage } from "@beckon/domain/ports/ChannelProvider"
import * as CorrelationId from "../http/CorrelationId.ts"
import * as ProviderHttp from "../http/ProviderHttp.ts"
import type { Answer } from "../http/ProviderHttp.ts"
import { failed, ofStatus } from "../http/ProviderFailure.ts"
import { retryAfterOf } from "../http/RetryAfter.ts"

export interface TwilioSettings {
  readonly accountSid: string
  readonly authToken: Redacted.Redacted
  /** A number or name of the account, or one of its messaging services, which chooses. */
  readonly sender: { readonly from: string } | { readonly messagingServiceSid: string }
  /** Where Twilio tells what became of a message: a public URL of ours. */
  readonly statusCallback?: string
  /** `https://api.twilio.com` by default. */
  readonly baseUrl?: string
  /** For one message; 15 s by default. */
  readonly timeout?: Duration.Input
  /** Messages at a time; 10 by default. */
  readonly concurrency?: number
  readonly rate?: ChannelProvider["rate"]
}

export class TwilioSettingsInvalid extends Schema.TaggedError<TwilioSettingsInvalid>()("TwilioSettingsInvalid", {
  reason: Schema.String
}) {
  override get message() {
    return `The settings of Twilio are not usable: ${this.reason}`
  }
}

/** The query parameter of a status callback that names the delivery. */
export const deliveryParameter = "d"

/** Twilio splits longer texts into segments, but takes no more than this (error 21617). */
const maxCharacters = 1_600

const classOf: ReadonlyMap<number, FailureClass> = new Map([
  // The account, its token, or its sender.
  ...[10001, 20002, 20003, 20005, 20006, 20403, 21212, 21603, 21606, 21659, 21660, 21701, 21703, 21705, 30002].map(
    (code) => [code, "credentials"] as const
  ),
  // No phone that takes SMS is behind the number.
  ...[21211, 21214, 21217, 21614, 21635, 30005, 30006].map((code) => [code, "unreachable"] as const),
  // Too many requests, or a full queue.
  ...[14107, 20429, 21611, 30001, 30022].map((code) => [code, "throttled"] as const),
  ...[20500, 20503, 30008].map((code) => [code, "transient"] as const),
  // Unsubscribed (21610) is a wish and not a dead number; a country that is not allowed (21408) is not the whole account.
  ...[21408, 21602, 21608, 21610, 21612, 21617].map((code) => [code, "permanent"] as const)
])

const decodeMessage = Schema.decodeUnknownOption(
  Schema.fromJsonString(
    Schema.Struct({
      sid: Schema.String,
      status: Schema.optionalKey(Schema.String),
      error_code: Schema.optionalKey(Schema.NullOr(Schema.Int)),
      error_message: Schema.optionalKey(Schema.NullOr(Schema.String))
    })
  )
)

const decodeError = Schema.decodeUnknownOption(
  Schema.fromJsonString(
    Schema.Struct({ code: Schema.optionalKey(Schema.Int), message: Schema.optionalKey(Schema.String) })
  )
)

/** What an answer of Twilio means; `now` in ms since 1970. */
export const outcomeOf = ({ headers, status, text }: Answer, now: number): SendOutcome => {
  const wait = retryAfterOf(headers["retry-after"], now)
  if (status >= 200 && status < 300) {
    const message = Option.getOrUndefined(decodeMessage(text))
    if (message === undefined) return failed("transient", "bad_answer", "Twilio did not name the message")
    const code = message.error_code ?? undefined
    if (message.status !== "failed" || code === undefined)
      return {
        _tag: "Sent",
        providerMessageId: message.sid,
        ...(message.status === undefined ? {} : { code: message.status })
      }
    return failed(classOf.get(code) ?? "permanent", `${code}`, `Twilio: ${message.error_message ?? "failed"}`, wait)
  }
  const error = Option.getOrUndefined(decodeError(text))
  const code = error?.code === undefined ? `http_${status}` : `${error.code}`
  const detail = `Twilio answered ${status}: ${error?.message ?? code}`
  const known = error?.code === undefined ? undefined : classOf.get(error.code)
  if (known !== undefined) return failed(known, code, detail, wait)
  // A 404 without a code of a message is about the account or the base URL.
  if ([401, 403, 404, 405].includes(status)) return failed("credentials", code, detail)
  return ofStatus(status, code, detail, wait) ?? failed("permanent", code, detail)
}

const statusUrlOf = (callback: string, deliveryId: string): string => {
  const url = new URL(callback)
  url.searchParams.set(deliveryParameter, deliveryId)
  return url.href
}

const formOf = (settings: TwilioSettings, message: SmsMessage, deliveryId: string): Record<string, string> => ({
  To: message.to,
  Body: message.text,
  ...("from" in settings.sender
    ? { From: settings.sender.from }
    : { MessagingServiceSid: settings.sender.messagingServiceSid }),
  ...(settings.statusCallback === undefined ? {} : { StatusCallback: statusUrlOf(settings.statusCallback, deliveryId) })
})

export const make = Effect.fnUntraced(function* (
  settings: TwilioSettings
): Effect.fn.Return<ChannelProvider<"sms">, TwilioSettingsInvalid, HttpClient.HttpClient> {
  const baseUrl = settings.baseUrl ?? "https://api.twilio.com"
  if (!/^AC[0-9a-zA-Z]+$/.test(settings.accountSid))
    return yield* new TwilioSettingsInvalid({ reason: "accountSid is not like AC0123456789abcdef…" })
  for (const [name, url] of [["baseUrl", baseUrl] as const, ["statusCallback", settings.statusCallback] as const]) {
    if (url !== undefined && !URL.canParse(url))
      return yield* new TwilioSettingsInvalid({ reason: `${name} is not a URL` })
  }
  // As it goes over the wire too: a proxy may quote the header.
  const login = Buffer.from(`${settings.accountSid}:${Redacted.value(settings.authToken)}`).toString("base64")
  const send = yield* ProviderHttp.make({
    timeout: settings.timeout,
    secrets: [settings.authToken, Redacted.make(login)]
  })
  const url = new URL(`/2010-04-01/Accounts/${settings.accountSid}/Messages.json`, baseUrl)

  const sendOne = ({
    correlationId,
    deliveryId,
    message,
    traceparent
  }: Outgoing<"sms">): Effect.Effect<SendOutcome> => {
    const characters = Array.from(message.text).length
    if (characters > maxCharacters) {
      const detail = `the text has ${characters} characters; Twilio takes at most ${maxCharacters}`
      return Effect.succeed(failed("permanent", "too_long", detail))
    }
    const request = HttpClientRequest.post(url).pipe(
      HttpClientRequest.basicAuth(settings.accountSid, settings.authToken),
      HttpClientRequest.acceptJson,
      HttpClientRequest.setHeaders(CorrelationId.headersOf(correlationId, traceparent)),
      HttpClientRequest.bodyUrlParams(formOf(settings, message, deliveryId))
    )
    return send(request, outcomeOf)
  }

  return {
    id: "twilio",
    channel: "sms",
    maxBatch: 1,
    concurrency: settings.concurrency ?? 10,
    rate: settings.rate,
    accepts: () => true,
    send: Effect.fn("TwilioProvider.send")((batch: ReadonlyArray<Outgoing<"sms">>) =>
      Effect.forEach(batch, sendOne, { concurrency: "unbounded" })
    )
  }
})
