/**
 * What callbacks of providers are checked with. A provider whose secret is not set has no callback: its path is 404.
 */
import { Context, Layer } from "effect"
import type { Redacted } from "effect"

export interface CallbackSettingsShape {
  /** The public key of SendGrid's Event Webhook, base64 of its DER. */
  readonly sendgridPublicKey: string | undefined
  readonly twilioAuthToken: Redacted.Redacted | undefined
  readonly whatsappAppSecret: Redacted.Redacted | undefined
  /** What WhatsApp repeats when it checks the address. */
  readonly whatsappVerifyToken: Redacted.Redacted | undefined
  /** With what the receipts of pushes are made, and were. */
  readonly receiptSecrets: ReadonlyArray<Redacted.Redacted<Uint8Array>>
  /** Where providers reach this server, such as `https://beckon.example.com`: Twilio signs the address that it calls. */
  readonly publicUrl: string | undefined
}

const none: CallbackSettingsShape = {
  sendgridPublicKey: undefined,
  twilioAuthToken: undefined,
  whatsappAppSecret: undefined,
  whatsappVerifyToken: undefined,
  receiptSecrets: [],
  publicUrl: undefined
}

export class CallbackSettings extends Context.Service<CallbackSettings, CallbackSettingsShape>()(
  "@beckon/server/api/CallbackSettings"
) {
  static readonly layer = (settings: Partial<CallbackSettingsShape> = {}) =>
    Layer.succeed(CallbackSettings, { ...none, ...settings })
}
