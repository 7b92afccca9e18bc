/**
 * What an order's event means for those who follow its driver.
 */
import { DateTime, Duration } from "effect"
import type { UserId } from "../Identifiers.ts"
import type { OrderEvent } from "./OrderEvent.ts"

/** An order whose end nobody tells is followed no longer than this after its last event. */
export const followedFor = Duration.hours(24)

export interface TrackingChange {
  readonly orderId: string
  readonly customerId: UserId
  /** Absent when the order ends. */
  readonly driverId: UserId | undefined
  readonly at: DateTime.Utc
  /** Until when the driver may be followed, or for an end until when it is remembered. */
  readonly until: DateTime.Utc
}

/** `undefined`: it changes nothing. */
export const trackingChange = (event: OrderEvent): TrackingChange | undefined => {
  const { customerId, driverId, orderId, timestamp: at } = event
  const until = DateTime.addDuration(at, followedFor)
  switch (event.eventType) {
    case "order_accepted":
    case "driver_assigned":
    case "order_picked_up":
    case "driver_nearby":
      return driverId === undefined || driverId === null ? undefined : { orderId, customerId, driverId, at, until }
    case "order_delivered":
    case "order_cancelled":
      return { orderId, customerId, driverId: undefined, at, until }
    case "order_created":
    case "payment_received":
      return undefined
  }
}

/** Whether the change takes the place of what is known of the same order: an end is final, else the newer counts. */
export const replaces = (known: TrackingChange, change: TrackingChange): boolean =>
  known.driverId !== undefined && (change.driverId === undefined || DateTime.isGreaterThan(change.at, known.at))

/** The one change of each order that is left of many. */
export const folded = (changes: ReadonlyArray<TrackingChange>): ReadonlyArray<TrackingChange> => {
  const byOrder = new Map<string, TrackingChange>()
  for (const change of changes) {
    const known = byOrder.get(change.orderId)
    if (known === undefined || replaces(known, change)) byOrder.set(change.orderId, change)
  }
  return [...byOrder.values()]
}
