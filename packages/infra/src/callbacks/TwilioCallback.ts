/**
 * Twilio's status callbacks for messages.
 *
 * **Details**
 *
 * Twilio signs with HMAC-SHA1 under the account's token: the whole URL as it calls it, and then the form's fields, sorted by name, name and
 * value one after the other; of a field with several values each different one once, sorted. For a body that is no form it signs the
 * URL alone, which then has the body's SHA-256 as `bodySHA256`: https://www.twilio.com/docs/usage/security#validating-requests
 *
 * Twilio is not consistent about the default port in the URL and about what it escapes there, so all forms are good that are so for its own
 * library.
 *
 * **Gotchas**
 *
 * A callback carries no time: it is as old as its arrival.
 */
import type { ProviderEvent } from "@beckon/domain/Delivery"
import { DateTime, Effect, Option, Redacted, Schema } from "effect"
import { createHash, createHmac } from "node:crypto"
import { parse, stringify } from "node:querystring"
import { deliveryParameter } from "../sms/TwilioProvider.ts"
import { codeOf, deliveryOf, detailOf, isSame, KeyPart, refuse, textOf } from "./Callback.ts"
import type { CallbackRefused, CallbackRequest } from "./Callback.ts"

const ascending = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

const signedFields = (form: URLSearchParams): string =>
  [...new Set(form.keys())]
    .toSorted(ascending)
    .flatMap((name) => [...new Set(form.getAll(name))].toSorted(ascending).map((value) => name + value))
    .join("")

/** Splits without parsing: `new URL` writes some characters differently from how they came. */
const parts = /^(?<scheme>https?):\/\/(?<user>[^/?#@]*@)?(?<host>\[[^\]]*\]|[^/?#:]*)(?<port>:\d*)?(?<rest>[/?#].*)?$/is

/** The URL without a port, and with its own or the default one; nothing for what is no HTTP URL. */
const withPorts = (url: string): ReadonlyArray<string> => {
  const groups = parts.exec(url)?.groups
  if (groups === undefined) return []
  const { host = "", port, rest = "", scheme = "", user = "" } = groups
  const fallback = scheme.toLowerCase() === "https" ? ":443" : ":80"
  return ["", port ?? fallback].map((suffix) => `${scheme}://${user}${host}${suffix}${rest}`)
}

/** The query with the characters escaped that Node's old `querystring` escapes. */
const withOldQuery = (url: string): string => {
  const start = url.indexOf("?")
  return start < 0 || start === url.length - 1
    ? url
    : `${url.slice(0, start)}?${stringify(parse(url.slice(start + 1)))}`
}

/** As it came, as a URL parser writes it, and as an older one did: the forms that Twilio's systems sign. */
const signedUrls = (url: string): ReadonlyArray<string> => {
  const written = URL.canParse(url) ? new URL(url).href : url
  const asCame = withPorts(url)
  const asWritten = withPorts(written)
  return [...new Set([...asCame, ...asWritten, ...asWritten.map(withOldQuery)])]
}

const queryOf = (url: string): URLSearchParams => {
  const [, query = ""] = /\?([^#]*)/.exec(url) ?? []
  return new URLSearchParams(query)
}

/** As text, because several texts in base64 stand for the same bytes. */
const signatureOf = (token: string, text: string): Buffer =>
  Buffer.from(createHmac("sha1", token).update(text, "utf8").digest("base64"), "utf8")

const decodeStatus = Schema.decodeUnknownOption(
  Schema.Struct({
    MessageSid: KeyPart,
    MessageStatus: Schema.NonEmptyString.check(Schema.isPattern(/^[a-z_]{1,50}$/)),
    ErrorCode: Schema.optionalKey(Schema.Unknown),
    ErrorMessage: Schema.optionalKey(Schema.Unknown)
  })
)
const decodeJson = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.JsonObject))

const states: ReadonlyMap<string, ProviderEvent["state"]> = new Map([
  ["sent", "sent"],
  ["delivered", "delivered"],
  ["read", "seen"],
  ["undelivered", "dead"],
  ["failed", "dead"],
  ["canceled", "dead"]
] as const)

const wordOf = (value: unknown): string | undefined =>
  typeof value === "string" ? value : typeof value === "number" ? `${value}` : undefined

const eventOf = (fields: unknown, deliveryId: string | null, at: DateTime.Utc): ProviderEvent | undefined => {
  const status = Option.getOrUndefined(decodeStatus(fields))
  if (status === undefined) return undefined
  const error = wordOf(status.ErrorCode)
  return {
    provider: "twilio",
    eventKey: `${status.MessageSid}:${status.MessageStatus}`,
    ...deliveryOf(deliveryId),
    providerMessageId: status.MessageSid,
    state: states.get(status.MessageStatus) ?? null,
    code: codeOf(error === undefined || error === "" ? status.MessageStatus : error),
    detail: detailOf([wordOf(status.ErrorMessage)]),
    at
  }
}

export interface TwilioCallback {
  readonly events: (request: CallbackRequest) => Effect.Effect<ReadonlyArray<ProviderEvent>, CallbackRefused>
}

export const make = (settings: { readonly authToken: Redacted.Redacted }): TwilioCallback => ({
  events: Effect.fn("TwilioCallback.events")(function* ({ body, headers, url }: CallbackRequest) {
    const header = headers["x-twilio-signature"]
    if (header === undefined) return yield* refuse("unsigned")
    const query = queryOf(url)
    const bodyHash = query.get("bodySHA256")
    const form = new URLSearchParams(bodyHash === null ? textOf(body).replace(/^\?/, "%3F") : "")
    const token = Redacted.value(settings.authToken)
    const given = Buffer.from(header, "utf8")
    const fields = signedFields(form)
    const isSigned = signedUrls(url).some((signed) => isSame(given, signatureOf(token, signed + fields)))
    const isWhole =
      bodyHash === null ||
      isSame(Buffer.from(bodyHash, "utf8"), Buffer.from(createHash("sha256").update(body).digest("hex"), "utf8"))
    if (!isSigned || !isWhole) return yield* refuse("forged")
    const isJson = bodyHash !== null && headers["content-type"]?.toLowerCase().startsWith("application/json") === true
    const sent = bodyHash === null ? form : new URLSearchParams(textOf(body))
    const content = isJson ? Option.getOrUndefined(decodeJson(textOf(body))) : Object.fromEntries(sent)
    const event = eventOf(content, query.get(deliveryParameter), yield* DateTime.now)
    return event === undefined ? yield* refuse("malformed") : [event]
  })
})
