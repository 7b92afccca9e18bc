import { DeliveryId } from "@beckon/domain/Delivery"
import { TenantId } from "@beckon/domain/Identifiers"
import type { EmailMessage, Outgoing } from "@beckon/domain/ports/ChannelProvider"

export const emailTo = (to: string, changes: Partial<EmailMessage> = {}): EmailMessage => ({
  to,
  subject: "Your order left",
  text: "It comes at 18:40.",
  html: "<p>It comes at <b>18:40</b>.</p>",
  replyTo: undefined,
  unsubscribeUrl: undefined,
  ...changes
})

export const outgoing = (message: EmailMessage, deliveryId = "0199-d1"): Outgoing<"email"> => ({
  tenantId: TenantId.make("acme"),
  deliveryId: DeliveryId.make(deliveryId),
  correlationId: undefined,
  message
})
