/**
 * Makes of a tenant's account the provider that sends with it.
 *
 * **Details**
 *
 * Hosts and URLs are a stranger's: they are judged as they are written, and every connection goes through the guard that
 * refuses private addresses. What cannot be used, because its settings are wrong or its credentials do not open, becomes a provider
 * that says so of every message: its deliveries wait as they do for refused credentials, and lose no tries.
 */
import { Duration, Effect, Redacted, Result, Schema } from "effect"
import type { Scope } from "effect"
import type { HttpClient } from "effect/http"
import type { DeliveryChannel, FailureClass } from "@beckon/domain/Delivery"
import type { ChannelProvider } from "@beckon/domain/ports/ChannelProvider"
import { channelOf, decodeForm, providerIdOf } from "@beckon/domain/ProviderAccount"
import type { CredentialsOf, ProviderAccount, ProviderKind, SettingsOf } from "@beckon/domain/ProviderAccount"
import * as SendGridCallback from "@beckon/infra/callbacks/SendGridCallback"
import * as SendGridProvider from "@beckon/infra/email/SendGridProvider"
import * as SmtpProvider from "@beckon/infra/email/SmtpProvider"
import * as FcmProvider from "@beckon/infra/push/FcmProvider"
import * as LogProvider from "@beckon/infra/push/LogProvider"
import * as WebPushProvider from "@beckon/infra/push/WebPushProvider"
import * as TwilioProvider from "@beckon/infra/sms/TwilioProvider"
import type { OutboundPost } from "@beckon/infra/webhook/OutboundPost"
import * as WhatsAppProvider from "@beckon/infra/whatsapp/WhatsAppProvider"

/** The settings or credentials of an account are not usable; `reason` names the field, and nothing that is secret. */
export class AccountUnusable extends Schema.TaggedError<AccountUnusable>()("AccountUnusable", {
  reason: Schema.String
}) {
  override get message() {
    return this.reason
  }
}

/** Channels that tenants have accounts on. */
type AccountChannel = Exclude<DeliveryChannel, "webhook">

export type AccountProvider = { readonly [C in AccountChannel]: ChannelProvider<C> }[AccountChannel]

export interface Outside {
  readonly outbound: OutboundPost["Service"]
  /** Where providers reach this deployment. */
  readonly publicUrl: string | undefined
}

interface Given<Kind extends ProviderKind> {
  readonly account: ProviderAccount
  readonly settings: SettingsOf<Kind>
  readonly credentials: CredentialsOf<Kind>
  readonly outside: Outside
}

const unusable = (reason: string) => Effect.fail(new AccountUnusable({ reason }))

/** Where the provider of this account calls back. */
export const callbackPath = ({ id, kind, tenantId }: Pick<ProviderAccount, "id" | "kind" | "tenantId">): string =>
  `/api/v1/callbacks/${kind}/${encodeURIComponent(tenantId)}/${encodeURIComponent(id)}`

const baseUrlOf = (settings: { readonly base_url?: string }, { outbound }: Outside) =>
  settings.base_url === undefined
    ? Effect.succeed({})
    : outbound.check(settings.base_url).pipe(
        Effect.map(({ href }) => ({ baseUrl: href })),
        Effect.mapError(({ reason }) => new AccountUnusable({ reason: `settings.base_url: ${reason}` }))
      )

const rateOf = ({ rate }: ProviderAccount) =>
  rate === null ? {} : { rate: { limit: rate, window: Duration.seconds(1) } }

/** Where a service account of Google's gets its tokens; the key file could name any other. */
const googleTokenUris: ReadonlyArray<string> = [
  "https://oauth2.googleapis.com/token",
  "https://accounts.google.com/o/oauth2/token",
  "https://www.googleapis.com/oauth2/v4/token"
]

const decodeKeyFile = Schema.decodeUnknownResult(
  Schema.fromJsonString(Schema.Struct({ token_uri: Schema.optionalKey(Schema.String) }))
)

const fcm = Effect.fnUntraced(function* ({ account, credentials }: Given<"fcm">) {
  const file = decodeKeyFile(credentials.service_account)
  const uri = Result.isSuccess(file) ? file.success.token_uri : undefined
  if (uri !== undefined && !googleTokenUris.includes(uri))
    return yield* unusable("credentials.service_account: its token_uri is not one of Google's")
  return yield* FcmProvider.make({ serviceAccount: Redacted.make(credentials.service_account), ...rateOf(account) })
})

const webpush = ({ account, credentials, outside, settings }: Given<"webpush">) =>
  WebPushProvider.make({
    subject: settings.subject,
    publicKey: settings.public_key,
    privateKey: Redacted.make(credentials.private_key),
    agent: outside.outbound.agents.https,
    ...rateOf(account)
  })

const sendgrid = Effect.fnUntraced(function* ({ account, credentials, outside, settings }: Given<"sendgrid">) {
  // Better said now than when the first callback comes.
  if (settings.webhook_public_key !== undefined)
    yield* Effect.mapError(
      SendGridCallback.make({ publicKey: settings.webhook_public_key }),
      ({ message }) => new AccountUnusable({ reason: `settings.webhook_public_key: ${message}` })
    )
  return yield* SendGridProvider.make({
    apiKey: Redacted.make(credentials.api_key),
    from: settings.from,
    ...(yield* baseUrlOf(settings, outside)),
    ...rateOf(account)
  })
})

/** Those of mail, and those that no other protocol owns. */
const isMailPort = (port: number): boolean => port === 25 || port === 465 || port === 587 || port >= 1024

const smtp = Effect.fnUntraced(function* ({ account, credentials, outside, settings }: Given<"smtp">) {
  const { dkim_domain: domain, dkim_selector: selector, host, port, tls, username } = settings
  const { dkim_private_key: key, password } = credentials
  const named = host.includes(":") ? `[${host}]` : host
  yield* Effect.mapError(
    outside.outbound.check(`https://${named}`),
    ({ reason }) => new AccountUnusable({ reason: `settings.host: ${reason}` })
  )
  if (!isMailPort(port)) return yield* unusable("settings.port: only 25, 465, 587 and those from 1024 on")
  if ((username === undefined) !== (password === undefined))
    return yield* unusable("settings.username and credentials.password go together")
  const dkim = [domain, selector, key].filter((part) => part !== undefined)
  if (dkim.length !== 0 && dkim.length !== 3)
    return yield* unusable("settings.dkim_domain, settings.dkim_selector and credentials.dkim_private_key go together")
  const login = username === undefined ? "" : `${encodeURIComponent(username)}:${encodeURIComponent(password ?? "")}@`
  return yield* SmtpProvider.make({
    url: Redacted.make(`${tls === "implicit" ? "smtps" : "smtp"}://${login}${named}:${port}`),
    from: settings.from,
    dial: outside.outbound.agents.connect,
    ...(domain === undefined || selector === undefined || key === undefined
      ? {}
      : { dkim: { domain, selector, privateKey: Redacted.make(key) } }),
    ...rateOf(account)
  })
})

const twilio = Effect.fnUntraced(function* ({ account, credentials, outside, settings }: Given<"twilio">) {
  const { account_sid: accountSid, from } = settings
  const { publicUrl } = outside
  return yield* TwilioProvider.make({
    accountSid,
    authToken: Redacted.make(credentials.auth_token),
    sender: /^MG[0-9a-f]{32}$/i.test(from) ? { messagingServiceSid: from } : { from },
    ...(publicUrl === undefined ? {} : { statusCallback: new URL(callbackPath(account), publicUrl).href }),
    ...(yield* baseUrlOf(settings, outside)),
    ...rateOf(account)
  })
})

const whatsapp = Effect.fnUntraced(function* ({ account, credentials, outside, settings }: Given<"whatsapp">) {
  return yield* WhatsAppProvider.make({
    phoneNumberId: settings.phone_number_id,
    accessToken: Redacted.make(credentials.access_token),
    ...(settings.version === undefined ? {} : { version: settings.version }),
    ...(yield* baseUrlOf(settings, outside)),
    ...rateOf(account)
  })
})

const decodeJson = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Unknown))

/** Settings and credentials as the kind wants them. */
export const partsOf = <Kind extends ProviderKind>(
  kind: Kind,
  account: ProviderAccount,
  credentials: Redacted.Redacted
) =>
  Effect.fromResult(
    Result.gen(function* () {
      const given = yield* Result.mapError(decodeJson(Redacted.value(credentials)), () => "credentials: not JSON")
      return {
        settings: yield* Result.mapError(decodeForm(kind, "settings", account.settings), ({ message }) => message),
        credentials: yield* Result.mapError(decodeForm(kind, "credentials", given), ({ message }) => message)
      }
    })
  ).pipe(Effect.mapError((reason) => new AccountUnusable({ reason })))

const made = Effect.fnUntraced(function* (
  account: ProviderAccount,
  json: Redacted.Redacted,
  outside: Outside
): Effect.fn.Return<
  AccountProvider,
  | AccountUnusable
  | Effect.Error<ReturnType<typeof FcmProvider.make>>
  | Effect.Error<ReturnType<typeof WebPushProvider.make>>
  | Effect.Error<ReturnType<typeof SendGridProvider.make>>
  | Effect.Error<ReturnType<typeof SmtpProvider.make>>
  | Effect.Error<ReturnType<typeof TwilioProvider.make>>
  | Effect.Error<ReturnType<typeof WhatsAppProvider.make>>,
  Scope.Scope | HttpClient.HttpClient
> {
  switch (account.kind) {
    case "fcm":
      return yield* fcm({ account, outside, ...(yield* partsOf("fcm", account, json)) })
    case "webpush":
      return yield* webpush({ account, outside, ...(yield* partsOf("webpush", account, json)) })
    case "sendgrid":
      return yield* sendgrid({ account, outside, ...(yield* partsOf("sendgrid", account, json)) })
    case "smtp":
      return yield* smtp({ account, outside, ...(yield* partsOf("smtp", account, json)) })
    case "twilio":
      return yield* twilio({ account, outside, ...(yield* partsOf("twilio", account, json)) })
    case "whatsapp":
      return yield* whatsapp({ account, outside, ...(yield* partsOf("whatsapp", account, json)) })
    case "log":
      yield* partsOf("log", account, json)
      return LogProvider.make()
  }
})

/** The provider of an account, under the account's own name; its connections end with the scope. */
export const make = (
  account: ProviderAccount,
  credentials: Redacted.Redacted,
  outside: Outside
): Effect.Effect<AccountProvider, AccountUnusable, Scope.Scope | HttpClient.HttpClient> =>
  made(account, credentials, outside).pipe(
    Effect.mapError((error) =>
      error._tag === "AccountUnusable" ? error : new AccountUnusable({ reason: error.reason })
    ),
    Effect.map((provider): AccountProvider => ({ ...provider, id: providerIdOf(account) }))
  )

/** Stands for an account that cannot be used: everything waits for somebody who mends it. */
export const broken = (
  account: ProviderAccount,
  failureClass: FailureClass,
  code: string,
  detail: string
): AccountProvider => {
  const provider = {
    id: providerIdOf(account),
    maxBatch: 500,
    concurrency: 1,
    rate: undefined,
    accepts: () => true,
    send: (batch: ReadonlyArray<unknown>) =>
      Effect.succeed(batch.map(() => ({ _tag: "Failed" as const, class: failureClass, code, detail })))
  }
  const channel = channelOf(account.kind)
  switch (channel) {
    case "email":
      return { ...provider, channel }
    case "sms":
      return { ...provider, channel }
    case "whatsapp":
      return { ...provider, channel }
    case "push":
    // No account of a tenant is for webhooks.
    case "webhook":
      return { ...provider, channel: "push" }
  }
}
