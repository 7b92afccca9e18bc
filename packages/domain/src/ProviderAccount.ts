/**
 * An account with a sender that a tenant brings along: its public settings, and credentials that are never shown again.
 *
 * **Details**
 *
 * What a kind wants is in `forms`. What does not fit is said by the name of the field and what it takes, and never with what
 * was given: that may be the secret itself, in the wrong place.
 */
import { Option, Result, Schema, SchemaIssue } from "effect"
import type { DateTime, Redacted } from "effect"
import type { DeliveryChannel } from "./Delivery.ts"
import type { TenantId } from "./Identifiers.ts"
import { identifierOf, nonEmptyTextOf } from "./Text.ts"

export const ProviderAccountId = identifierOf(64)

export const ProviderKind = Schema.Literals(["fcm", "webpush", "sendgrid", "smtp", "twilio", "whatsapp", "log"])
export type ProviderKind = typeof ProviderKind.Type

export const ProviderAccountName = nonEmptyTextOf(100)

/** The lower ones are tried first. */
export const ProviderOrder = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000 }))

/** Messages a second, over all nodes. */
export const ProviderRate = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 }))

const Url = nonEmptyTextOf(2_048)
const From = nonEmptyTextOf(320)
const Port = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }))
const Secret = nonEmptyTextOf(4_096)
const Pem = nonEmptyTextOf(16_384)
const Host = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9](?:[A-Za-z0-9.:_-]{0,251}[A-Za-z0-9])?$/))

/** A struct without fields would take anything. */
const Nothing = Schema.Struct({}).check(
  Schema.makeFilter((given: object) => Object.keys(given).length === 0, { expected: "no fields" })
)

/** By kind: the channel, what everybody may see, and what nobody may see again. */
export const forms = {
  fcm: {
    channel: "push",
    settings: Nothing,
    credentials: Schema.Struct({ service_account: Pem })
  },
  webpush: {
    channel: "push",
    settings: Schema.Struct({ subject: Url, public_key: nonEmptyTextOf(256) }),
    credentials: Schema.Struct({ private_key: Secret })
  },
  sendgrid: {
    channel: "email",
    settings: Schema.Struct({
      from: From,
      base_url: Schema.optionalKey(Url),
      webhook_public_key: Schema.optionalKey(nonEmptyTextOf(1_024))
    }),
    credentials: Schema.Struct({ api_key: Secret })
  },
  smtp: {
    channel: "email",
    settings: Schema.Struct({
      from: From,
      host: Host,
      port: Port,
      tls: Schema.Literals(["implicit", "starttls"]),
      username: Schema.optionalKey(nonEmptyTextOf(320)),
      dkim_domain: Schema.optionalKey(nonEmptyTextOf(253)),
      dkim_selector: Schema.optionalKey(nonEmptyTextOf(63))
    }),
    credentials: Schema.Struct({
      password: Schema.optionalKey(Secret),
      dkim_private_key: Schema.optionalKey(Pem)
    })
  },
  twilio: {
    channel: "sms",
    settings: Schema.Struct({
      account_sid: Schema.String.check(Schema.isPattern(/^AC[0-9a-zA-Z]{1,62}$/)),
      from: nonEmptyTextOf(64),
      base_url: Schema.optionalKey(Url)
    }),
    credentials: Schema.Struct({ auth_token: Secret })
  },
  whatsapp: {
    channel: "whatsapp",
    settings: Schema.Struct({
      phone_number_id: Schema.String.check(Schema.isPattern(/^\d{1,32}$/)),
      base_url: Schema.optionalKey(Url),
      version: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^v\d{1,3}\.\d{1,3}$/)))
    }),
    credentials: Schema.Struct({
      access_token: Secret,
      app_secret: Schema.optionalKey(Secret),
      verify_token: Schema.optionalKey(Secret)
    })
  },
  log: { channel: "push", settings: Nothing, credentials: Nothing }
} as const

/** The settings that say where credentials are sent. */
const destinations: Readonly<Record<ProviderKind, ReadonlyArray<string>>> = {
  fcm: [],
  webpush: [],
  sendgrid: ["base_url"],
  smtp: ["host", "port", "tls"],
  twilio: ["base_url"],
  whatsapp: ["base_url"],
  log: []
}

/** The first setting with which credentials would go elsewhere than before. */
export const redirectedBy = (
  kind: ProviderKind,
  before: Schema.JsonObject,
  after: Schema.JsonObject
): string | undefined => destinations[kind].find((name) => before[name] !== after[name])

type Forms = typeof forms
export type SettingsOf<Kind extends ProviderKind> = Forms[Kind]["settings"]["Type"]
export type CredentialsOf<Kind extends ProviderKind> = Forms[Kind]["credentials"]["Type"]

export const channelOf = (kind: ProviderKind): DeliveryChannel => forms[kind].channel

/** What each field takes, for people. */
const takes: Readonly<Record<string, string>> = {
  service_account: "the JSON of a service account as text, at most 16384 characters",
  subject: "mailto: or https:, at most 2048 characters",
  public_key: "text of 1 to 256 characters",
  private_key: "text of 1 to 4096 characters",
  from: "the sender: an email address such as Acme <hello@acme.example>, or for SMS a number or the SID of a messaging service",
  base_url: "an https URL of at most 2048 characters",
  webhook_public_key: "base64 of at most 1024 characters",
  api_key: "text of 1 to 4096 characters",
  host: "the name of a public host",
  port: "a whole number from 1 to 65535",
  tls: "implicit or starttls",
  username: "text of 1 to 320 characters",
  password: "text of 1 to 4096 characters",
  dkim_domain: "a domain of at most 253 characters",
  dkim_selector: "text of 1 to 63 characters",
  dkim_private_key: "PEM of at most 16384 characters",
  account_sid: "an id such as AC0123456789abcdef",
  auth_token: "text of 1 to 4096 characters",
  phone_number_id: "digits, at most 32",
  version: "such as v23.0",
  access_token: "text of 1 to 4096 characters",
  app_secret: "text of 1 to 4096 characters",
  verify_token: "text of 1 to 4096 characters"
}

/** `field` is like `credentials.api_key`. */
export class ProviderFormInvalid extends Schema.TaggedError<ProviderFormInvalid>()("ProviderFormInvalid", {
  field: Schema.String,
  expected: Schema.String
}) {
  override get message() {
    return `${this.field}: ${this.expected}`
  }
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()

const strict = { onExcessProperty: "error", errors: "first" } as const
const decoders = {
  fcm: [Schema.decodeUnknownResult(forms.fcm.settings), Schema.decodeUnknownResult(forms.fcm.credentials)],
  webpush: [Schema.decodeUnknownResult(forms.webpush.settings), Schema.decodeUnknownResult(forms.webpush.credentials)],
  sendgrid: [
    Schema.decodeUnknownResult(forms.sendgrid.settings),
    Schema.decodeUnknownResult(forms.sendgrid.credentials)
  ],
  smtp: [Schema.decodeUnknownResult(forms.smtp.settings), Schema.decodeUnknownResult(forms.smtp.credentials)],
  twilio: [Schema.decodeUnknownResult(forms.twilio.settings), Schema.decodeUnknownResult(forms.twilio.credentials)],
  whatsapp: [
    Schema.decodeUnknownResult(forms.whatsapp.settings),
    Schema.decodeUnknownResult(forms.whatsapp.credentials)
  ],
  log: [Schema.decodeUnknownResult(forms.log.settings), Schema.decodeUnknownResult(forms.log.credentials)]
} as const

const invalid = (kind: ProviderKind, part: "settings" | "credentials", issue: SchemaIssue.Issue) => {
  const first = format(issue).issues[0]?.path?.[0]
  const name = typeof first === "string" ? first : ""
  const known = Object.keys(forms[kind][part].fields)
  return known.includes(name)
    ? new ProviderFormInvalid({ field: `${part}.${name}`, expected: takes[name] ?? "another value" })
    : new ProviderFormInvalid({
        field: part,
        expected:
          known.length === 0 ? `${kind} takes none` : `an object; ${kind} takes ${known.join(", ")} and nothing else`
      })
}

/** Settings or credentials as the kind wants them. */
export const decodeForm = <Kind extends ProviderKind, Part extends "settings" | "credentials">(
  kind: Kind,
  part: Part,
  given: unknown
): Result.Result<Forms[Kind][Part]["Type"], ProviderFormInvalid> => {
  const decode = decoders[kind][part === "settings" ? 0 : 1]
  // The table has the decoder of the kind's own part at this place.
  return Result.mapError(decode(given, strict), ({ issue }) => invalid(kind, part, issue)) as Result.Result<
    Forms[Kind][Part]["Type"],
    ProviderFormInvalid
  >
}

export interface ProviderAccount {
  readonly id: string
  readonly tenantId: TenantId
  readonly kind: ProviderKind
  readonly name: string
  readonly order: number
  readonly enabled: boolean
  /** As `forms` wants it. */
  readonly settings: Schema.JsonObject
  /** Messages a second; `null` for no limit. */
  readonly rate: number | null
  readonly credentials: {
    /** The key that keeps them. */
    readonly keyId: string
    /** Tells the same credentials from others; they cannot be found by it. */
    readonly fingerprint: string
    readonly updatedAt: DateTime.Utc
  }
  /** Rises with every change. */
  readonly version: number
  readonly createdAt: DateTime.Utc
  readonly updatedAt: DateTime.Utc
}

export interface NewProviderAccount {
  readonly kind: ProviderKind
  readonly name: string
  readonly order: number
  readonly enabled: boolean
  readonly settings: Schema.JsonObject
  readonly rate: number | null
  /** JSON, as `forms` wants it. */
  readonly credentials: Redacted.Redacted
}

/** What is absent stays as it is; settings and credentials are replaced whole. */
export interface ProviderAccountChange {
  readonly name?: string
  readonly order?: number
  readonly enabled?: boolean
  readonly settings?: Schema.JsonObject
  readonly rate?: number | null
  readonly credentials?: Redacted.Redacted
}

/** In the order in which they are tried. */
export const inOrder = (left: ProviderAccount, right: ProviderAccount): number =>
  left.order - right.order ||
  left.createdAt.epochMilliseconds - right.createdAt.epochMilliseconds ||
  (left.id < right.id ? -1 : left.id > right.id ? 1 : 0)

/** The account's own name among providers: for attempts, circuits, rates and metrics. */
export const providerIdOf = ({ id, kind }: Pick<ProviderAccount, "id" | "kind">): string => `${kind}:${id}`

/** The account of a provider's id, where it is a tenant's. */
export const accountIdOf = (providerId: string): Option.Option<string> => {
  const at = providerId.indexOf(":")
  return at === -1 ? Option.none() : Option.some(providerId.slice(at + 1))
}
