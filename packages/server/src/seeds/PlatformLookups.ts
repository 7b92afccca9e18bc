/**
 * The lookups of every deployment.
 *
 * **Gotchas**
 *
 * A change of them is seen by deployments that were seeded before only with a higher `revision`.
 */
import { knownTypes } from "@beckon/domain/NotificationType"
import type { LookupSeed } from "@beckon/domain/ports/LookupStore"

/** Rises with every change of what is here. */
export const revision = 1

type Labels = Readonly<Record<string, string>>
type Attributes = NonNullable<LookupSeed["attributes"]>

interface Value {
  readonly code: string
  readonly labels: Labels
  readonly attributes?: Attributes
}

const value = (code: string, en: string, de: string, attributes?: Attributes): Value => ({
  code,
  labels: { en, de },
  ...(attributes === undefined ? {} : { attributes })
})

/** In the order in which they are shown. */
const ordered = (kind: string, values: ReadonlyArray<Value>): ReadonlyArray<LookupSeed> =>
  values.map((one, index) => ({ kind, ...one, order: (index + 1) * 10 }))

const social = { category: "social", channels: ["in_app", "push"], priority: "medium", critical: false }
const order = { category: "orders", channels: ["in_app", "push"], priority: "high", critical: false }
const receipt = { ...order, channels: ["in_app", "push", "email"] }

const typeValues: Readonly<Record<(typeof knownTypes)[number], Value>> = {
  FRIEND_REQUEST_RECEIVED: value("FRIEND_REQUEST_RECEIVED", "Friend request", "Freundschaftsanfrage", social),
  FRIEND_REQUEST_ACCEPTED: value("FRIEND_REQUEST_ACCEPTED", "Friend request accepted", "Anfrage angenommen", social),
  FRIEND_REQUEST_REJECTED: value("FRIEND_REQUEST_REJECTED", "Friend request declined", "Anfrage abgelehnt", social),
  order_created: value("order_created", "New order", "Neue Bestellung", order),
  order_accepted: value("order_accepted", "Order accepted", "Bestellung angenommen", order),
  order_picked_up: value("order_picked_up", "Order picked up", "Bestellung abgeholt", order),
  order_delivered: value("order_delivered", "Order delivered", "Bestellung geliefert", receipt),
  order_cancelled: value("order_cancelled", "Order cancelled", "Bestellung storniert", receipt),
  driver_assigned: value("driver_assigned", "Driver assigned", "Fahrer zugeteilt", order),
  driver_nearby: value("driver_nearby", "Driver nearby", "Fahrer in der Nähe", order),
  payment_received: value("payment_received", "Payment received", "Zahlung erhalten", {
    category: "payments",
    channels: ["in_app", "email"],
    priority: "medium",
    critical: true
  })
}

export const platformLookups: ReadonlyArray<LookupSeed> = [
  ...ordered(
    "notification_types",
    knownTypes.map((type) => typeValues[type])
  ),
  ...ordered("categories", [
    value("orders", "Orders", "Bestellungen"),
    value("payments", "Payments", "Zahlungen"),
    value("social", "Friends", "Freunde"),
    value("security", "Security", "Sicherheit", { critical: true }),
    value("marketing", "Offers", "Angebote"),
    value("system", "System", "System")
  ]),
  ...ordered("priorities", [
    value("low", "Low", "Niedrig", { urgency: 2 }),
    value("medium", "Medium", "Mittel", { urgency: 5 }),
    value("high", "High", "Hoch", { urgency: 8 })
  ]),
  ...ordered("channels", [
    value("in_app", "In the app", "In der App", { can_switch_off: false }),
    value("push", "Push", "Push", { can_switch_off: true }),
    value("email", "Email", "E-Mail", { can_switch_off: true }),
    value("sms", "SMS", "SMS", { can_switch_off: true }),
    value("whatsapp", "WhatsApp", "WhatsApp", { can_switch_off: true }),
    value("webhook", "Webhook", "Webhook", { can_switch_off: false })
  ]),
  ...ordered("languages", [
    value("en", "English", "Englisch", { own: "English" }),
    value("de", "German", "Deutsch", { own: "Deutsch" }),
    value("fr", "French", "Französisch", { own: "Français" }),
    value("es", "Spanish", "Spanisch", { own: "Español" }),
    value("pt", "Portuguese", "Portugiesisch", { own: "Português" }),
    value("it", "Italian", "Italienisch", { own: "Italiano" }),
    value("tr", "Turkish", "Türkisch", { own: "Türkçe" }),
    value("ar", "Arabic", "Arabisch", { own: "العربية", direction: "rtl" })
  ]),
  ...ordered("platforms", [
    value("ios", "iPhone and iPad", "iPhone und iPad"),
    value("android", "Android", "Android"),
    value("web", "Browser", "Browser")
  ]),
  ...ordered("delivery_states", [
    value("pending", "Waiting", "Wartet", { final: false }),
    value("sending", "Being sent", "Wird gesendet", { final: false }),
    value("failed", "Tried, will be tried again", "Versucht, wird wiederholt", { final: false }),
    value("sent", "Sent", "Gesendet", { final: false }),
    value("delivered", "Delivered", "Zugestellt", { final: false }),
    value("seen", "Seen", "Gesehen", { final: true }),
    value("dead", "Given up", "Aufgegeben", { final: true }),
    value("skipped", "Not needed", "Nicht nötig", { final: true }),
    value("cancelled", "Cancelled", "Abgebrochen", { final: true })
  ])
]
