/**
 * What is told about a new state of a delivery: to the webhook endpoints of its tenant, and on the bus.
 */
import type { Delivery, DeliveryState } from "@beckon/domain/Delivery"
import type { EventRecord } from "@beckon/domain/ports/EventBus"
import type { Direct } from "@beckon/domain/ports/DeliveryStore"
import type { WebhookEvent } from "@beckon/domain/WebhookEndpoint"
import { DateTime } from "effect"
import type { DateTime as Times } from "effect"

/** A delivery that has come to a new state. */
export type Subject = Pick<
  Delivery,
  "id" | "tenantId" | "userId" | "notificationId" | "channel" | "state" | "provider" | "reason"
>

export const statusTopic = "delivery-status"

const told: Partial<Record<DeliveryState, WebhookEvent>> = {
  sent: "delivery.sent",
  delivered: "delivery.delivered",
  seen: "delivery.seen",
  dead: "delivery.dead"
}

/** What an endpoint must subscribe to to hear of this; nothing for a webhook, which would tell of itself for ever. */
export const eventOf = ({ channel, state }: Pick<Subject, "channel" | "state">): WebhookEvent | undefined =>
  channel === "webhook" ? undefined : told[state]

const urgency = 5

/** One webhook for one endpoint. */
export const toWebhook = (subject: Subject, type: WebhookEvent, endpointId: string, now: Times.Utc): Direct => ({
  tenantId: subject.tenantId,
  userId: null,
  delivery: {
    channel: "webhook",
    target: { _tag: "Endpoint", endpointId },
    condition: "always",
    urgency,
    dueAt: now
  },
  content: {
    type,
    timestamp: DateTime.formatIso(now),
    data: {
      delivery_id: subject.id,
      notification_id: subject.notificationId,
      user_id: subject.userId,
      channel: subject.channel,
      state: subject.state,
      provider: subject.provider,
      reason: subject.reason
    }
  }
})

/** One event for the bus; those of one notification keep their order. */
export const toRecord = (subject: Subject, type: WebhookEvent, now: Times.Utc): EventRecord => ({
  topic: statusTopic,
  key: subject.notificationId ?? subject.id,
  headers: { tenant: subject.tenantId },
  value: JSON.stringify({
    type,
    timestamp: DateTime.formatIso(now),
    data: {
      deliveryId: subject.id,
      notificationId: subject.notificationId,
      userId: subject.userId,
      channel: subject.channel,
      state: subject.state,
      provider: subject.provider,
      reason: subject.reason
    }
  })
})
