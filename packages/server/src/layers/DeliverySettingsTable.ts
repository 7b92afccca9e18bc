/**
 * The settings of deliveries and of the accounts with senders; part of the table in `Settings.ts`.
 */
import { Config, Duration, Schema } from "effect"
import { DeliveryChannel } from "@beckon/domain/Delivery"
import { setting } from "./Setting.ts"

const text = (name: string) => Config.option(Config.NonEmptyString(name))
const secret = (name: string) => Config.option(Config.Redacted(name))
const url = (name: string) => Config.option(Config.URL(name))

const Tries = Schema.NumberFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: 20 }))
const Rate = Schema.NumberFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: 1_000_000 }))

/** A list of pairs is split leniently: a name that nobody knows, or a pair without a number, would go unnoticed. */
const pairsOf = (names: ReadonlyArray<string>) =>
  Schema.String.check(
    Schema.isPattern(new RegExp(`^(?:${names.join("|")})=\\d+(?:,(?:${names.join("|")})=\\d+)*$`), {
      expected: `pairs such as ${names[0]}=5, separated by commas; known are ${names.join(", ")}`
    })
  )

const ProviderId = Schema.Literals(["fcm", "webpush", "sendgrid", "smtp", "twilio", "whatsapp", "webhook"])

const channelPairs = pairsOf(DeliveryChannel.literals)
const providerPairs = pairsOf(ProviderId.literals)

const noTries: Partial<Record<DeliveryChannel, number>> = {}
const noRates: Partial<Record<typeof ProviderId.Type, number>> = {}

const SharedProviders = Schema.String.check(
  Schema.isPattern(/^[^,\u0000-\u001f]+(?:,[^,\u0000-\u001f]+)*$/, {
    expected: "all, none, or ids of tenants, separated by commas"
  })
)

export const deliverySettings = {
  sharedProviders: setting({
    name: "BECKON_SHARED_PROVIDERS",
    about:
      "Which tenants may use the deployment's accounts with senders on channels where they have none of their own: all, none, or their ids, separated by commas.",
    fallback: "all",
    read: Config.schema(SharedProviders, "BECKON_SHARED_PROVIDERS").pipe(Config.withDefault("all"))
  }),
  publicUrl: setting({
    name: "BECKON_PUBLIC_URL",
    about: "Where the outside reaches this deployment: for the callbacks of Twilio, whose signature covers it.",
    fallback: "none: Twilio is not asked for callbacks",
    production: "https://beckon.example.com",
    read: url("BECKON_PUBLIC_URL")
  }),
  ackTimeout: setting({
    name: "BECKON_ACK_TIMEOUT",
    about: "How long the device of a listening user has to acknowledge, before other channels are used.",
    fallback: "5 seconds",
    read: Config.Duration("BECKON_ACK_TIMEOUT").pipe(Config.withDefault(Duration.seconds(5)))
  }),
  deliveryLease: setting({
    name: "BECKON_DELIVERY_LEASE",
    about: "How long a node that is silent keeps the deliveries that it was sending.",
    fallback: "60 seconds",
    read: Config.Duration("BECKON_DELIVERY_LEASE").pipe(Config.withDefault(Duration.seconds(60)))
  }),
  deliveryTries: setting({
    name: "BECKON_DELIVERY_TRIES",
    about: "Tries of a delivery by channel, such as `push=3,email=8`; after the last it is a dead letter.",
    fallback: "5 for each, 16 for webhook",
    read: Config.schema(channelPairs, "BECKON_DELIVERY_TRIES").pipe(
      Config.flatMap(() => Config.Record(DeliveryChannel, Schema.optionalKey(Tries), "BECKON_DELIVERY_TRIES")),
      Config.withDefault(noTries)
    )
  }),
  deliveryRetryBase: setting({
    name: "BECKON_DELIVERY_RETRY_BASE",
    about: "Before the try n+1 a delivery waits up to 2^n times this, at random.",
    fallback: "1 second",
    read: Config.Duration("BECKON_DELIVERY_RETRY_BASE").pipe(Config.withDefault(Duration.seconds(1)))
  }),
  breakerOpen: setting({
    name: "BECKON_BREAKER_OPEN",
    about: "How long a provider is left alone after five failures in a row.",
    fallback: "60 seconds",
    read: Config.Duration("BECKON_BREAKER_OPEN").pipe(Config.withDefault(Duration.seconds(60)))
  }),
  providerRates: setting({
    name: "BECKON_PROVIDER_RATES",
    about: "Messages a second, over all nodes, by provider, such as `smtp=10,twilio=30`.",
    fallback: "none: no limit",
    read: Config.schema(providerPairs, "BECKON_PROVIDER_RATES").pipe(
      Config.flatMap(() => Config.Record(ProviderId, Schema.optionalKey(Rate), "BECKON_PROVIDER_RATES")),
      Config.withDefault(noRates)
    )
  }),
  deliveryEvents: setting({
    name: "BECKON_DELIVERY_EVENTS",
    about:
      "Whether deliveries that are sent, delivered, seen or dead are published to the topic `delivery-status`; those of webhooks are not.",
    fallback: "false",
    read: Config.Boolean("BECKON_DELIVERY_EVENTS").pipe(Config.withDefault(false))
  }),
  fcmServiceAccount: setting({
    name: "FCM_SERVICE_ACCOUNT",
    about: "The service account of Firebase: its JSON, or the path of the file.",
    fallback: "none: no push through FCM; the embedded default shows pushes in the log",
    production: "/run/secrets/firebase.json",
    secret: true,
    read: secret("FCM_SERVICE_ACCOUNT")
  }),
  vapidPublicKey: setting({
    name: "VAPID_PUBLIC_KEY",
    about:
      "Web Push without FCM: the public key (npx web-push generate-vapid-keys). Needs VAPID_PRIVATE_KEY and VAPID_SUBJECT.",
    fallback: "none",
    read: text("VAPID_PUBLIC_KEY")
  }),
  vapidPrivateKey: setting({
    name: "VAPID_PRIVATE_KEY",
    about: "Its private key.",
    fallback: "none",
    secret: true,
    read: secret("VAPID_PRIVATE_KEY")
  }),
  vapidSubject: setting({
    name: "VAPID_SUBJECT",
    about: "Whom push services may write to: mailto: or https:.",
    fallback: "none",
    read: text("VAPID_SUBJECT")
  }),
  mailFrom: setting({
    name: "MAIL_FROM",
    about: "The sender of mails, such as `Acme <hello@acme.example>`. Needed by SENDGRID_API_KEY and SMTP_URL.",
    fallback: "none",
    production: "Acme <notifications@example.com>",
    read: text("MAIL_FROM")
  }),
  sendgridApiKey: setting({
    name: "SENDGRID_API_KEY",
    about: "Mails go through SendGrid; with SMTP_URL too, that one stands in for it.",
    fallback: "none",
    production: "change-me",
    secret: true,
    read: secret("SENDGRID_API_KEY")
  }),
  sendgridUrl: setting({
    name: "SENDGRID_URL",
    about: "SendGrid's API; https://api.eu.sendgrid.com for accounts in the EU.",
    fallback: "https://api.sendgrid.com",
    read: url("SENDGRID_URL")
  }),
  sendgridPublicKey: setting({
    name: "SENDGRID_WEBHOOK_PUBLIC_KEY",
    about: "Verifies SendGrid's event webhook (/api/v1/callbacks/sendgrid): the base64 text of its settings page.",
    fallback: "none: those callbacks are not there",
    read: text("SENDGRID_WEBHOOK_PUBLIC_KEY")
  }),
  smtpUrl: setting({
    name: "SMTP_URL",
    about: "A mail server: smtps://user:password@host:465, or smtp://…:587 for STARTTLS.",
    fallback: "none",
    secret: true,
    read: secret("SMTP_URL")
  }),
  smtpStartTls: setting({
    name: "SMTP_STARTTLS",
    about: "With smtp://: required, offered (taken where the server has it) or never (for a relay on this machine).",
    fallback: "required",
    read: Config.schema(Schema.Literals(["required", "offered", "never"]), "SMTP_STARTTLS").pipe(
      Config.withDefault("required" as const)
    )
  }),
  dkimDomain: setting({
    name: "DKIM_DOMAIN",
    about: "Signs mails that go over SMTP. Needs DKIM_SELECTOR and DKIM_PRIVATE_KEY.",
    fallback: "none",
    read: text("DKIM_DOMAIN")
  }),
  dkimSelector: setting({
    name: "DKIM_SELECTOR",
    about: "The selector under which the public key stands in the DNS.",
    fallback: "none",
    read: text("DKIM_SELECTOR")
  }),
  dkimPrivateKey: setting({
    name: "DKIM_PRIVATE_KEY",
    about: "The private key in PEM.",
    fallback: "none",
    secret: true,
    read: secret("DKIM_PRIVATE_KEY")
  }),
  twilioAccountSid: setting({
    name: "TWILIO_ACCOUNT_SID",
    about: "SMS through Twilio. Needs TWILIO_AUTH_TOKEN and TWILIO_FROM.",
    fallback: "none",
    read: text("TWILIO_ACCOUNT_SID")
  }),
  twilioAuthToken: setting({
    name: "TWILIO_AUTH_TOKEN",
    about: "Its token; verifies Twilio's callbacks (/api/v1/callbacks/twilio) too.",
    fallback: "none",
    secret: true,
    read: secret("TWILIO_AUTH_TOKEN")
  }),
  twilioFrom: setting({
    name: "TWILIO_FROM",
    about: "The sender: a number in E.164, or the SID of a messaging service (MG…).",
    fallback: "none",
    read: text("TWILIO_FROM")
  }),
  twilioUrl: setting({
    name: "TWILIO_URL",
    about: "Twilio's API; another one for accounts in a region.",
    fallback: "https://api.twilio.com",
    read: url("TWILIO_URL")
  }),
  whatsappToken: setting({
    name: "WHATSAPP_TOKEN",
    about: "WhatsApp through the Cloud API. Needs WHATSAPP_PHONE_NUMBER_ID.",
    fallback: "none",
    secret: true,
    read: secret("WHATSAPP_TOKEN")
  }),
  whatsappPhoneNumberId: setting({
    name: "WHATSAPP_PHONE_NUMBER_ID",
    about: "The id of the number that sends.",
    fallback: "none",
    read: text("WHATSAPP_PHONE_NUMBER_ID")
  }),
  whatsappAppSecret: setting({
    name: "WHATSAPP_APP_SECRET",
    about: "Verifies WhatsApp's callbacks (/api/v1/callbacks/whatsapp). Needs WHATSAPP_VERIFY_TOKEN.",
    fallback: "none: those callbacks are not there",
    secret: true,
    read: secret("WHATSAPP_APP_SECRET")
  }),
  whatsappVerifyToken: setting({
    name: "WHATSAPP_VERIFY_TOKEN",
    about: "What the app's settings page gives for the challenge.",
    fallback: "none",
    secret: true,
    read: secret("WHATSAPP_VERIFY_TOKEN")
  }),
  whatsappUrl: setting({
    name: "WHATSAPP_URL",
    about: "The Graph API.",
    fallback: "https://graph.facebook.com",
    read: url("WHATSAPP_URL")
  }),
  webhookNetworks: setting({
    name: "WEBHOOK_ALLOWED_NETWORKS",
    about:
      "Private networks that webhooks may reach, as CIDRs separated by commas; with it http:// is allowed too. Otherwise addresses must be public, over https://.",
    fallback: "none",
    read: text("WEBHOOK_ALLOWED_NETWORKS")
  })
} as const
