/**
 * When a user's quiet hours are over: what the clock on his wall shows decides.
 *
 * **Details**
 *
 * An instant is quiet exactly if the clock of his time zone then shows a time from the start (included) to the end (excluded),
 * on a day that counts: that on which the quiet hours began. A delivery waits for the first instant that is not quiet.
 *
 * - A clock that is put forward past the end ends them with that jump.
 * - A clock that is put back into them makes it quiet again, and one that is put back out of them ends them.
 *
 * **Gotchas**
 *
 * Nothing here throws or runs on for what an older version may have stored: names of zones that nobody knows are passed over, and hours
 * without a length are never quiet.
 */
import { DateTime, Option } from "effect"
import type { DeliveryChannel } from "./Delivery.ts"
import type { QuietHours } from "./Preferences.ts"

const minuteMillis = 60_000
const dayMillis = 86_400_000

const silentByDefault: ReadonlyArray<string> = ["push", "sms", "whatsapp"]

/** Whether these quiet hours are about the channel. */
export const silences = (quiet: QuietHours, channel: DeliveryChannel): boolean =>
  (quiet.channels ?? silentByDefault).includes(channel)

const utc: DateTime.TimeZone = DateTime.zoneMakeNamedUnsafe("UTC")

/** The first of these names that is known, or UTC. */
export const zoneOf = (names: ReadonlyArray<string | null | undefined>): DateTime.TimeZone => {
  for (const name of names) {
    const zone = name === null || name === undefined ? Option.none() : DateTime.zoneMakeNamed(name)
    if (Option.isSome(zone)) return zone.value
  }
  return utc
}

const minutesOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3))

/** 1 (Monday) to 7 (Sunday) of a day counted from 1970-01-01, a Thursday. */
const weekdayOf = (day: number): number => ((((day + 3) % 7) + 7) % 7) + 1

const offsetAt = (zone: DateTime.TimeZone, millis: number): number =>
  DateTime.zonedOffset(DateTime.setZone(DateTime.makeUnsafe(millis), zone))

/** The first minute with another offset than that of `from`; that of `to` is another. Clocks are changed on whole minutes. */
const changeOfOffset = (zone: DateTime.TimeZone, from: number, to: number): number => {
  const offset = offsetAt(zone, from)
  let before = Math.floor(from / minuteMillis)
  let after = Math.floor(to / minuteMillis)
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (offsetAt(zone, middle * minuteMillis) === offset) before = middle
    else after = middle
  }
  return after * minuteMillis
}

/** Milliseconds that the wall clock has to go until the end, or 0 when it is not quiet. `wall`: what it shows, as if it were UTC. */
const restOf = ({ days, end, start }: QuietHours, wall: number): number => {
  const day = Math.floor(wall / dayMillis)
  const from = minutesOf(start) * minuteMillis
  const to = minutesOf(end) * minuteMillis
  const time = wall - day * dayMillis
  const counts = (began: number): boolean => days === undefined || days.includes(weekdayOf(began))
  if (from < to) return time >= from && time < to && counts(day) ? to - time : 0
  if (from === to) return 0
  if (time >= from) return counts(day) ? dayMillis + to - time : 0
  return time < to && counts(day - 1) ? to - time : 0
}

/** More than ends and changes of the clock can follow on each other without a pause. */
const maxHops = 8

/** `at`, or the first instant after it that is not quiet. */
export const endOf = (quiet: QuietHours, zone: DateTime.TimeZone, at: DateTime.Utc): DateTime.Utc => {
  let millis = DateTime.toEpochMillis(at)
  for (let hop = 0; hop < maxHops; hop++) {
    const offset = offsetAt(zone, millis)
    const rest = restOf(quiet, millis + offset)
    if (rest === 0) break
    const end = millis + rest
    // It stays quiet as long as the clock runs evenly; after a jump it has to be read again.
    millis = offsetAt(zone, end) === offset ? end : changeOfOffset(zone, millis, end)
  }
  return DateTime.makeUnsafe(millis)
}
