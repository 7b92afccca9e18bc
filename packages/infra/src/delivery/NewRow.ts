/**
 * Deliveries as they are first written: one shape for what a plan, a service, a replay or an announcement makes.
 */
import { DeliveryId } from "@beckon/domain/Delivery"
import type { NewDelivery } from "@beckon/domain/Delivery"
import type { NotificationId, TenantId, UserId } from "@beckon/domain/Identifiers"
import type { Direct, DuePlan } from "@beckon/domain/ports/DeliveryStore"
import type { Schema } from "effect"
import { uuidV7Unsafe } from "effect/crypto/SecureRandom"

/** Times are milliseconds since 1970. */
export interface NewRow extends Pick<NewDelivery, "channel" | "target" | "condition" | "urgency"> {
  readonly id: DeliveryId
  readonly tenantId: TenantId
  readonly userId: UserId | null
  readonly notificationId: NotificationId | null
  readonly seq: number | null
  readonly state: "pending" | "skipped"
  readonly dueAt: number
  readonly reason: string | null
  readonly digestKey: string | null
  readonly digestOpen: boolean
  readonly items: number
  readonly content: Schema.JsonObject | null
  readonly cancelKey: string | null
}

/** A notification in a digest. */
export interface NewItem {
  readonly deliveryId: DeliveryId
  readonly due: DuePlan
  readonly channel: NewDelivery["channel"]
}

export const nextId = (): DeliveryId => DeliveryId.make(uuidV7Unsafe(), { disableChecks: true })

/** A delivery of one notification; `skipped` with a reason when it is not wanted. */
export const ofNotification = (due: DuePlan, delivery: NewDelivery, skipped = delivery.skipped): NewRow => ({
  id: nextId(),
  tenantId: due.tenantId,
  userId: due.userId,
  notificationId: due.notificationId,
  seq: due.seq,
  channel: delivery.channel,
  target: delivery.target,
  condition: delivery.condition,
  state: skipped === undefined ? "pending" : "skipped",
  urgency: delivery.urgency,
  dueAt: delivery.dueAt.epochMilliseconds,
  reason: skipped ?? null,
  digestKey: null,
  digestOpen: false,
  items: 1,
  content: null,
  cancelKey: due.notification.options?.cancelKey ?? null
})

/** An empty digest that waits for items. */
export const ofDigest = (due: DuePlan, delivery: NewDelivery, key: string): NewRow => ({
  ...ofNotification(due, delivery),
  notificationId: null,
  seq: null,
  digestKey: key,
  digestOpen: true,
  items: 0,
  cancelKey: null
})

export const ofDirect = ({ cancelKey, content, delivery, tenantId, userId }: Direct): NewRow => ({
  id: nextId(),
  tenantId,
  userId,
  notificationId: null,
  seq: null,
  channel: delivery.channel,
  target: delivery.target,
  condition: delivery.condition,
  state: delivery.skipped === undefined ? "pending" : "skipped",
  urgency: delivery.urgency,
  dueAt: delivery.dueAt.epochMilliseconds,
  reason: delivery.skipped ?? null,
  digestKey: null,
  digestOpen: false,
  items: 0,
  content,
  cancelKey: cancelKey ?? null
})
