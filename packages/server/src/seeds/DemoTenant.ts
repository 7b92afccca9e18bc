/**
 * A tenant to try things out with: drivers and customers of a delivery service, what they wish, and a few templates.
 */
import type { UserChange } from "@beckon/domain/ports/UserDirectory"
import type { Preferences } from "@beckon/domain/Preferences"
import type { TemplateInput } from "@beckon/domain/Template"
import type { TenantSettings } from "@beckon/domain/Tenant"

export const name = "Demo"

export const settings: TenantSettings = { defaultLanguage: "en", timeZone: "Europe/Berlin" }

interface DemoUser {
  readonly id: string
  readonly user: UserChange
  /** Absent: none set. */
  readonly preferences?: Preferences
}

/** Numbers that are nobody's: those that the regulators keep for films and examples. */
const person = (
  id: string,
  given: string,
  phone: string,
  role: "driver" | "customer",
  language: string,
  preferences?: Preferences
): DemoUser => ({
  id,
  user: {
    name: given,
    email: `${id}@example.com`,
    phone,
    language,
    timeZone: language === "de" ? "Europe/Berlin" : "Europe/London",
    roles: [role]
  },
  ...(preferences === undefined ? {} : { preferences })
})

export const users: ReadonlyArray<DemoUser> = [
  person("driver-anna", "Anna Lang", "+493023125001", "driver", "de"),
  person("driver-omar", "Omar Said", "+447700900101", "driver", "en", {
    channels: { email: false },
    mutedTypes: ["order_accepted"]
  }),
  person("driver-lea", "Lea Brandt", "+493023125002", "driver", "de", {
    channels: {},
    mutedTypes: [],
    quietHours: { start: "22:00", end: "06:00" }
  }),
  person("customer-alice", "Alice Moore", "+447700900102", "customer", "en"),
  person("customer-bob", "Bob Stone", "+447700900103", "customer", "en", {
    channels: { sms: false },
    mutedTypes: [],
    categories: { marketing: { push: false, email: false } }
  }),
  person("customer-clara", "Clara Weiss", "+493023125003", "customer", "de", {
    channels: {},
    mutedTypes: [],
    quietHours: { start: "23:00", end: "07:30", channels: ["push", "sms"] },
    language: "de"
  })
]

const orderId = { type: "string", maxLength: 64 }

export const templates: Readonly<Record<string, TemplateInput>> = {
  driver_offer: {
    description: "An order that a driver may take",
    texts: {
      default: {
        title: "New order, {{ distance_km }} km away",
        message: "{{ restaurant }} → {{ destination }}. Accept within {{ seconds }} seconds."
      },
      de: {
        title: "Neue Bestellung, {{ distance_km }} km entfernt",
        message: "{{ restaurant }} → {{ destination }}. Bitte in {{ seconds }} Sekunden annehmen."
      }
    },
    variables: {
      type: "object",
      required: ["distance_km", "restaurant", "destination", "seconds"],
      properties: {
        distance_km: { type: "number", minimum: 0, maximum: 1_000 },
        restaurant: { type: "string", maxLength: 200 },
        destination: { type: "string", maxLength: 200 },
        seconds: { type: "integer", minimum: 1, maximum: 600 }
      }
    }
  },
  order_delayed: {
    description: "An order takes longer than was said",
    texts: {
      default: {
        title: "Order {{ order_id }} is late",
        message: "It arrives about {{ minutes }} minutes later. We are sorry.",
        sms: { text: "Your order {{ order_id }} is about {{ minutes }} min late." }
      },
      de: {
        title: "Bestellung {{ order_id }} verspätet sich",
        message: "Sie kommt etwa {{ minutes }} Minuten später. Das tut uns leid."
      }
    },
    variables: {
      type: "object",
      required: ["order_id", "minutes"],
      properties: { order_id: orderId, minutes: { type: "integer", minimum: 1, maximum: 600 } }
    }
  },
  weekend_offer: {
    description: "An offer to customers",
    texts: {
      default: {
        title: "{{ percent }} % off this weekend",
        message: "Use the code {{ code }} until Sunday night.",
        email: { subject: "{{ percent }} % off this weekend" }
      },
      de: { title: "{{ percent }} % am Wochenende", message: "Mit dem Code {{ code }} bis Sonntagabend." }
    },
    variables: {
      type: "object",
      required: ["percent", "code"],
      properties: {
        percent: { type: "integer", minimum: 1, maximum: 100 },
        code: { type: "string", maxLength: 32 }
      }
    }
  }
}
