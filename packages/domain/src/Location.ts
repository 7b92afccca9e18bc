/**
 * Where a driver is, as he tells it and as his followers hear it.
 */
import { Schema } from "effect"

const within = (minimum: number, maximum: number) => Schema.Finite.check(Schema.isBetween({ minimum, maximum }))

/** What a driver sends: degrees of WGS 84. */
export const Location = Schema.Struct({
  latitude: within(-90, 90),
  longitude: within(-180, 180),
  /** Degrees clockwise from north. */
  heading: Schema.optionalKey(within(0, 360)),
  /** Metres per second. */
  speed: Schema.optionalKey(within(0, 1_000))
})
export type Location = typeof Location.Type

/** What followers get. */
export const LocatedAt = Schema.Struct({ ...Location.fields, at: Schema.DateTimeUtcFromString })
export type LocatedAt = typeof LocatedAt.Type
