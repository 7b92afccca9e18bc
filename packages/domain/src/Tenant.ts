/**
 * A company that uses the deployment, and what it set for itself.
 *
 * **Details**
 *
 * A tenant is whatever a trusted credential says. A row gives it a name, settings and a status; a tenant without a row has
 * the defaults. Every call and socket of a suspended tenant is refused; nothing of it is lost. A removed one stays suspended for good, so
 * that nobody comes to its data by taking its id.
 */
import { Schema } from "effect"
import { TenantId } from "./Identifiers.ts"
import * as Salvage from "./Salvage.ts"
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

const Milliseconds = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** Who the tenant's users are and how they are reached: what Beckon was told, or what the tenant's own service answers. */
export const RecipientSource = Schema.Union([
  Schema.Struct({ source: Schema.Literal("directory") }),
  Schema.Struct({
    source: Schema.Literal("external"),
    /** https, of the public internet; `/users` is called below it. */
    url: nonEmptyTextOf(2_048),
    /** For one call; 5,000 when absent. */
    timeoutMs: Schema.optionalKey(Milliseconds(100, 30_000)),
    /** For how long an answer is used without asking again; 300,000 when absent. */
    cacheMs: Schema.optionalKey(Milliseconds(0, 3_600_000)),
    /** For how long it is used while the service does not answer; 3,600,000 when absent. */
    staleMs: Schema.optionalKey(Milliseconds(0, 86_400_000))
  }).pipe(Schema.encodeKeys({ timeoutMs: "timeout_ms", cacheMs: "cache_ms", staleMs: "stale_ms" }))
])
export type RecipientSource = typeof RecipientSource.Type
export type ExternalRecipients = Extract<RecipientSource, { readonly source: "external" }>

const settings = {
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
  /** Where its users come from; absent: the directory. */
  recipients: Schema.optionalKey(RecipientSource),
  /** Days after which something is thrown away; absent: kept. */
  retention: Schema.optionalKey(
    Schema.Struct({
      notifications: Schema.optionalKey(Days),
      deliveries: Schema.optionalKey(Days),
      batches: Schema.optionalKey(Days),
      audit: Schema.optionalKey(Days)
    })
  )
}

const settingNames = {
  defaultLanguage: "default_language",
  timeZone: "time_zone",
  allowedOrigins: "allowed_origins",
  rateLimits: "rate_limits"
} as const

/** What is absent has the deployment's default. */
export const TenantSettings = Schema.Struct(settings).pipe(Schema.encodeKeys(settingNames))
export type TenantSettings = typeof TenantSettings.Type

const change = <S extends Schema.Top>(schema: Schema.optionalKey<S>) => Schema.optionalKey(Schema.NullOr(schema.schema))

/** What is absent stays as it is; `null` takes it away. A setting that is given is replaced whole. */
export const TenantSettingsPatch = Schema.Struct({
  defaultLanguage: change(settings.defaultLanguage),
  timeZone: change(settings.timeZone),
  allowedOrigins: change(settings.allowedOrigins),
  rateLimits: change(settings.rateLimits),
  sockets: change(settings.sockets),
  recipients: change(settings.recipients),
  retention: change(settings.retention)
}).pipe(Schema.encodeKeys(settingNames))
export type TenantSettingsPatch = typeof TenantSettingsPatch.Type

const settingKeys = [
  "defaultLanguage",
  "timeZone",
  "allowedOrigins",
  "rateLimits",
  "sockets",
  "recipients",
  "retention"
] as const

export const patched = (former: TenantSettings, patch: TenantSettingsPatch): TenantSettings =>
  Object.fromEntries(
    settingKeys.flatMap((key) => {
      const value = patch[key] === undefined ? former[key] : patch[key]
      return value === undefined || value === null ? [] : [[key, value]]
    })
  )

const decodeSettings = Schema.decodeUnknownResult(TenantSettings)

/** Saved settings, without what is not understood any more. */
export const settingsFromStored = (stored: unknown): Salvage.Salvaged<TenantSettings> =>
  Salvage.salvage(decodeSettings, stored, {}, {})

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
  updatedAt: Schema.DateTimeUtcFromString,
  /** Only of a tenant that is gone: its id stays taken. */
  removedAt: Schema.optionalKey(Schema.DateTimeUtcFromString)
}).pipe(Schema.encodeKeys({ createdAt: "created_at", updatedAt: "updated_at", removedAt: "removed_at" }))
export type Tenant = typeof Tenant.Type
