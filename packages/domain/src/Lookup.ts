/**
 * Small tables of values that programs show and check by: types, categories, priorities, languages.
 *
 * **Details**
 *
 * The deployment has some for all tenants; a tenant's own stand before those of the same kind and code, and may switch them
 * off.
 */
import { Schema } from "effect"
import { NotificationData } from "./Notification.ts"
import { identifierOf, nonEmptyTextOf } from "./Text.ts"

/** `notification_types`, `languages`, or one of the tenant's own invention. */
export const LookupKind = Schema.String.check(
  Schema.isPattern(/^[a-z][a-z0-9_]{0,63}$/, {
    expected: "a name of lower-case letters, digits and underscores, such as notification_types"
  })
)

export const LookupCode = identifierOf(100)

export const LookupInput = Schema.Struct({
  /** For people, by language (BCP 47); at most 50. */
  labels: Schema.Record(identifierOf(35), nonEmptyTextOf(200)).check(
    Schema.isMinProperties(1),
    Schema.isMaxProperties(50)
  ),
  /** What programs need of it: a JSON object of at most 16,384 bytes. */
  attributes: Schema.optionalKey(NotificationData),
  /** False: shown where it was used, and offered no more. */
  active: Schema.optionalKey(Schema.Boolean),
  /** Lists go by it, then by code; 0 when absent. */
  order: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: -1_000_000, maximum: 1_000_000 })))
})
export type LookupInput = typeof LookupInput.Type

export const Lookup = Schema.Struct({
  code: LookupCode,
  labels: Schema.Record(Schema.String, Schema.String),
  attributes: Schema.JsonObject,
  active: Schema.Boolean,
  order: Schema.Int,
  /** Whose it is. */
  source: Schema.Literals(["platform", "tenant"]),
  updatedAt: Schema.DateTimeUtcFromString
}).pipe(Schema.encodeKeys({ updatedAt: "updated_at" }))
export type Lookup = typeof Lookup.Type

/** By order, then by code, byte for byte where codes are ASCII. */
const byOrder = (left: Lookup, right: Lookup): number =>
  left.order - right.order || (left.code < right.code ? -1 : left.code > right.code ? 1 : 0)

/** The deployment's with the tenant's own over them. */
export const overlaid = (platform: ReadonlyArray<Lookup>, own: ReadonlyArray<Lookup>): ReadonlyArray<Lookup> =>
  [...new Map([...platform, ...own].map((one) => [one.code, one])).values()].toSorted(byOrder)

/** The label in a language, or in a wider one (`de` for `de-AT`), or in the default, or any. */
export const labelIn = (labels: Lookup["labels"], language: string | undefined, fallback = "en"): string => {
  const parts = (language ?? fallback).split("-")
  for (let length = parts.length; length > 0; length--) {
    const name = parts.slice(0, length).join("-").toLowerCase()
    const found = Object.entries(labels).find(([key]) => key.toLowerCase() === name)
    if (found !== undefined) return found[1]
  }
  return language !== undefined && language !== fallback
    ? labelIn(labels, undefined, fallback)
    : (Object.values(labels)[0] ?? "")
}
