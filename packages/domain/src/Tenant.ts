/**
 * A company that uses the deployment, and what it set for itself.
 *
 * **Details**
 *
 * A tenant is whatever a trusted credential says. A row gives it a name, settings and a status; a tenant without a row has
 * the defaults. A suspended tenant is refused everywhere; nothing of it is lost.
 */
import { Schema } from "effect"
import { TenantId } from "./Identifiers.ts"
import { identifierOf, nonEmptyTextOf } from "./Text.ts"
import { TimeZoneName } from "./TimeZoneName.ts"

/** A token bucket: filled at `perSecond`, holds `burst` at most. */
export const RateLimit = Schema.Struct({
  perSecond: Schema.Finite.check(Schema.isBetween({ minimum: 0.01, maximum: 1_000_000 })),
  burst: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000_000 }))
}).pipe(Schema.encodeKeys({ perSecond: "per_second" }))
export type RateLimit = typeof RateLimit.Type

const Days = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 3_650 }))

/** `https://app.example.com`: scheme, host and port, no path (RFC 6454 section 6.2). */
export const Origin = Schema.String.check(
  Schema.isMaxLength(256),
  Schema.makeFilter((value: string) => /^https?:\/\/[^/\s?#]+$/.test(value), {
    expected: "an origin such as https://app.example.com"
  })
)

/** What is absent has the deployment's default. */
export const TenantSettings = Schema.Struct({
  /** The language of texts for users that have none: BCP 47. */
  defaultLanguage: Schema.optionalKey(identifierOf(35)),
  /** The time zone of users that have none. */
  timeZone: Schema.optionalKey(TimeZoneName),
  /** Whose pages may call the API (CORS) and open sockets; absent: as the deployment is set. */
  allowedOrigins: Schema.optionalKey(Schema.Array(Origin).check(Schema.isMaxLength(50))),
  rateLimits: Schema.optionalKey(
    Schema.Struct({
      /** All calls of the tenant together. */
      tenant: Schema.optionalKey(RateLimit),
      /** Calls with one API key or of one service. */
      key: Schema.optionalKey(RateLimit),
      /** Calls of one user. */
      user: Schema.optionalKey(RateLimit)
    })
  ),
  sockets: Schema.optionalKey(
    Schema.Struct({
      /** New sockets of the whole tenant. */
      connects: Schema.optionalKey(RateLimit),
      /** Messages from one socket. */
      messages: Schema.optionalKey(RateLimit),
      /** Bytes from one socket. */
      bytes: Schema.optionalKey(RateLimit)
    })
  ),
  /** Days after which something is thrown away; absent: kept. */
  retention: Schema.optionalKey(
    Schema.Struct({
      notifications: Schema.optionalKey(Days),
      deliveries: Schema.optionalKey(Days),
      batches: Schema.optionalKey(Days),
      audit: Schema.optionalKey(Days)
    })
  )
}).pipe(
  Schema.encodeKeys({
    defaultLanguage: "default_language",
    timeZone: "time_zone",
    allowedOrigins: "allowed_origins",
    rateLimits: "rate_limits"
  })
)
export type TenantSettings = typeof TenantSettings.Type

export const TenantStatus = Schema.Literals(["active", "suspended"])
export type TenantStatus = typeof TenantStatus.Type

export const TenantName = nonEmptyTextOf(200)

export const Tenant = Schema.Struct({
  id: TenantId,
  name: TenantName,
  status: TenantStatus,
  settings: TenantSettings,
  /** Rises with every change; 0 for a tenant without a row. It is the ETag. */
  version: Schema.Int,
  createdAt: Schema.DateTimeUtcFromString,
  updatedAt: Schema.DateTimeUtcFromString
}).pipe(Schema.encodeKeys({ createdAt: "created_at", updatedAt: "updated_at" }))
export type Tenant = typeof Tenant.Type
