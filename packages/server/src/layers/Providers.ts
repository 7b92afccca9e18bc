/**
 * The accounts with senders that the configuration names, in the order in which they are tried, and those of tenants.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Duration, Effect, FileSystem, Layer, Option, Redacted, Schema } from "effect"
import type { DeliveryChannel } from "@beckon/domain/Delivery"
import type { ChannelProvider } from "@beckon/domain/ports/ChannelProvider"
import { ChannelProviders } from "@beckon/domain/ports/ChannelProvider"
import { PushRefused, PushTopics } from "@beckon/domain/ports/PushTopics"
import * as SendGridProvider from "@beckon/infra/email/SendGridProvider"
import * as SmtpProvider from "@beckon/infra/email/SmtpProvider"
import * as FcmProvider from "@beckon/infra/push/FcmProvider"
import * as LogProvider from "@beckon/infra/push/LogProvider"
import * as WebPushProvider from "@beckon/infra/push/WebPushProvider"
import * as TwilioProvider from "@beckon/infra/sms/TwilioProvider"
import { OutboundPost } from "@beckon/infra/webhook/OutboundPost"
import * as WebhookProvider from "@beckon/infra/webhook/WebhookProvider"
import * as WhatsAppProvider from "@beckon/infra/whatsapp/WhatsAppProvider"
import type { Outside } from "../providers/AccountProviders.ts"
import { ProviderAccounts } from "../providers/ProviderAccounts.ts"
import { TenantProviders } from "../providers/TenantProviders.ts"
import { ServerConfig } from "./ServerConfig.ts"
import type { ServerConfigShape } from "./ServerConfig.ts"

/** Where Twilio tells what became of its messages. */
export const twilioCallbackPath = "/api/v1/callbacks/twilio"

/** The setting names a file that cannot be read. Does not quote it: it may be the account itself. */
export class AccountFileUnreadable extends Schema.TaggedError<AccountFileUnreadable>()("AccountFileUnreadable", {
  setting: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `${this.setting} is neither JSON nor a file that can be read`
  }
}

const rateOf = (config: ServerConfigShape, provider: keyof ServerConfigShape["providerRates"]) => {
  const limit = config.providerRates[provider]
  return limit === undefined ? undefined : { limit, window: Duration.seconds(1) }
}

/** `rate` only where there is one: it is not to be `undefined` by mistake. */
const limited = (config: ServerConfigShape, provider: keyof ServerConfigShape["providerRates"]) => {
  const rate = rateOf(config, provider)
  return rate === undefined ? {} : { rate }
}

const hrefOf = (url: Option.Option<URL>) =>
  Option.match(url, { onNone: () => ({}), onSome: ({ href }) => ({ baseUrl: href }) })

const serviceAccount = Effect.fnUntraced(function* (given: Redacted.Redacted) {
  const text = Redacted.value(given).trim()
  if (text.startsWith("{")) return given
  const files = yield* FileSystem.FileSystem
  return Redacted.make(
    yield* Effect.mapError(
      files.readFileString(text),
      (cause) => new AccountFileUnreadable({ setting: "FCM_SERVICE_ACCOUNT", cause })
    )
  )
})

const fcmOf = Effect.fnUntraced(function* (config: ServerConfigShape) {
  if (Option.isNone(config.fcmServiceAccount)) return undefined
  return yield* FcmProvider.make({
    serviceAccount: yield* serviceAccount(config.fcmServiceAccount.value),
    ...limited(config, "fcm")
  })
})

const webPushOf = Effect.fnUntraced(function* (config: ServerConfigShape) {
  const { vapidPrivateKey, vapidPublicKey, vapidSubject } = config
  if (Option.isNone(vapidPrivateKey) || Option.isNone(vapidPublicKey) || Option.isNone(vapidSubject)) return []
  const { agents } = yield* OutboundPost
  const provider = yield* WebPushProvider.make({
    subject: vapidSubject.value,
    publicKey: vapidPublicKey.value,
    privateKey: vapidPrivateKey.value,
    agent: agents.https,
    ...limited(config, "webpush")
  })
  return [provider]
})

const emailOf = Effect.fnUntraced(function* (config: ServerConfigShape) {
  const providers: Array<ChannelProvider<"email">> = []
  const { dkimDomain, dkimPrivateKey, dkimSelector, mailFrom, sendgridApiKey, smtpUrl } = config
  if (Option.isNone(mailFrom)) return providers
  const from = mailFrom.value
  if (Option.isSome(sendgridApiKey)) {
    const account = {
      apiKey: sendgridApiKey.value,
      from,
      ...hrefOf(config.sendgridUrl),
      ...limited(config, "sendgrid")
    }
    providers.push(yield* SendGridProvider.make(account))
  }
  if (Option.isSome(smtpUrl)) {
    const dkim = Option.all({ domain: dkimDomain, selector: dkimSelector, privateKey: dkimPrivateKey })
    providers.push(
      yield* SmtpProvider.make({
        url: smtpUrl.value,
        from,
        startTls: config.smtpStartTls,
        ...Option.match(dkim, { onNone: () => ({}), onSome: (keys) => ({ dkim: keys }) }),
        ...limited(config, "smtp")
      })
    )
  }
  return providers
})

const smsOf = Effect.fnUntraced(function* (config: ServerConfigShape) {
  const { publicUrl, twilioAccountSid, twilioAuthToken, twilioFrom } = config
  if (Option.isNone(twilioAccountSid) || Option.isNone(twilioAuthToken) || Option.isNone(twilioFrom)) return []
  const from = twilioFrom.value
  const provider = yield* TwilioProvider.make({
    accountSid: twilioAccountSid.value,
    authToken: twilioAuthToken.value,
    sender: /^MG[0-9a-f]{32}$/i.test(from) ? { messagingServiceSid: from } : { from },
    ...hrefOf(config.twilioUrl),
    ...Option.match(publicUrl, {
      onNone: () => ({}),
      onSome: (url) => ({ statusCallback: new URL(twilioCallbackPath, url).href })
    }),
    ...limited(config, "twilio")
  })
  return [provider]
})

const whatsAppOf = Effect.fnUntraced(function* (config: ServerConfigShape) {
  const { whatsappPhoneNumberId, whatsappToken } = config
  if (Option.isNone(whatsappPhoneNumberId) || Option.isNone(whatsappToken)) return []
  const provider = yield* WhatsAppProvider.make({
    phoneNumberId: whatsappPhoneNumberId.value,
    accessToken: whatsappToken.value,
    ...hrefOf(config.whatsappUrl),
    ...limited(config, "whatsapp")
  })
  return [provider]
})

/** Without an account at FCM there are no audiences of topics. */
const noTopics = PushTopics.of({
  subscribe: () =>
    Effect.fail(new PushRefused({ class: "permanent", code: "no_provider", detail: "FCM is not set up" })),
  unsubscribe: () =>
    Effect.fail(new PushRefused({ class: "permanent", code: "no_provider", detail: "FCM is not set up" }))
})

/** A server of its own on a laptop shows pushes in its log; one in production does so only if it is told nothing else. */
const pushOf = (
  fcm: ChannelProvider<"push"> | undefined,
  webPush: ReadonlyArray<ChannelProvider<"push">>,
  config: ServerConfigShape
): ReadonlyArray<ChannelProvider<"push">> => {
  const providers = fcm === undefined ? webPush : [fcm, ...webPush]
  return providers.length === 0 && Option.isNone(config.databaseUrl) ? [LogProvider.make()] : providers
}

const make = Effect.gen(function* () {
  const config = yield* ServerConfig
  const fcm = yield* fcmOf(config)
  const providers: { readonly [Channel in DeliveryChannel]: ReadonlyArray<ChannelProvider<Channel>> } = {
    push: pushOf(fcm, yield* webPushOf(config), config),
    email: yield* emailOf(config),
    sms: yield* smsOf(config),
    whatsapp: yield* whatsAppOf(config),
    webhook: [{ ...(yield* WebhookProvider.make), rate: rateOf(config, "webhook") }]
  }
  return Layer.merge(Layer.succeed(ChannelProviders, providers), Layer.succeed(PushTopics, fcm?.topics ?? noTopics))
})

/** Everything that leaves for a URL that a tenant or a browser gave goes through its guard. */
export const layerOutbound = Layer.unwrap(
  Effect.map(ServerConfig, ({ webhookNetworks }) => {
    const networks = Option.match(webhookNetworks, {
      onNone: () => [],
      onSome: (list) => list.split(",").map((network) => network.trim())
    })
    return OutboundPost.layer({ allowedNetworks: networks, allowInsecure: networks.length > 0 })
  })
)

export const layer = Layer.unwrap(make).pipe(
  Layer.provide(NodeHttpClient.layerUndici),
  Layer.provideMerge(layerOutbound)
)

/** The HTTP of accounts that tenants bring along: it reaches public addresses only. */
const layerGuardedHttp = NodeHttpClient.layerNodeHttpNoAgent.pipe(
  Layer.provide(
    Layer.effect(
      NodeHttpClient.HttpAgent,
      Effect.map(OutboundPost, ({ agents: { http, https } }) => ({ http, https }))
    )
  )
)

const outside = Effect.gen(function* () {
  const { publicUrl } = yield* ServerConfig
  const found: Outside = {
    outbound: yield* OutboundPost,
    publicUrl: Option.getOrUndefined(Option.map(publicUrl, ({ href }) => href))
  }
  return found
})

const isSharedBy = ({ sharedProviders }: ServerConfigShape): ((tenantId: string) => boolean) => {
  if (sharedProviders === "all") return () => true
  const named = new Set(sharedProviders === "none" ? [] : sharedProviders.split(",").map((name) => name.trim()))
  return (tenantId) => named.has(tenantId)
}

/** Through whom each tenant sends. Needs `layer`, the stores and the news between nodes. */
export const layerTenants = Layer.unwrap(
  Effect.gen(function* () {
    return TenantProviders.layer(yield* outside, isSharedBy(yield* ServerConfig))
  })
).pipe(Layer.provide(layerGuardedHttp))

/** What the API does with the accounts of tenants. */
export const layerAccounts = Layer.unwrap(Effect.map(outside, ProviderAccounts.layer)).pipe(
  Layer.provide(layerGuardedHttp)
)
