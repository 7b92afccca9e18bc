import { DeliveryId } from "@beckon/domain/Delivery"
import { TenantId } from "@beckon/domain/Identifiers"
import type { Outgoing, PushMessage } from "@beckon/domain/ports/ChannelProvider"
import { Redacted } from "effect"

let made = 0

export const messageTo = (to: PushMessage["to"], changes: Partial<PushMessage> = {}): PushMessage => ({
  to,
  title: "Your order left",
  body: "It comes at 18:40.",
  data: { notification_id: "n-1", type: "order", seq: "7", data: '{"order":"o-1"}' },
  options: {},
  urgent: true,
  ...changes
})

export const toDevice = (token: string, platform: "ios" | "android" | "web" = "android"): PushMessage["to"] => ({
  _tag: "Device",
  platform,
  token: Redacted.make(token)
})

export const outgoing = (message: PushMessage): Outgoing<"push"> => ({
  tenantId: TenantId.make("acme"),
  deliveryId: DeliveryId.make(`d-${++made}`),
  correlationId: undefined,
  message
})
