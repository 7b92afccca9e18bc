/**
 * The webhook of WhatsApp's Cloud API: the challenge when it is set up, and the statuses of messages.
 *
 * **Details**
 *
 * Meta signs the raw body with HMAC-SHA256 under the app's secret (`X-Hub-Signature-256`). One body has statuses of several messages,
 * and what users write to us, which is not ours to read here.
 * https://developers.facebook.com/docs/graph-api/webhooks/getting-started
 */
import type { ProviderEvent } from "@beckon/domain/Delivery"
import { DateTime, Effect, Option, Redacted, Schema } from "effect"
import { createHash, createHmac } from "node:crypto"
import { codeOf, deliveryOf, detailOf, isSame, keepGood, KeyPart, refuse, textOf } from "./Callback.ts"
import type { CallbackRefused, CallbackRequest } from "./Callback.ts"

export interface WhatsAppCallbackSettings {
  readonly appSecret: Redacted.Redacted
  /** The word that was agreed when the webhook was set up. */
  readonly verifyToken: Redacted.Redacted
}

const decodeBody = Schema.decodeUnknownOption(
  Schema.fromJsonString(Schema.Struct({ entry: Schema.Array(Schema.Unknown) }))
)
const decodeEntry = Schema.decodeUnknownOption(Schema.Struct({ changes: Schema.Array(Schema.Unknown) }))
const decodeChange = Schema.decodeUnknownOption(
  Schema.Struct({ value: Schema.Struct({ statuses: Schema.optionalKey(Schema.Array(Schema.Unknown)) }) })
)

const decodeStatus = Schema.decodeUnknownOption(
  Schema.Struct({
    id: KeyPart,
    status: Schema.NonEmptyString.check(Schema.isPattern(/^[a-z_]{1,50}$/)),
    /** Seconds since 1970. */
    timestamp: Schema.Union([Schema.String.check(Schema.isPattern(/^\d{1,12}$/)), Schema.Int]),
    biz_opaque_callback_data: Schema.optionalKey(Schema.Unknown),
    errors: Schema.optionalKey(Schema.Unknown)
  })
)

const decodeErrors = Schema.decodeUnknownOption(
  Schema.NonEmptyArray(
    Schema.Struct({
      code: Schema.Int,
      title: Schema.optionalKey(Schema.String),
      error_data: Schema.optionalKey(Schema.Struct({ details: Schema.optionalKey(Schema.String) }))
    })
  )
)

const states: ReadonlyMap<string, ProviderEvent["state"]> = new Map([
  ["sent", "sent"],
  ["delivered", "delivered"],
  ["read", "seen"],
  ["played", "seen"],
  ["failed", "dead"]
] as const)

const eventOf = (item: unknown): ProviderEvent | undefined => {
  const status = Option.getOrUndefined(decodeStatus(item))
  const at = Option.getOrUndefined(DateTime.make(Number(status?.timestamp) * 1_000))
  if (status === undefined || at === undefined) return undefined
  const error = Option.getOrUndefined(decodeErrors(status.errors))?.[0]
  return {
    provider: "whatsapp",
    eventKey: `${status.id}:${status.status}`,
    ...deliveryOf(status.biz_opaque_callback_data),
    providerMessageId: status.id,
    state: states.get(status.status) ?? null,
    code: codeOf(error === undefined ? status.status : `${error.code}`),
    detail: detailOf([error?.error_data?.details ?? error?.title]),
    at: DateTime.toUtc(at)
  }
}

/** What is not understood on the way to the statuses stands for one broken event. */
const statusesOf = (entry: unknown): ReadonlyArray<unknown> => {
  const changes = Option.getOrUndefined(decodeEntry(entry))?.changes
  return changes === undefined
    ? [undefined]
    : changes.flatMap((change) => {
        const decoded = Option.getOrUndefined(decodeChange(change))
        return decoded === undefined ? [undefined] : (decoded.value.statuses ?? [])
      })
}

const digest = (text: string): Buffer => createHash("sha256").update(text, "utf8").digest()

export interface WhatsAppCallback {
  /** Answers what Meta wants to hear, as the body of a 200. */
  readonly challenge: (url: string) => Effect.Effect<string, CallbackRefused>
  readonly events: (request: CallbackRequest) => Effect.Effect<ReadonlyArray<ProviderEvent>, CallbackRefused>
}

export const make = (settings: WhatsAppCallbackSettings): WhatsAppCallback => ({
  challenge: Effect.fn("WhatsAppCallback.challenge")(function* (url: string) {
    const query = new URLSearchParams(/\?([^#]*)/.exec(url)?.[1] ?? "")
    const token = query.get("hub.verify_token")
    const challenge = query.get("hub.challenge")
    if (token === null) return yield* refuse("unsigned")
    // Hashes have one length, so that the time does not tell that of the token either.
    if (!isSame(digest(token), digest(Redacted.value(settings.verifyToken)))) return yield* refuse("forged")
    // It goes back to the caller as text: letters and digits are all that Meta asks for.
    if (query.get("hub.mode") !== "subscribe" || challenge === null || !/^[\w-]{1,256}$/.test(challenge))
      return yield* refuse("malformed")
    return challenge
  }),

  events: Effect.fn("WhatsAppCallback.events")(function* ({ body, headers }: CallbackRequest) {
    const header = headers["x-hub-signature-256"]
    if (header === undefined) return yield* refuse("unsigned")
    const [, hex = ""] = /^sha256=([0-9a-f]{64})$/i.exec(header) ?? []
    const expected = createHmac("sha256", Redacted.value(settings.appSecret)).update(body).digest()
    if (!isSame(Buffer.from(hex, "hex"), expected)) return yield* refuse("forged")
    const decoded = Option.getOrUndefined(decodeBody(textOf(body)))
    if (decoded === undefined) return yield* refuse("malformed")
    return yield* keepGood("whatsapp", decoded.entry.flatMap(statusesOf).map(eventOf))
  })
})
