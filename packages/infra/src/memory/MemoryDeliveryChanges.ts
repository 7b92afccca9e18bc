/**
 * What senders, operators and time do to deliveries in memory: cancel, replay, discard, reconcile.
 */
import { isOpen } from "@beckon/domain/Delivery"
import type { Delivery, DeliveryId } from "@beckon/domain/Delivery"
import type { NotificationId, TenantId } from "@beckon/domain/Identifiers"
import type { DeadTarget, Reconciliation } from "@beckon/domain/ports/DeliveryStore"
import { DateTime } from "effect"
import type { Duration } from "effect"
import { nextId } from "../delivery/NewRow.ts"
import type { MemoryDeliveries, Row } from "./MemoryDeliveries.ts"
import type { MemoryNotifications } from "./MemoryNotifications.ts"

export type CancelTarget = { readonly cancelKey: string } | { readonly notificationId: NotificationId }

/** What has been begun and has no outcome yet is left to its worker, unless he has given it back. */
const waits = ({ delivery: { state }, worker }: Row): boolean =>
  state === "pending" || state === "failed" || (state === "sending" && worker === null)

const close = (row: Row, now: DateTime.Utc): void => {
  row.digestOpen = false
  row.delivery = { ...row.delivery, state: "cancelled", reason: "cancelled", updatedAt: now }
}

export const cancel = (
  deliveries: MemoryDeliveries,
  notifications: MemoryNotifications["Service"],
  tenantId: TenantId,
  target: CancelTarget,
  now: DateTime.Utc
): number => {
  const isMeant = (cancelKey: string | null, id: NotificationId | null) =>
    "cancelKey" in target ? cancelKey === target.cancelKey : id === target.notificationId
  let count = 0
  for (const mailbox of notifications.mailboxes(tenantId)) {
    count += mailbox.setPlanAt(({ id, options }) => isMeant(options?.cancelKey ?? null, id), null)
  }
  for (const item of deliveries.items.filter((each) => each.tenantId === tenantId)) {
    const row = deliveries.rows.get(item.deliveryId)
    if (row === undefined || !waits(row) || !isMeant(item.cancelKey, item.notificationId)) continue
    deliveries.items = deliveries.items.filter((other) => other !== item)
    row.delivery = { ...row.delivery, items: row.delivery.items - 1, updatedAt: now }
    if (row.delivery.items === 0) close(row, now)
    count += 1
  }
  for (const row of deliveries.rows.values()) {
    const { notificationId, tenantId: owner } = row.delivery
    if (owner !== tenantId || !waits(row) || !isMeant(row.cancelKey, notificationId)) continue
    close(row, now)
    count += 1
  }
  return count
}

const isTo = ({ target }: Delivery, endpointId: string | undefined): boolean =>
  endpointId === undefined || (target._tag === "Endpoint" && target.endpointId === endpointId)

/** What an endpoint was told already, where its own log is meant. */
const isTold = ({ state }: Delivery, target: DeadTarget): boolean =>
  target._tag === "Ids" &&
  target.endpointId !== undefined &&
  (state === "sent" || state === "delivered" || state === "seen")

const unresolved = (deliveries: MemoryDeliveries, tenantId: TenantId, target: DeadTarget): ReadonlyArray<Row> =>
  [...deliveries.rows.values()]
    .filter(
      ({ delivery }) =>
        delivery.tenantId === tenantId &&
        ((delivery.state === "dead" && delivery.resolution === null) || isTold(delivery, target)) &&
        (target._tag === "Ids"
          ? target.ids.includes(delivery.id) && isTo(delivery, target.endpointId)
          : target.channel === undefined || target.channel === delivery.channel)
    )
    .slice(0, target._tag === "All" ? target.limit : undefined)

const resolve = (row: Row, resolution: "replayed" | "discarded", now: DateTime.Utc): void => {
  if (row.delivery.state === "dead") row.delivery = { ...row.delivery, resolution, updatedAt: now }
}

export const replay = (deliveries: MemoryDeliveries, tenantId: TenantId, target: DeadTarget, now: DateTime.Utc) =>
  unresolved(deliveries, tenantId, target).map((row): { id: DeliveryId; replayedAs: DeliveryId } => {
    const { cancelKey, content, delivery, digestKey, seq } = row
    const { channel, id, items, notificationId, target: to, urgency, userId } = delivery
    const again = deliveries.insert(
      {
        id: nextId(),
        tenantId,
        userId,
        notificationId,
        seq,
        channel,
        target: to,
        condition: "always",
        state: "pending",
        urgency,
        dueAt: now.epochMilliseconds,
        reason: null,
        digestKey,
        digestOpen: false,
        items,
        content: channel === "webhook" && content !== null ? Object.assign({ id: `msg_${id}` }, content) : content,
        cancelKey
      },
      now,
      { replayOf: id }
    )
    again.progress = row.progress
    for (const item of deliveries.items) if (item.deliveryId === id) item.deliveryId = again.delivery.id
    resolve(row, "replayed", now)
    return { id, replayedAs: again.delivery.id }
  })

export const discard = (
  deliveries: MemoryDeliveries,
  tenantId: TenantId,
  target: DeadTarget,
  now: DateTime.Utc
): number => {
  const rows = unresolved(deliveries, tenantId, target)
  for (const row of rows) resolve(row, "discarded", now)
  return rows.length
}

/** News that waited so long speak of a message that is none of ours. */
const eventPatience = { days: 3 }

const sweepEvents = (deliveries: MemoryDeliveries, now: DateTime.Utc): void => {
  const before = DateTime.subtract(now, eventPatience)
  for (const [key, { deliveryId, receivedAt }] of deliveries.events) {
    if (deliveryId === null && DateTime.isLessThan(receivedAt, before)) deliveries.events.delete(key)
  }
}

const contradicts = ({ attempts, delivery }: Row): boolean => {
  const last = Math.max(...attempts.map(({ entry }) => entry.attempt))
  const tries = attempts.filter(({ entry }) => entry.attempt === last)
  return isOpen(delivery.state) && tries.length > 0 && tries.every(({ entry }) => entry.outcome === "sent")
}

export const reconcile = (
  deliveries: MemoryDeliveries,
  notifications: MemoryNotifications["Service"],
  now: DateTime.Utc,
  patience: Duration.Duration
): Reconciliation => {
  sweepEvents(deliveries, now)
  const before = DateTime.subtractDuration(now, patience)
  const rows = [...deliveries.rows.values()]
  const open = rows.filter(({ delivery }) => isOpen(delivery.state))
  const lost = deliveries.items.filter(({ deliveryId }) => !deliveries.rows.has(deliveryId))
  const wrong = rows.filter(
    ({ delivery, digestKey }) =>
      digestKey !== null &&
      delivery.resolution !== "replayed" &&
      delivery.items !== deliveries.itemsOf(delivery.id).length
  )
  return {
    open: open.length,
    unplanned: notifications.mailboxes().reduce((sum, mailbox) => sum + mailbox.unplanned(before).length, 0),
    overdue: open.filter(({ delivery }) => DateTime.isLessThanOrEqualTo(delivery.dueAt, before)).length,
    strayItems: lost.length + wrong.length,
    contradictions: rows.filter(contradicts).length
  }
}
