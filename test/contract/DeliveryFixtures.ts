/**
 * Notifications that wait for their plan, and short ways through the life of a delivery.
 *
 * **Gotchas**
 *
 * Planners and workers serve all tenants. Each test leaves nothing due (`drain`), and looks at its own tenant only.
 */
import type { DeliveryChannel, NewDelivery, ProviderEvent } from "@beckon/domain/Delivery"
import { deliveryChannels } from "@beckon/domain/Delivery"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import type { StoredNotification } from "@beckon/domain/Notification"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import type { Claimed, Direct, Report } from "@beckon/domain/ports/DeliveryStore"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { DateTime, Duration, Effect } from "effect"
import { noon, notification } from "./Fixtures.ts"

export const secondsAfterNoon = (seconds: number): DateTime.Utc => DateTime.add(noon, { seconds })

/** Far after everything that a test plans. */
const never = DateTime.add(noon, { days: 300 })

export const push: NewDelivery = {
  channel: "push",
  target: { _tag: "User" },
  condition: "unacknowledged",
  urgency: 5,
  dueAt: noon
}

export const email: NewDelivery = { ...push, channel: "email", condition: "unseen" }

/** Accepts notifications that wait for their plan since noon: numbers 1 to `count` of this mailbox. */
export const accept = Effect.fnUntraced(function* (
  key: MailboxKey,
  count: number,
  other: Partial<StoredNotification> = {}
) {
  const notifications = yield* NotificationStore
  yield* notifications.load([key])
  const rows = Array.from({ length: count }, (_, index) => notification(key, index + 1, { planAt: noon, ...other }))
  yield* notifications.append(rows)
  return rows
})

export const planAll = Effect.fnUntraced(function* (
  decide: Parameters<DeliveryStore["Service"]["plan"]>[2],
  now = noon
) {
  return yield* (yield* DeliveryStore).plan(1_000, now, decide)
})

/** Accepts and plans: the same deliveries for each notification. */
export const planned = Effect.fnUntraced(function* (
  key: MailboxKey,
  deliveries: ReadonlyArray<NewDelivery>,
  count = 1,
  other: Partial<StoredNotification> = {}
) {
  const rows = yield* accept(key, count, other)
  yield* planAll(() => deliveries)
  return rows
})

export const minute = Duration.minutes(1)

export const claimWith = (
  options: {
    readonly limit?: number
    readonly channels?: ReadonlyArray<DeliveryChannel>
    readonly now?: DateTime.Utc
  } = {}
) =>
  Effect.flatMap(DeliveryStore, (store) =>
    store.claim({ channels: deliveryChannels, limit: 1_000, now: noon, lease: minute, worker: "worker", ...options })
  )

/** What is due of one tenant. */
export const claimOf = (key: Pick<MailboxKey, "tenantId">, options: Parameters<typeof claimWith>[0] = {}) =>
  Effect.map(claimWith(options), (claims) => claims.filter(({ delivery }) => delivery.tenantId === key.tenantId))

/** Nothing is left to be planned or to be sent. */
export const drain = Effect.gen(function* () {
  const store = yield* DeliveryStore
  while ((yield* store.plan(1_000, never, () => [])).notifications > 0);
  const lease = Duration.days(3_000)
  const take = store.claim({ channels: deliveryChannels, limit: 1_000, now: never, lease, worker: "drain" })
  while ((yield* take).length > 0);
})

export const tryOf = (
  provider: string,
  other: Partial<Report["attempts"][number]> = {}
): Report["attempts"][number] => ({
  provider,
  outcome: "sent",
  code: null,
  detail: null,
  durationMs: 12.5,
  at: noon,
  ...other
})

export const reportOf = (
  { attempt, delivery }: Pick<Claimed, "attempt" | "delivery">,
  result: Report["result"],
  attempts: Report["attempts"] = []
): Report => ({ id: delivery.id, attempt, attempts, result })

export const sent = (providerMessageId: string | null = null, provider = "fcm") =>
  ({ _tag: "Sent", provider, providerMessageId }) as const

export const failed = (retryAt: DateTime.Utc, reason = "timeout") =>
  ({ _tag: "Failed", retryAt, reason, detail: "It took too long" }) as const

export const dead = { _tag: "Dead", reason: "invalid", detail: "Never" } as const

export const waitUntil = (until: DateTime.Utc) => ({ _tag: "Postponed", until, reason: "breaker_open" }) as const

let events = 0

export const eventOf = (other: Partial<ProviderEvent>): ProviderEvent => ({
  provider: "fcm",
  eventKey: `event-${++events}`,
  state: "delivered",
  code: "delivered",
  detail: null,
  at: noon,
  ...other
})

export const direct = (key: MailboxKey, other: Partial<Direct> = {}): Direct => ({
  tenantId: key.tenantId,
  userId: null,
  delivery: { ...push, target: { _tag: "Topic", topic: "news" }, condition: "always" },
  content: { title: "News" },
  ...other
})
