/**
 * Events of the topic `order-events` (R1), and the drafts that they become.
 *
 * **Details**
 *
 * A new order goes to each nearby driver; every other event goes to the customer. R1 names the types and the text of a new
 * order; the other texts are Beckon's.
 */
import { Schema } from "effect"
import { SourceId, UserId } from "../Identifiers.ts"
import type { TenantId } from "../Identifiers.ts"
import type { Draft } from "../Notification.ts"
import { textOf } from "../Text.ts"
import { Timestamp } from "./Timestamp.ts"

export const topic = "order-events"
export const group = "notification-order-group"

const UserReference = SourceId.pipe(Schema.decodeTo(UserId))

export const OrderEventType = Schema.Literals([
  "order_created",
  "order_accepted",
  "order_picked_up",
  "order_delivered",
  "order_cancelled",
  "driver_assigned",
  "driver_nearby",
  "payment_received"
])
export type OrderEventType = typeof OrderEventType.Type

/** How many drivers one new order may call. */
export const maxNearbyDrivers = 500

export const OrderEvent = Schema.Struct({
  eventId: SourceId,
  eventType: OrderEventType,
  orderId: SourceId,
  customerId: UserReference,
  driverId: Schema.optionalKey(Schema.NullOr(UserReference)),
  driverName: Schema.optionalKey(Schema.NullOr(textOf(200))),
  /** With `order_created`: who is near, and how far in kilometres. */
  nearbyDrivers: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        driverId: UserReference,
        distanceKm: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 20_040 }))
      })
    ).check(Schema.isMaxLength(maxNearbyDrivers))
  ),
  timestamp: Timestamp
})
export type OrderEvent = typeof OrderEvent.Type

const kilometres = (distance: number): string => String(Math.round(distance * 10) / 10)

const customerText = (
  event: OrderEvent & { readonly eventType: Exclude<OrderEventType, "order_created"> }
): Pick<Draft, "title" | "message" | "priority"> => {
  const order = `order #${event.orderId}`
  const driver = event.driverName === undefined || event.driverName === null ? "Your driver" : event.driverName
  switch (event.eventType) {
    case "order_accepted":
      return { title: "Order Accepted", message: `Your ${order} was accepted`, priority: "medium" }
    case "order_picked_up":
      return { title: "Order Picked Up", message: `Your ${order} is on its way`, priority: "medium" }
    case "order_delivered":
      return { title: "Order Delivered", message: `Your ${order} was delivered`, priority: "high" }
    case "order_cancelled":
      return { title: "Order Cancelled", message: `Your ${order} was cancelled`, priority: "high" }
    case "driver_assigned":
      return { title: "Driver Assigned", message: `${driver} takes care of your ${order}`, priority: "medium" }
    case "driver_nearby":
      return { title: "Driver Nearby", message: `${driver} is about to arrive with your ${order}`, priority: "high" }
    case "payment_received":
      return { title: "Payment Received", message: `We received the payment for your ${order}`, priority: "low" }
  }
}

export const toDrafts = (tenantId: TenantId, event: OrderEvent): ReadonlyArray<Draft> => {
  const common = { tenantId, type: event.eventType, dedupeKey: `order:${event.eventId}`, source: topic } as const
  const data = {
    orderId: event.orderId,
    customerId: event.customerId,
    ...(event.driverId === undefined || event.driverId === null ? {} : { driverId: event.driverId })
  }
  if (event.eventType !== "order_created") {
    return [{ ...common, ...customerText({ ...event, eventType: event.eventType }), userId: event.customerId, data }]
  }
  return (event.nearbyDrivers ?? []).map(({ distanceKm, driverId }) => ({
    ...common,
    userId: driverId,
    title: "New Order",
    message: `Order #${event.orderId} is ${kilometres(distanceKm)}km away. Accept now!`,
    priority: "high",
    data: { ...data, distanceKm }
  }))
}
