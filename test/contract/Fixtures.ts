/**
 * Tenants, users and notifications for the contracts. Every test has a tenant of its own, because the suites of one
 * provider share its database.
 */
import { FriendshipId } from "@beckon/domain/Friendship"
import { NotificationId, TenantId, UserId } from "@beckon/domain/Identifiers"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import type { StoredNotification } from "@beckon/domain/Notification"
import { DateTime } from "effect"

let tenants = 0
let ids = 0

export const freshTenant = (): TenantId => TenantId.make(`tenant-${++tenants}`)
export const user = (name: string): UserId => UserId.make(name)
export const freshKey = (name = "ada"): MailboxKey => ({ tenantId: freshTenant(), userId: user(name) })
export const notificationId = (id: string): NotificationId => NotificationId.make(id)
export const friendshipId = (): FriendshipId => FriendshipId.make(`friendship-${++ids}`)

/** A time with milliseconds that no rounding leaves alone. */
export const noon = DateTime.makeUnsafe("2026-03-01T12:00:00.123Z")
export const hoursAfterNoon = (hours: number): DateTime.Utc => DateTime.add(noon, { hours })

export const notification = (
  key: MailboxKey,
  seq: number,
  other: Partial<StoredNotification> = {}
): StoredNotification => ({
  ...key,
  id: notificationId(`notification-${++ids}`),
  seq,
  type: "order_created",
  title: "New Order",
  message: `Order #${seq} is 2.4km away. Accept now!`,
  priority: "medium",
  createdAt: noon,
  readAt: null,
  push: "fallback",
  dedupeKey: null,
  source: null,
  urgency: 5,
  options: null,
  hidden: false,
  planAt: null,
  fallbackAt: other.createdAt ?? noon,
  ...other
})

export const seqsOf = (rows: ReadonlyArray<{ readonly seq: number }>): ReadonlyArray<number> =>
  rows.map(({ seq }) => seq)
