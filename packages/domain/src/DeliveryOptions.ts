/**
 * What a sender may say about how a notification goes out beyond the socket.
 */
import { Schema } from "effect"
import { Channel } from "./Preferences.ts"
import { identifierOf, nonEmptyTextOf, textOf } from "./Text.ts"

/** 1 (can wait) to 10 (first), as R3 counts. */
export const Urgency = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10 }))

/** The urgency of a notification that gives none, and the priority of one that gives only an urgency. */
export const urgencyOf = { high: 8, medium: 5, low: 2 } as const
export const priorityOf = (urgency: number): "high" | "medium" | "low" =>
  urgency >= 8 ? "high" : urgency >= 4 ? "medium" : "low"

export const TemplateCode = identifierOf(100)

/** A template and the variables that fill it; checked against the template's schema when it is sent. */
export const TemplateReference = Schema.Struct({
  code: TemplateCode,
  /** The version that was active when the notification was accepted. */
  version: Schema.optionalKey(Schema.Int),
  variables: Schema.JsonObject,
  /** A BCP 47 tag; stands above the user's own language. */
  language: Schema.optionalKey(identifierOf(35))
})
export type TemplateReference = typeof TemplateReference.Type

/** W3C Trace Context, version 00. */
export const Traceparent = Schema.String.check(
  Schema.isPattern(/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/, { expected: "a traceparent of version 00" })
)

/** How the phone shows it. */
export const PushOptions = Schema.Struct({
  badge: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 99_999 }))),
  sound: Schema.optionalKey(identifierOf(100)),
  /** Android's notification channel. */
  channelId: Schema.optionalKey(identifierOf(100)),
  imageUrl: Schema.optionalKey(nonEmptyTextOf(2_048)),
  /** Where a click leads, in a browser. */
  link: Schema.optionalKey(nonEmptyTextOf(2_048)),
  /** A later push with the same key replaces this one on the device; the notification's id when absent. At most 64 bytes (APNs). */
  collapseKey: Schema.optionalKey(identifierOf(64)),
  /** How long the push service keeps it for a device that is off; at most four weeks (FCM). */
  ttlSeconds: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2_419_200 })))
})
export type PushOptions = typeof PushOptions.Type

export const EmailOptions = Schema.Struct({
  /** Stands in for the subject that the title would give. */
  subject: Schema.optionalKey(nonEmptyTextOf(256)),
  replyTo: Schema.optionalKey(nonEmptyTextOf(320)),
  /** Where a one-click unsubscribe (RFC 8058) of this kind of mail goes. */
  unsubscribeUrl: Schema.optionalKey(nonEmptyTextOf(2_048))
})
export type EmailOptions = typeof EmailOptions.Type

/** Addresses that stand above those of the user directory, for this notification only. */
export const Addresses = Schema.Struct({
  email: Schema.optionalKey(nonEmptyTextOf(320)),
  /** E.164: a plus sign and 7 to 15 digits. */
  phone: Schema.optionalKey(
    Schema.String.check(
      Schema.isPattern(/^\+[1-9]\d{6,14}$/, { expected: "a phone number in E.164, such as +4915112345678" })
    )
  )
})
export type Addresses = typeof Addresses.Type

export const DeliveryOptions = Schema.Struct({
  /** Exactly these channels instead of those of the tenant's routing; without `in_app` it is not shown in the inbox. */
  channels: Schema.optionalKey(Schema.Array(Channel).check(Schema.isMinLength(1), Schema.isMaxLength(6))),
  category: Schema.optionalKey(identifierOf(100)),
  template: Schema.optionalKey(TemplateReference),
  push: Schema.optionalKey(PushOptions),
  email: Schema.optionalKey(EmailOptions),
  to: Schema.optionalKey(Addresses),
  /** Cancels what has not gone out yet, together with everything else under the same key of the tenant. */
  cancelKey: Schema.optionalKey(nonEmptyTextOf(256)),
  correlationId: Schema.optionalKey(identifierOf(128)),
  /** The span of the call that it comes from (W3C Trace Context). */
  traceparent: Schema.optionalKey(Traceparent),
  /** Free words for WhatsApp's approved templates: name, language and parameters as the Cloud API has them. */
  whatsapp: Schema.optionalKey(
    Schema.Struct({
      template: identifierOf(512),
      language: identifierOf(35),
      parameters: Schema.optionalKey(Schema.Array(textOf(1_024)).check(Schema.isMaxLength(50)))
    })
  )
})
export type DeliveryOptions = typeof DeliveryOptions.Type
