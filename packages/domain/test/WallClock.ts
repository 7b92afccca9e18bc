/**
 * Quiet hours as a person reads them off a wall clock, without the code under test.
 */
import type { QuietHours } from "../src/Preferences.ts"

const clocks = new Map<string, Intl.DateTimeFormat>()

/** What the wall shows, read without the code under test: minutes since midnight, and the day of the week from 1 (Monday). */
const wallOf = (zone: string, millis: number): { readonly minutes: number; readonly weekday: number } => {
  let clock = clocks.get(zone)
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      hour: "2-digit",
      minute: "2-digit",
      weekday: "short",
      hourCycle: "h23"
    })
    clocks.set(zone, clock)
  }
  const parts = new Map(clock.formatToParts(millis).map(({ type, value }) => [type, value]))
  return {
    minutes: Number(parts.get("hour")) * 60 + Number(parts.get("minute")),
    weekday: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].indexOf(parts.get("weekday") ?? "") + 1
  }
}

const minutesOf = (time: string): number => {
  const [hours = 0, minutes = 0] = time.split(":").map(Number)
  return hours * 60 + minutes
}

export const isQuiet = ({ days, end, start }: QuietHours, zone: string, millis: number): boolean => {
  const { minutes, weekday } = wallOf(zone, millis)
  const yesterday = weekday === 1 ? 7 : weekday - 1
  const counts = (day: number) => days === undefined || days.includes(day)
  const from = minutesOf(start)
  const to = minutesOf(end)
  if (from < to) return counts(weekday) && minutes >= from && minutes < to
  return (counts(weekday) && minutes >= from) || (counts(yesterday) && minutes < to)
}
