/**
 * What a sender may say about how a notification goes out, as REST carries it: snake_case.
 */
import { Schema } from "effect"
import { DeliveryOptions, EmailOptions, PushOptions } from "../DeliveryOptions.ts"
import { SendOptions } from "../InboxRpcs.ts"

export const PushOptionsView = PushOptions.pipe(
  Schema.encodeKeys({
    channelId: "channel_id",
    imageUrl: "image_url",
    collapseKey: "collapse_key",
    ttlSeconds: "ttl_seconds"
  })
)

export const EmailOptionsView = EmailOptions.pipe(
  Schema.encodeKeys({ replyTo: "reply_to", unsubscribeUrl: "unsubscribe_url" })
)

/** Without the template: only `POST /api/v1/notifications` checks and renders one. */
export const SendOptionsView = Schema.Struct({
  ...SendOptions.fields,
  push: Schema.optionalKey(PushOptionsView),
  email: Schema.optionalKey(EmailOptionsView)
}).pipe(Schema.encodeKeys({ cancelKey: "cancel_key", correlationId: "correlation_id" }))

/** The fields that requests name by themselves. */
export const { cancelKey, category, channels, to, whatsapp } = DeliveryOptions.fields
