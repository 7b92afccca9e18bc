/**
 * An account with a sender: FCM, SMTP, SendGrid, Twilio, WhatsApp, an endpoint of a tenant.
 *
 * **Details**
 *
 * A provider makes one try: retries, failover, circuit breakers and limits are the worker's. It never fails: what went wrong is
 * an outcome with a class that tells what is to be done.
 */
import { Context } from "effect"
import type { Duration, Effect, Redacted, Schema } from "effect"
import type { DeliveryChannel, DeliveryId, SendOutcome } from "../Delivery.ts"
import type { PushOptions } from "../DeliveryOptions.ts"
import type { Platform } from "../Device.ts"
import type { TenantId } from "../Identifiers.ts"

/** One push to one device, or to the subscribers of a topic. */
export interface PushMessage {
  readonly to:
    | { readonly _tag: "Device"; readonly platform: Platform; readonly token: Redacted.Redacted }
    | { readonly _tag: "Topic"; readonly topic: string }
  readonly title: string
  readonly body: string
  /** Strings only, as FCM wants it: `notification_id`, `type`, `seq`, `delivery_id`, `receipt`, and the sender's as JSON in `data`. */
  readonly data: Readonly<Record<string, string>>
  readonly options: PushOptions
  /** Whether a sleeping device is to be woken for it. */
  readonly urgent: boolean
}

export interface EmailMessage {
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html: string | undefined
  readonly replyTo: string | undefined
  /** RFC 8058 one-click. */
  readonly unsubscribeUrl: string | undefined
}

export interface SmsMessage {
  /** E.164. */
  readonly to: string
  readonly text: string
}

export interface WhatsAppMessage {
  /** E.164. */
  readonly to: string
  readonly content:
    | { readonly _tag: "Text"; readonly text: string }
    | {
        readonly _tag: "Template"
        readonly name: string
        readonly language: string
        readonly parameters: ReadonlyArray<string>
      }
}

export interface WebhookMessage {
  readonly endpointId: string
  readonly url: string
  /** `whsec_…`; every one signs. */
  readonly secrets: ReadonlyArray<Redacted.Redacted>
  /** `webhook-id`: the same for every try and every replay of one event. */
  readonly id: string
  readonly body: Schema.JsonObject
}

export interface Messages {
  readonly push: PushMessage
  readonly email: EmailMessage
  readonly sms: SmsMessage
  readonly whatsapp: WhatsAppMessage
  readonly webhook: WebhookMessage
}

/** One try: the delivery's id is the idempotency key. */
export interface Outgoing<Channel extends DeliveryChannel = DeliveryChannel> {
  readonly tenantId: TenantId
  readonly deliveryId: DeliveryId
  readonly correlationId: string | undefined
  readonly traceparent?: string | undefined
  readonly message: Messages[Channel]
}

export interface ChannelProvider<Channel extends DeliveryChannel = DeliveryChannel> {
  /** Named in attempts, breakers and metrics: `fcm`, `webpush`, `smtp`, `sendgrid`, `twilio`, `whatsapp`, `webhook`, `log`. */
  readonly id: string
  readonly channel: Channel
  /** Messages of one call, at most. */
  readonly maxBatch: number
  /** Calls at a time, on one node. */
  readonly concurrency: number
  /** Messages in a time, over all nodes; `undefined` for no limit. */
  readonly rate: { readonly limit: number; readonly window: Duration.Duration } | undefined
  /** Whether this provider can take the message: Web Push takes only browsers' subscriptions. */
  readonly accepts: (message: Messages[Channel]) => boolean
  /** What fails together, where that is not the whole provider: one endpoint that is down must not stop the others. */
  readonly circuit?: (message: Messages[Channel]) => string
  /** Outcomes in the order of the batch, which is not empty and has at most `maxBatch` messages. */
  readonly send: (batch: ReadonlyArray<Outgoing<Channel>>) => Effect.Effect<ReadonlyArray<SendOutcome>>
}

/** By channel, in the order in which they are tried. */
export type ProvidersByChannel = {
  readonly [Channel in DeliveryChannel]: ReadonlyArray<ChannelProvider<Channel>>
}

/** The accounts of this deployment. */
export class ChannelProviders extends Context.Service<ChannelProviders, ProvidersByChannel>()(
  "@beckon/domain/ports/ChannelProviders"
) {}
