/**
 * Claimed deliveries, and what providers say of them.
 */
import { DateTime } from "effect"
import { DeliveryId } from "@beckon/domain/Delivery"
import type { Delivery, FailureClass, SendOutcome } from "@beckon/domain/Delivery"
import { NotificationId, TenantId, UserId } from "@beckon/domain/Identifiers"
import type { StoredNotification } from "@beckon/domain/Notification"
import type { Claimed } from "@beckon/domain/ports/DeliveryStore"
import type { Part } from "../../src/delivery/Composer.ts"
import type { Sent } from "../../src/delivery/Sending.ts"

export const acme = TenantId.make("acme")
export const now = DateTime.makeUnsafe("2026-03-01T12:00:00Z")

export const notification = (other: Partial<StoredNotification> = {}): StoredNotification => ({
  tenantId: acme,
  userId: UserId.make("ada"),
  id: NotificationId.make("n-1"),
  seq: 1,
  type: "order_created",
  title: "New Order",
  message: "Accept now!",
  priority: "medium",
  createdAt: now,
  readAt: null,
  push: "fallback",
  dedupeKey: null,
  source: null,
  urgency: 5,
  options: null,
  hidden: false,
  planAt: null,
  fallbackAt: now,
  ...other
})

export const delivery = (other: Partial<Delivery> = {}): Delivery => ({
  id: DeliveryId.make("d-1"),
  tenantId: acme,
  userId: UserId.make("ada"),
  notificationId: NotificationId.make("n-1"),
  channel: "push",
  target: { _tag: "User" },
  condition: "always",
  state: "sending",
  urgency: 5,
  dueAt: now,
  createdAt: now,
  updatedAt: now,
  attempts: 1,
  failures: 0,
  provider: null,
  providerMessageId: null,
  reason: null,
  detail: null,
  items: 1,
  replayOf: null,
  resolution: null,
  ...other
})

export const claimed = ({
  delivery: of,
  ...other
}: Partial<Omit<Claimed, "delivery">> & { delivery?: Partial<Delivery> } = {}): Claimed => ({
  delivery: delivery(of),
  attempt: 1,
  unreported: 1,
  since: now,
  notifications: [notification()],
  options: undefined,
  content: undefined,
  acknowledged: false,
  seen: false,
  progress: [],
  ...other
})

export const success: SendOutcome = { _tag: "Sent", providerMessageId: "m-1" }
export const failure = (
  kind: FailureClass,
  other: Partial<Extract<SendOutcome, { _tag: "Failed" }>> = {}
): SendOutcome => ({
  _tag: "Failed",
  class: kind,
  code: kind,
  detail: "detail",
  ...other
})

/** One provider was asked, and said this. */
export const tried = (...outcomes: ReadonlyArray<SendOutcome>): Sent => ({
  tries: outcomes.map((outcome, index) => ({ provider: `p${index + 1}`, outcome, durationMs: 1, at: now })),
  notAsked: undefined
})

export const notAsked = (reason: string, retryAfter: number): Sent => ({ tries: [], notAsked: { reason, retryAfter } })

/** A message to the device of this hash. */
export const toDevice = (hash: string): Part => ({
  message: { to: "", text: "" },
  device: { platform: "ios", token: `token of ${hash}`, hash }
})

export const toAddress: Part = { message: { to: "+15550100", text: "" } }
