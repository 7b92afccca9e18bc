import { describe, expect, it } from "@effect/vitest"
import * as Preferences from "../src/Preferences.ts"
import * as RoutingPolicy from "../src/RoutingPolicy.ts"

describe("saved preferences", () => {
  it("that decode come back as they are", () => {
    const stored = {
      channels: { push: false },
      mutedTypes: ["driver_nearby"],
      types: { order_created: { email: true } },
      categories: { orders: { sms: false } },
      quietHours: { start: "22:00", end: "07:00", channels: ["push"], days: [1, 7] },
      timeZone: "Europe/Berlin",
      language: "de"
    }
    expect(Preferences.fromStored(stored)).toEqual({ value: stored, dropped: [] })
  })

  it("lose only what is not understood", () => {
    const stored = {
      channels: { push: "no", email: false, fax: 3 },
      mutedTypes: ["a", 3, "b", ""],
      types: { order_created: { sms: false, push: 1 }, order_accepted: { push: false } },
      quietHours: { start: "22:00", end: "25:00" },
      timeZone: "Mars/Olympus",
      language: "de"
    }
    const { dropped, value } = Preferences.fromStored(stored)
    expect(value).toEqual({
      channels: { email: false },
      mutedTypes: ["a", "b"],
      types: { order_created: { sms: false }, order_accepted: { push: false } },
      language: "de"
    })
    expect(dropped.toSorted()).toEqual([
      "channels.push",
      "mutedTypes.1",
      "mutedTypes.2",
      "quietHours",
      "quietHours.end",
      "timeZone",
      "types.order_created.push"
    ])
  })

  it("of another shape are the initial ones", () => {
    for (const stored of [null, "text", [], 3]) {
      expect(Preferences.fromStored(stored).value).toEqual(Preferences.initial)
    }
    expect(Preferences.fromStored({ mutedTypes: "a", timeZone: "UTC" }).value).toEqual({
      channels: {},
      mutedTypes: [],
      timeZone: "UTC"
    })
  })
})

describe("a saved policy", () => {
  it("loses a step, a rule's field, or its time zone, and keeps the rest", () => {
    const { dropped, value } = RoutingPolicy.fromStored({
      time_zone: "Mars/Olympus",
      language: "pt-BR",
      types: {
        alarm: {
          critical: true,
          steps: [
            { channel: "pager", when: "always" },
            { channel: "sms", when: "always" }
          ]
        },
        order: { steps: [{ channel: "email", when: "unseen", after_seconds: -600 }], digest: { channels: ["email"] } }
      }
    })
    expect(value).toEqual({
      language: "pt-BR",
      types: { alarm: { critical: true, steps: [{ channel: "sms", when: "always" }] }, order: { steps: [] } }
    })
    expect(dropped).toContain("types.alarm.steps.0")
    expect(dropped).toContain("types.order.digest")
    expect(dropped).toContain("time_zone")
  })
})
