/**
 * What became of a notification, for its sender: pure views of what the stores know.
 */
import { Order } from "effect"
import type { DeliveryHistoryView, DeliveryView, HistoryEntry } from "@beckon/domain/api/DeliveryView"
import type { NotificationStatus } from "@beckon/domain/api/NotificationApi"
import type { Delivery, DeliveryChannel, DeliveryState } from "@beckon/domain/Delivery"
import { urgencyOf } from "@beckon/domain/DeliveryOptions"
import type { History } from "@beckon/domain/ports/DeliveryStore"
import type { Found } from "@beckon/domain/ports/NotificationStore"
import type { Scheduled } from "@beckon/domain/ports/ScheduleStore"
import { topicOf } from "../delivery/TopicNames.ts"

/** Which of several deliveries on one channel speaks for it: the one that came furthest, else the one that still may. */
const rank: Readonly<Record<DeliveryState, number>> = {
  seen: 8,
  delivered: 7,
  sent: 6,
  sending: 5,
  failed: 4,
  pending: 3,
  dead: 2,
  cancelled: 1,
  skipped: 0
}

export const deliveryView = ({ target, tenantId: _tenantId, ...delivery }: Delivery): DeliveryView => ({
  ...delivery,
  topic: target._tag === "Topic" ? topicOf(target.topic) : null,
  endpointId: target._tag === "Endpoint" ? target.endpointId : null
})

const entryOf = (entry: History["history"][number]): HistoryEntry => {
  const { _tag, ...rest } = entry
  return "attempt" in rest ? { kind: "attempt", ...rest } : { kind: "event", ...rest }
}

export const historyView = ({ history, ...delivery }: History): DeliveryHistoryView => ({
  ...deliveryView(delivery),
  history: history.map(entryOf)
})

const oldestFirst = Order.mapInput(Order.Number, ({ at }: HistoryEntry) => at.epochMilliseconds)

const channelsOf = (deliveries: ReadonlyArray<Delivery>) => {
  const best = new Map<DeliveryChannel, Delivery>()
  for (const delivery of deliveries) {
    const other = best.get(delivery.channel)
    if (other === undefined || rank[other.state] <= rank[delivery.state]) best.set(delivery.channel, delivery)
  }
  return Object.fromEntries(
    [...best].map(([channel, { attempts, provider, reason, state, updatedAt }]) => [
      channel,
      { state, reason, attempts, provider, updatedAt }
    ])
  )
}

const inboxState = ({ acknowledged, notification }: Found): "sent" | "delivered" | "seen" =>
  notification.readAt !== null ? "seen" : acknowledged ? "delivered" : "sent"

export const ofFound = (found: Found, deliveries: ReadonlyArray<History>): NotificationStatus => {
  const { createdAt, data, hidden, id, message, readAt, title, type, urgency, userId } = found.notification
  const views = deliveries.map(historyView)
  return {
    id,
    status: "accepted",
    userId,
    notificationType: type,
    title,
    message,
    ...(data === undefined ? {} : { data }),
    priority: urgency,
    createdAt,
    sendAt: null,
    readAt,
    channels: { ...(hidden ? {} : { in_app: { state: inboxState(found) } }), ...channelsOf(deliveries) },
    history: views.flatMap(({ history }) => history).toSorted(oldestFirst),
    deliveries: views
  }
}

export const ofScheduled = ({ createdAt, draft, id, sendAt }: Scheduled): NotificationStatus => ({
  id,
  status: "scheduled",
  userId: draft.userId,
  notificationType: draft.type,
  title: draft.title,
  message: draft.message,
  ...(draft.data === undefined ? {} : { data: draft.data }),
  priority: draft.urgency ?? urgencyOf[draft.priority],
  createdAt,
  sendAt,
  readAt: null,
  channels: {},
  history: [],
  deliveries: []
})
