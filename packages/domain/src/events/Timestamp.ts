/**
 * Times as sources write them: ISO 8601; one without a zone is UTC (R0).
 */
import { Schema, SchemaGetter } from "effect"

const hasZone = /(?:[zZ]|[+-]\d{2}(?::?\d{2})?)$/

/** Decodes `2026-01-31T10:00:00`, `2026-01-31T10:00:00Z` and `2026-01-31T11:00:00+01:00`. */
export const Timestamp = Schema.String.check(Schema.isMaxLength(64)).pipe(
  Schema.decodeTo(Schema.DateTimeUtcFromString, {
    decode: SchemaGetter.transform((text: string) => (text.includes("T") && !hasZone.test(text) ? `${text}Z` : text)),
    encode: SchemaGetter.transform((text: string) => text)
  })
)
