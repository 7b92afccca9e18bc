/**
 * SendGrid's Event Webhook.
 *
 * **Details**
 *
 * SendGrid signs the header's timestamp and the raw body with ECDSA on P-256 and SHA-256:
 * https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
 *
 * It tries for up to 24 hours to hand an event over, and does not say whether it signs anew for each try; so a signature is good for 25 hours.
 * Repeating one within that time gains nothing: every event has an id (`sg_event_id`), and a known event changes nothing.
 *
 * **Gotchas**
 *
 * Apple's mail program fetches all images when a mail arrives; SendGrid marks these opens (`sg_machine_open`), and they do not say that
 * somebody has seen the mail.
 */
import type { ProviderEvent } from "@beckon/domain/Delivery"
import { Clock, DateTime, Duration, Effect, Option, Schema } from "effect"
import { createPublicKey, verify } from "node:crypto"
import type { KeyObject } from "node:crypto"
import { storable } from "../http/StorableText.ts"
import { codeOf, deliveryOf, detailOf, keepGood, KeyPart, refuse, textOf } from "./Callback.ts"
import type { CallbackRefused, CallbackRequest } from "./Callback.ts"

export interface SendGridCallbackSettings {
  /** The verification key of the Event Webhook: base64 of a DER (SPKI). */
  readonly publicKey: string
  /** 25 hours by default. */
  readonly maxAge?: Duration.Input
}

export class SendGridKeyInvalid extends Schema.TaggedError<SendGridKeyInvalid>()("SendGridKeyInvalid", {}) {
  override get message() {
    return "The verification key of SendGrid's Event Webhook is not a P-256 key in base64"
  }
}

/** How far SendGrid's clock may be ahead of ours. */
const maxAhead = Duration.toMillis("10 minutes")

const decodeBatch = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Array(Schema.Unknown)))

const decodeEvent = Schema.decodeUnknownOption(
  Schema.Struct({
    event: Schema.NonEmptyString,
    sg_event_id: KeyPart,
    timestamp: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 8_640_000_000_000 })),
    sg_message_id: Schema.optionalKey(Schema.Unknown),
    delivery_id: Schema.optionalKey(Schema.Unknown),
    sg_machine_open: Schema.optionalKey(Schema.Unknown),
    type: Schema.optionalKey(Schema.Unknown),
    status: Schema.optionalKey(Schema.Unknown),
    reason: Schema.optionalKey(Schema.Unknown),
    response: Schema.optionalKey(Schema.Unknown)
  })
)

const states: ReadonlyMap<string, ProviderEvent["state"]> = new Map([
  ["processed", "sent"],
  ["delivered", "delivered"],
  ["open", "seen"],
  ["click", "seen"],
  ["bounce", "dead"],
  ["dropped", "dead"]
] as const)

const stringOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

/** SendGrid appends its route to the `X-Message-Id` that the send was answered with. */
const messageIdOf = (id: unknown): Pick<ProviderEvent, "providerMessageId"> => {
  const text = stringOf(id)?.replace(/\.(filter|recvd).*$/s, "")
  return text === undefined || text === "" ? {} : { providerMessageId: storable(text, 256) }
}

const eventOf = (item: unknown): ProviderEvent | undefined => {
  const event = Option.getOrUndefined(decodeEvent(item))
  if (event === undefined) return undefined
  const isMachine = event.event === "open" && event.sg_machine_open === true
  const code = isMachine ? "machine_open" : event.event === "bounce" ? (stringOf(event.type) ?? "bounce") : event.event
  return {
    provider: "sendgrid",
    eventKey: event.sg_event_id,
    ...deliveryOf(event.delivery_id),
    ...messageIdOf(event.sg_message_id),
    state: isMachine ? "delivered" : (states.get(event.event) ?? null),
    code: codeOf(code),
    detail: detailOf([stringOf(event.status), stringOf(event.reason) ?? stringOf(event.response)]),
    at: DateTime.makeUnsafe(event.timestamp * 1_000)
  }
}

const keyOf = (publicKey: string): Effect.Effect<KeyObject, SendGridKeyInvalid> =>
  Effect.try({
    try: () => createPublicKey({ key: Buffer.from(publicKey, "base64"), format: "der", type: "spki" }),
    catch: () => new SendGridKeyInvalid()
  }).pipe(
    Effect.filterOrFail(
      (key) => key.asymmetricKeyDetails?.namedCurve === "prime256v1",
      () => new SendGridKeyInvalid()
    )
  )

export interface SendGridCallback {
  readonly events: (request: CallbackRequest) => Effect.Effect<ReadonlyArray<ProviderEvent>, CallbackRefused>
}

export const make = Effect.fnUntraced(function* (
  settings: SendGridCallbackSettings
): Effect.fn.Return<SendGridCallback, SendGridKeyInvalid> {
  const key = yield* keyOf(settings.publicKey)
  const maxAge = Duration.toMillis(Duration.fromInputUnsafe(settings.maxAge ?? "25 hours"))

  const events = Effect.fn("SendGridCallback.events")(function* ({ body, headers }: CallbackRequest) {
    const signature = headers["x-twilio-email-event-webhook-signature"]
    const timestamp = headers["x-twilio-email-event-webhook-timestamp"]
    if (signature === undefined || timestamp === undefined) return yield* refuse("unsigned")
    const signed = Buffer.concat([Buffer.from(timestamp, "utf8"), body])
    if (!verify("sha256", signed, key, Buffer.from(signature, "base64"))) return yield* refuse("forged")
    if (!/^\d{1,12}$/.test(timestamp)) return yield* refuse("malformed")
    const age = (yield* Clock.currentTimeMillis) - Number(timestamp) * 1_000
    if (age > maxAge || age < -maxAhead) return yield* refuse("stale")
    const batch = Option.getOrUndefined(decodeBatch(textOf(body)))
    return batch === undefined ? yield* refuse("malformed") : yield* keepGood("sendgrid", batch.map(eventOf))
  })

  return { events }
})
