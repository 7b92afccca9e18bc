/**
 * What kind of thing happened, as clients and preferences name it.
 */
import { identifierOf } from "./Text.ts"

/** The types that Beckon's own routes make; a tenant may send any other. */
export const knownTypes = [
  "FRIEND_REQUEST_RECEIVED",
  "FRIEND_REQUEST_ACCEPTED",
  "FRIEND_REQUEST_REJECTED",
  "order_created",
  "order_accepted",
  "order_picked_up",
  "order_delivered",
  "order_cancelled",
  "driver_assigned",
  "driver_nearby",
  "payment_received"
] as const

/** A known type, or any other: the union keeps completion in editors and never refuses a newer server's type. */
export type NotificationType = (typeof knownTypes)[number] | (string & {})
export const NotificationType = identifierOf(100)
