/**
 * Times as sources write them: ISO 8601; one without a zone is UTC (R0).
 */
import { DateTime, Schema, SchemaGetter } from "effect"

const form =
  /^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)(?:([Zz])|([+-]\d{2})(?::?(\d{2}))?)?)?$/

/** The one spelling that every JavaScript engine reads alike (ECMA-262, section 21.4.1.32). */
const normalize = (text: string): string =>
  text.replace(form, (_, date: string, time?: string, zulu?: string, hours?: string, minutes?: string) => {
    if (time === undefined) return `${date}T00:00:00Z`
    return `${date}T${time.replace(",", ".")}${zulu === undefined && hours !== undefined ? `${hours}:${minutes ?? "00"}` : "Z"}`
  })

const first = DateTime.makeUnsafe("0001-01-01T00:00:00Z")
const last = DateTime.makeUnsafe("9999-12-31T23:59:59.999Z")

const isStorable = Schema.makeFilter<DateTime.Utc>(
  (time) => DateTime.isGreaterThanOrEqualTo(time, first) && DateTime.isLessThanOrEqualTo(time, last),
  { expected: "a time of the years 1 to 9999" }
)

/**
 * Decodes `2026-01-31T10:00:00`, `2026-01-31T10:00:00Z`, `2026-01-31T11:00:00+01:00`, also with a space for the `T`, and
 * plain dates; of the years 1 to 9999, which databases and clients have in common.
 */
export const Timestamp = Schema.String.check(
  Schema.isPattern(form, { expected: "a time in ISO 8601, such as 2026-01-31T10:00:00Z" })
).pipe(
  Schema.decodeTo(Schema.DateTimeUtcFromString.check(isStorable), {
    decode: SchemaGetter.transform(normalize),
    encode: SchemaGetter.transform((text: string) => text)
  })
)
