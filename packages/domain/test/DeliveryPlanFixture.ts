import { DateTime, Duration } from "effect"
import type { DeliveryChannel, NewDelivery } from "../src/Delivery.ts"
import { deliveryChannels } from "../src/Delivery.ts"
import * as DeliveryPlan from "../src/DeliveryPlan.ts"
import { NotificationId, TenantId, UserId } from "../src/Identifiers.ts"
import type { StoredNotification } from "../src/Notification.ts"
import type { DuePlan, PlanContext } from "../src/ports/DeliveryStore.ts"
import type { Preferences } from "../src/Preferences.ts"
import type { RoutingPolicy, Rule } from "../src/RoutingPolicy.ts"

export const tenantId = TenantId.make("t")
export const userId = UserId.make("u")

/** A Wednesday, at noon in UTC. */
export const now = DateTime.makeUnsafe("2026-06-03T12:00:00Z")
export const at = (seconds: number): DateTime.Utc => DateTime.add(now, { seconds })
export const fallbackAt = DateTime.add(now, { milliseconds: 6_500 })

export const everything: DeliveryPlan.Reach = { channels: new Set(deliveryChannels) }
export const reachOf = (...channels: ReadonlyArray<DeliveryChannel>): DeliveryPlan.Reach => ({
  channels: new Set(channels)
})

export const settings: DeliveryPlan.TimingSettings = {
  ...everything,
  ackTimeout: Duration.seconds(5),
  slack: Duration.millis(1_500),
  hasEndpoints: false
}

export const notificationOf = (more: Partial<StoredNotification> = {}): StoredNotification => ({
  tenantId,
  userId,
  id: NotificationId.make("n"),
  seq: 7,
  type: "order_created",
  title: "title",
  message: "",
  priority: "medium",
  createdAt: now,
  readAt: null,
  push: "fallback",
  dedupeKey: null,
  source: null,
  urgency: 5,
  options: null,
  hidden: false,
  planAt: fallbackAt,
  fallbackAt,
  ...more
})

export const preferencesOf = (more: Partial<Preferences>): Preferences => ({ channels: {}, mutedTypes: [], ...more })

export interface Case {
  readonly policy?: RoutingPolicy
  /** The defaults of the policy. */
  readonly rule?: Rule
  readonly notification?: Partial<StoredNotification>
  readonly preferences?: Partial<Preferences>
  readonly due?: Partial<DuePlan>
  readonly endpoints?: ReadonlyArray<{ readonly id: string; readonly types: ReadonlyArray<string> | undefined }>
  readonly reach?: DeliveryPlan.Reach
  readonly now?: DateTime.Utc
}

export const dueOf = (one: Case): DuePlan => {
  const notification = notificationOf(one.notification)
  return {
    tenantId,
    userId,
    notificationId: notification.id,
    seq: notification.seq,
    notification,
    acknowledged: false,
    seen: false,
    preferences: one.preferences === undefined ? undefined : preferencesOf(one.preferences),
    timeZone: null,
    ...one.due
  }
}

export const contextOf = ({ endpoints, policy, rule }: Case): PlanContext => {
  const set = policy ?? (rule === undefined ? undefined : { defaults: rule })
  return {
    policies: new Map(set === undefined ? [] : [[tenantId, set]]),
    endpoints: new Map(endpoints === undefined ? [] : [[tenantId, endpoints]])
  }
}

export const planOf = (one: Case): ReadonlyArray<NewDelivery> =>
  DeliveryPlan.plan(dueOf(one), contextOf(one), one.reach ?? everything, one.now ?? now)

/** A delivery to the user, as these tests write it down. */
export const toUser = (
  channel: DeliveryChannel,
  condition: NewDelivery["condition"],
  dueAt: DateTime.Utc,
  more: Partial<NewDelivery> = {}
): NewDelivery => ({ channel, target: { _tag: "User" }, condition, urgency: 5, dueAt, ...more })
