/**
 * WhatsApp through Meta's Cloud API (`POST /{version}/{phone-number-id}/messages`).
 *
 * **Details**
 *
 * The delivery's id goes along as `biz_opaque_callback_data`, which the status callbacks bring back. There is no idempotency key.
 * Meta's codes decide, and the HTTP status where there is none:
 * https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
 *
 * **Gotchas**
 *
 * A text only reaches who wrote to us in the last 24 hours (131047); everybody else needs an approved template.
 */
import { Effect, Option, Schema } from "effect"
import type { Duration, Redacted } from "effect"
import { HttpClientRequest } from "effect/http"
import type { HttpClient } from "effect/http"
import type { FailureClass, SendOutcome } from "@beckon/domain/Delivery"
import type { ChannelProvider, Outgoing, WhatsAppMessage } from "@beckon/domain/ports/ChannelProvider"
import * as CorrelationId from "../http/CorrelationId.ts"
import * as ProviderHttp from "../http/ProviderHttp.ts"
import type { Answer } from "../http/ProviderHttp.ts"
import { failed, ofStatus } from "../http/ProviderFailure.ts"
import { retryAfterOf } from "../http/RetryAfter.ts"

export interface WhatsAppSettings {
  readonly phoneNumberId: string
  readonly accessToken: Redacted.Redacted
  /** `v23.0` by default. */
  readonly version?: string
  /** `https://graph.facebook.com` by default. */
  readonly baseUrl?: string
  /** For one message; 15 s by default. */
  readonly timeout?: Duration.Input
  /** Messages at a time; 10 by default. */
  readonly concurrency?: number
  readonly rate?: ChannelProvider["rate"]
}

export class WhatsAppSettingsInvalid extends Schema.TaggedError<WhatsAppSettingsInvalid>()("WhatsAppSettingsInvalid", {
  reason: Schema.String
}) {
  override get message() {
    return `The settings of WhatsApp are not usable: ${this.reason}`
  }
}

/** The limit of a text message's body. */
const maxCharacters = 4_096

const classes: ReadonlyArray<readonly [FailureClass, ReadonlyArray<number>]> = [
  // Token and permissions; a number that is gone, locked or not registered; an account that is barred or has not paid.
  ["credentials", [0, 3, 10, 33, 190, 368, 131005, 131031, 131042, 131045, 133010]],
  ["throttled", [4, 80007, 130429, 131048, 131056, 133016]],
  // Not on WhatsApp, or ourselves.
  ["unreachable", [131021, 131026]],
  ["transient", [1, 2, 131000, 131016, 131057, 133004]]
]

/** What a code of Meta's says by itself; `undefined` for one that is not known. */
const classOf = (code: number, subcode: number | undefined): FailureClass | undefined => {
  // The phone number id is not there, or not for us to see.
  if (code === 100 && subcode === 33) return "credentials"
  if (code >= 200 && code <= 299) return "credentials"
  if (code >= 131000 && code <= 132999) return classes.find(([, codes]) => codes.includes(code))?.[0] ?? "permanent"
  return classes.find(([, codes]) => codes.includes(code))?.[0]
}

const decodeSent = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ messages: Schema.NonEmptyArray(Schema.Struct({ id: Schema.String })) }))
)

const decodeError = Schema.decodeUnknownOption(
  Schema.fromJsonString(
    Schema.Struct({
      error: Schema.Struct({
        code: Schema.Int,
        error_subcode: Schema.optionalKey(Schema.Int),
        message: Schema.optionalKey(Schema.String),
        error_data: Schema.optionalKey(Schema.Struct({ details: Schema.optionalKey(Schema.String) }))
      })
    })
  )
)

/** What an answer of the Cloud API means; `now` in ms since 1970. */
export const outcomeOf = ({ headers, status, text }: Answer, now: number): SendOutcome => {
  if (status >= 200 && status < 300) {
    const id = Option.getOrUndefined(decodeSent(text))?.messages[0].id
    return id === undefined
      ? failed("transient", "bad_answer", "WhatsApp did not name the message")
      : { _tag: "Sent", providerMessageId: id }
  }
  const wait = retryAfterOf(headers["retry-after"], now)
  const error = Option.getOrUndefined(decodeError(text))?.error
  const code = error === undefined ? `http_${status}` : `${error.code}`
  const said = error?.error_data?.details ?? error?.message
  const detail = `WhatsApp answered ${status}${said === undefined ? "" : `: ${said}`}`
  const known = error === undefined ? undefined : classOf(error.code, error.error_subcode)
  if (known !== undefined) return failed(known, code, detail, wait)
  if ([401, 403, 404].includes(status)) return failed("credentials", code, detail)
  return ofStatus(status, code, detail, wait) ?? failed("permanent", code, detail)
}

const contentOf = (content: WhatsAppMessage["content"]) =>
  content._tag === "Text"
    ? { type: "text", text: { body: content.text, preview_url: false } }
    : {
        type: "template",
        template: {
          name: content.name,
          language: { code: content.language },
          ...(content.parameters.length === 0
            ? {}
            : {
                components: [{ type: "body", parameters: content.parameters.map((text) => ({ type: "text", text })) }]
              })
        }
      }

export const make = Effect.fnUntraced(function* (
  settings: WhatsAppSettings
): Effect.fn.Return<ChannelProvider<"whatsapp">, WhatsAppSettingsInvalid, HttpClient.HttpClient> {
  const { baseUrl = "https://graph.facebook.com", phoneNumberId, version = "v23.0" } = settings
  if (!URL.canParse(baseUrl)) return yield* new WhatsAppSettingsInvalid({ reason: "baseUrl is not a URL" })
  if (!/^\d+$/.test(phoneNumberId))
    return yield* new WhatsAppSettingsInvalid({ reason: "phoneNumberId is not a number" })
  if (!/^v\d+\.\d+$/.test(version)) return yield* new WhatsAppSettingsInvalid({ reason: "version is not like v23.0" })
  const send = yield* ProviderHttp.make({ timeout: settings.timeout, secrets: [settings.accessToken] })
  const url = new URL(`/${version}/${phoneNumberId}/messages`, baseUrl)

  const sendOne = ({
    correlationId,
    deliveryId,
    message,
    traceparent
  }: Outgoing<"whatsapp">): Effect.Effect<SendOutcome> => {
    const { content, to } = message
    if (content._tag === "Text" && Array.from(content.text).length > maxCharacters) {
      const detail = `the text has more than the ${maxCharacters} characters that WhatsApp takes`
      return Effect.succeed(failed("permanent", "too_long", detail))
    }
    const request = HttpClientRequest.post(url).pipe(
      HttpClientRequest.bearerToken(settings.accessToken),
      HttpClientRequest.setHeaders(CorrelationId.headersOf(correlationId, traceparent)),
      HttpClientRequest.bodyJsonUnsafe({
        messaging_product: "whatsapp",
        recipient_type: "individual",
        to,
        biz_opaque_callback_data: deliveryId,
        ...contentOf(content)
      })
    )
    return send(request, outcomeOf)
  }

  return {
    id: "whatsapp",
    channel: "whatsapp",
    maxBatch: 1,
    concurrency: settings.concurrency ?? 10,
    rate: settings.rate,
    accepts: () => true,
    send: Effect.fn("WhatsAppProvider.send")((batch: ReadonlyArray<Outgoing<"whatsapp">>) =>
      Effect.forEach(batch, sendOne, { concurrency: "unbounded" })
    )
  }
})
