/**
 * Names of time zones of the IANA database, as `Intl` knows them.
 */
import { DateTime, Option, Schema } from "effect"

const isTimeZone = Schema.makeFilter<string>((name) => Option.isSome(DateTime.zoneMakeNamed(name)), {
  expected: "a time zone of the IANA database, such as Europe/Berlin"
})

export const TimeZoneName = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(64), isTimeZone)
