/**
 * The parts of messages that follow from a delivery and its words alone.
 */
import { DateTime, Schema } from "effect"
import type { Target } from "@beckon/domain/Delivery"
import { PushOptions } from "@beckon/domain/DeliveryOptions"
import type { DeliveryOptions } from "@beckon/domain/DeliveryOptions"
import type { StoredNotification } from "@beckon/domain/Notification"
import { pushDataFault } from "@beckon/domain/PushData"
import type { Rendered } from "@beckon/domain/Template"
import type { EmailMessage, PushMessage, WebhookMessage, WhatsAppMessage } from "@beckon/domain/ports/ChannelProvider"
import type { Claimed } from "@beckon/domain/ports/DeliveryStore"

/** From this urgency on a sleeping device is woken: the middle of R3's scale is not worth it. */
const urgentFrom = 7

/**
 * What an app finds in a push. The sender's own data comes along as JSON under `data` where it fits into the 4 KB of a push;
 * otherwise `data_omitted` says that the app finds it in the inbox.
 */
const pushData = (
  claimed: Claimed,
  newest: StoredNotification | undefined,
  receipt: string | undefined
): PushMessage["data"] => {
  const base = {
    delivery_id: claimed.delivery.id,
    ...(receipt === undefined ? {} : { receipt }),
    ...(newest === undefined ? {} : { notification_id: newest.id, seq: String(newest.seq), type: newest.type }),
    ...(claimed.notifications.length > 1 ? { items: String(claimed.notifications.length) } : {})
  }
  if (newest?.data === undefined || claimed.notifications.length > 1) return base
  const whole = { ...base, data: JSON.stringify(newest.data) }
  return pushDataFault(whole) === undefined ? whole : { ...base, data_omitted: "true" }
}

/** Everything of a push to a user but the device. */
export const push = (claimed: Claimed, text: Rendered, receipt: string | undefined): Omit<PushMessage, "to"> => {
  const newest = claimed.notifications.at(-1)
  return {
    title: text.push.title,
    body: text.push.body,
    data: pushData(claimed, newest, receipt),
    // One that comes twice replaces itself on the screen: providers tag it with the notification's id where no key is given.
    options: claimed.options?.push ?? {},
    urgent: claimed.delivery.urgency >= urgentFrom
  }
}

const decodeTopicPush = Schema.decodeUnknownSync(
  Schema.Struct({
    title: Schema.String,
    message: Schema.String,
    data: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
    push: Schema.optionalKey(PushOptions)
  })
)

/** A push to the subscribers of a topic, from the content that the API checked. */
export const topicPush = (target: Extract<Target, { _tag: "Topic" }>, content: Schema.JsonObject): PushMessage => {
  const { data = {}, message, push: options = {}, title } = decodeTopicPush(content)
  return { to: { _tag: "Topic", topic: target.topic }, title, body: message, data, options, urgent: false }
}

export const email = (to: string, text: Rendered, options: DeliveryOptions | undefined): EmailMessage => ({
  to,
  subject: options?.email?.subject ?? text.email.subject,
  text: text.email.text,
  html: text.email.html,
  replyTo: options?.email?.replyTo,
  unsubscribeUrl: options?.email?.unsubscribeUrl
})

export const whatsApp = (to: string, text: Rendered, options: DeliveryOptions | undefined): WhatsAppMessage => ({
  to,
  content:
    options?.whatsapp === undefined
      ? text.whatsapp
      : {
          _tag: "Template",
          name: options.whatsapp.template,
          language: options.whatsapp.language,
          parameters: options.whatsapp.parameters ?? []
        }
})

/** What an endpoint is told of a notification. */
const created = (notification: StoredNotification): Schema.JsonObject => ({
  type: "notification.created",
  timestamp: DateTime.formatIso(notification.createdAt),
  data: {
    notification_id: notification.id,
    user_id: notification.userId,
    seq: notification.seq,
    notification_type: notification.type,
    title: notification.title,
    message: notification.message,
    priority: notification.priority,
    ...(notification.data === undefined ? {} : { data: notification.data })
  }
})

/** Id and body. The id is the same for every try and every replay, so that a receiver knows what it has. */
export const webhook = (claimed: Claimed): Pick<WebhookMessage, "id" | "body"> => {
  const { content, delivery, notifications } = claimed
  const notification = notifications[0]
  if (content === undefined && notification !== undefined) {
    return { id: `msg_${notification.id}`, body: created(notification) }
  }
  const { id, ...body } = content ?? {}
  return { id: typeof id === "string" ? id : `msg_${delivery.replayOf ?? delivery.id}`, body }
}
