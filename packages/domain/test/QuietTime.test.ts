import { DateTime } from "effect"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { QuietHours } from "../src/Preferences.ts"
import * as QuietTime from "../src/QuietTime.ts"
import { isQuiet } from "./WallClock.ts"

const night: QuietHours = { start: "22:00", end: "07:00" }

const endOf = (quiet: QuietHours, zone: string, at: string): string =>
  DateTime.formatIso(QuietTime.endOf(quiet, DateTime.zoneMakeNamedUnsafe(zone), DateTime.makeUnsafe(at)))

describe("QuietTime.endOf", () => {
  it.each([
    ["in the evening", "Europe/Berlin", "2026-01-10T21:30:00Z", "2026-01-11T06:00:00.000Z"],
    ["in the morning", "Europe/Berlin", "2026-01-10T05:59:59.999Z", "2026-01-10T06:00:00.000Z"],
    ["at the first moment", "Europe/Berlin", "2026-01-10T21:00:00Z", "2026-01-11T06:00:00.000Z"],
    ["at the last moment, which is free", "Europe/Berlin", "2026-01-10T06:00:00Z", "2026-01-10T06:00:00.000Z"],
    ["by day", "Europe/Berlin", "2026-01-10T12:34:56.789Z", "2026-01-10T12:34:56.789Z"],
    ["over the night with an hour less", "Europe/Berlin", "2026-03-28T21:30:00Z", "2026-03-29T05:00:00.000Z"],
    ["over the night with an hour more", "Europe/Berlin", "2026-10-24T20:30:00Z", "2026-10-25T06:00:00.000Z"],
    ["over a spring night", "America/New_York", "2026-03-08T04:00:00Z", "2026-03-08T11:00:00.000Z"],
    ["over an autumn night", "America/New_York", "2026-11-01T03:00:00Z", "2026-11-01T12:00:00.000Z"],
    ["over half an hour less", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T20:00:00.000Z"],
    ["over half an hour more", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", "2026-04-04T20:30:00.000Z"],
    ["at half hours", "Asia/Kolkata", "2026-06-01T17:00:00Z", "2026-06-02T01:30:00.000Z"],
    ["a day ahead", "Pacific/Kiritimati", "2026-06-01T09:00:00Z", "2026-06-01T17:00:00.000Z"],
    ["a day behind", "Pacific/Pago_Pago", "2026-06-01T09:00:00Z", "2026-06-01T18:00:00.000Z"]
  ])("waits for the wall clock %s (%s)", (_when, zone, at, expected) => {
    assert.strictEqual(endOf(night, zone, at), expected)
  })

  it("ends with the jump of a clock that is put forward past the end", () => {
    const quiet = { start: "22:00", end: "02:30" }
    assert.strictEqual(endOf(quiet, "Europe/Berlin", "2026-03-28T23:00:00Z"), "2026-03-29T01:00:00.000Z")
    assert.strictEqual(endOf(quiet, "America/New_York", "2026-03-08T05:00:00Z"), "2026-03-08T07:00:00.000Z")
  })

  it("goes on when the clock is put forward from one silence into the next", () => {
    // Only from two to three it is not quiet, and that hour is missing on this day.
    const quiet = { start: "03:00", end: "02:00" }
    assert.strictEqual(endOf(quiet, "Europe/Berlin", "2026-03-28T12:00:00Z"), "2026-03-30T00:00:00.000Z")
  })

  it("is quiet again when the clock is put back into the silence, and over when it is put back out of it", () => {
    const early = { start: "22:00", end: "02:30" }
    assert.strictEqual(endOf(early, "Europe/Berlin", "2026-10-24T23:00:00Z"), "2026-10-25T00:30:00.000Z")
    assert.strictEqual(endOf(early, "Europe/Berlin", "2026-10-25T00:45:00Z"), "2026-10-25T00:45:00.000Z")
    assert.strictEqual(endOf(early, "Europe/Berlin", "2026-10-25T01:10:00Z"), "2026-10-25T01:30:00.000Z")
    const late = { start: "02:30", end: "06:00" }
    assert.strictEqual(endOf(late, "Europe/Berlin", "2026-10-25T00:40:00Z"), "2026-10-25T01:00:00.000Z")
  })

  it("counts the day on which the quiet hours began", () => {
    const weekend = { ...night, days: [5, 6] }
    // 2026-01-09 is a Friday.
    assert.strictEqual(endOf(weekend, "UTC", "2026-01-08T23:00:00Z"), "2026-01-08T23:00:00.000Z")
    assert.strictEqual(endOf(weekend, "UTC", "2026-01-09T06:00:00Z"), "2026-01-09T06:00:00.000Z")
    assert.strictEqual(endOf(weekend, "UTC", "2026-01-09T23:00:00Z"), "2026-01-10T07:00:00.000Z")
    assert.strictEqual(endOf(weekend, "UTC", "2026-01-11T06:00:00Z"), "2026-01-11T07:00:00.000Z")
    assert.strictEqual(endOf(weekend, "UTC", "2026-01-11T23:00:00Z"), "2026-01-11T23:00:00.000Z")
    assert.strictEqual(endOf({ ...night, days: [] }, "UTC", "2026-01-09T23:00:00Z"), "2026-01-09T23:00:00.000Z")
    const noon = { start: "12:00", end: "13:00", days: [7] }
    assert.strictEqual(endOf(noon, "UTC", "2026-01-11T12:30:00Z"), "2026-01-11T13:00:00.000Z")
    assert.strictEqual(endOf(noon, "UTC", "2026-01-12T12:30:00Z"), "2026-01-12T12:30:00.000Z")
  })

  it("counts days of the user's zone, on both sides of the date line", () => {
    const monday = { ...night, days: [1] }
    // 2026-06-01 is a Monday. On Kiritimati (UTC+14) its evening begins at 08:00Z, on Pago Pago (UTC-11) at 09:00Z of the next day.
    assert.strictEqual(endOf(monday, "Pacific/Kiritimati", "2026-06-01T09:00:00Z"), "2026-06-01T17:00:00.000Z")
    assert.strictEqual(endOf(monday, "Pacific/Pago_Pago", "2026-06-01T09:30:00Z"), "2026-06-01T09:30:00.000Z")
    assert.strictEqual(endOf(monday, "Pacific/Pago_Pago", "2026-06-02T09:30:00Z"), "2026-06-02T18:00:00.000Z")
  })

  it("works before 1970 as well", () => {
    const thursday = { ...night, days: [4] }
    assert.strictEqual(endOf(thursday, "UTC", "1969-12-25T23:00:00Z"), "1969-12-26T07:00:00.000Z")
    assert.strictEqual(endOf(thursday, "UTC", "1969-12-24T23:00:00Z"), "1969-12-24T23:00:00.000Z")
  })

  it("comes back from hours that no user can set, but a store may hold", () => {
    const at = "2026-01-10T12:00:00Z"
    assert.strictEqual(endOf({ start: "12:00", end: "12:00" }, "UTC", at), "2026-01-10T12:00:00.000Z")
    assert.strictEqual(endOf({ start: "?", end: "" }, "UTC", at), "2026-01-10T12:00:00.000Z")
    assert.isTrue(endOf({ start: "00:00", end: "24:00" }, "UTC", at).startsWith("2026-01-1"))
  })

  it("is the first moment that the wall clock calls free, in every zone around its changes", () => {
    const zones = [
      "Europe/Berlin",
      "America/New_York",
      "Australia/Lord_Howe",
      "Asia/Kolkata",
      "Asia/Kathmandu",
      "Pacific/Kiritimati",
      "Pacific/Pago_Pago",
      "Pacific/Chatham",
      "Africa/Cairo",
      "Africa/Casablanca",
      "America/Santiago",
      "America/St_Johns",
      "Antarctica/Troll",
      "UTC"
    ]
    const time = fc
      .nat(1_439)
      .map((minutes) => `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`)
    const nearChange = fc
      .tuple(
        fc.constantFrom(
          "2026-02-15",
          "2026-03-08",
          "2026-03-22",
          "2026-03-29",
          "2026-04-05",
          "2026-04-24",
          "2026-09-06",
          "2026-09-27",
          "2026-10-04",
          "2026-10-25",
          "2026-10-30",
          "2026-11-01"
        ),
        fc.integer({ min: -36 * 60, max: 36 * 60 })
      )
      .map(([day, minutes]) => DateTime.toEpochMillis(DateTime.makeUnsafe(day)) + minutes * 60_000)
    const anywhere = fc.integer({ min: 1_767_225_600 / 60, max: 1_798_761_600 / 60 }).map((minutes) => minutes * 60_000)
    const quietHours = fc
      .record({ start: time, end: time, days: fc.option(fc.subarray([1, 2, 3, 4, 5, 6, 7]), { nil: undefined }) })
      .filter(({ end, start }) => start !== end)
      .map(({ days, end, start }): QuietHours => ({ start, end, ...(days === undefined ? {} : { days }) }))
    fc.assert(
      fc.property(
        quietHours,
        fc.constantFrom(...zones),
        fc.oneof(nearChange, anywhere),
        fc.nat(59_999),
        (quiet, zone, minute, rest) => {
          const at = minute + rest
          const end = DateTime.toEpochMillis(
            QuietTime.endOf(quiet, DateTime.zoneMakeNamedUnsafe(zone), DateTime.makeUnsafe(at))
          )
          assert.isFalse(isQuiet(quiet, zone, end))
          if (end === at) return
          assert.strictEqual(end % 60_000, 0)
          for (let before = minute; before < end; before += 60_000) assert.isTrue(isQuiet(quiet, zone, before))
        }
      ),
      { numRuns: 600 }
    )
  })
})

describe("QuietTime.silences", () => {
  it("is about push, SMS and WhatsApp unless the user says otherwise", () => {
    const channels = ["push", "email", "sms", "whatsapp", "webhook"] as const
    assert.deepStrictEqual(
      channels.filter((channel) => QuietTime.silences(night, channel)),
      ["push", "sms", "whatsapp"]
    )
    assert.deepStrictEqual(
      channels.filter((channel) => QuietTime.silences({ ...night, channels: ["email", "in_app"] }, channel)),
      ["email"]
    )
  })
})

describe("QuietTime.zoneOf", () => {
  it("takes the first name that is known, and UTC when none is", () => {
    const name = (...names: ReadonlyArray<string | null | undefined>) => DateTime.zoneToString(QuietTime.zoneOf(names))
    assert.strictEqual(name("Europe/Berlin", "Asia/Tokyo"), "Europe/Berlin")
    assert.strictEqual(name(undefined, null, "Asia/Tokyo"), "Asia/Tokyo")
    assert.strictEqual(name("Mars/Olympus", "Asia/Tokyo"), "Asia/Tokyo")
    assert.strictEqual(name("Mars/Olympus", "", "not a zone"), "UTC")
    assert.strictEqual(name(), "UTC")
  })
})
