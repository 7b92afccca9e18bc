/**
 * A credential of a service that has no token of an issuer: `bk_<id>_<secret>`.
 *
 * **Details**
 *
 * The id is public; the secret is shown once and kept as a hash. After a rotation the former secret is good until the overlap
 * ends, so a service takes the new one over without a pause. Two secrets are good at a time, at most.
 */
import { Schema } from "effect"
import type { DateTime } from "effect"
import { TenantId } from "./Identifiers.ts"
import type { Identity } from "./Identity.ts"
import { allows, allScopes, isScope } from "./Policy.ts"
import type { Scope } from "./Policy.ts"
import { identifierOf, nonEmptyTextOf } from "./Text.ts"

export const ApiKeyId = identifierOf(64)

/** `service` sends to anyone of its tenant; `admin` sets the tenant up. */
export const ApiKeyRole = Schema.Literals(["service", "admin"])
export type ApiKeyRole = typeof ApiKeyRole.Type

export const ApiKeyName = nonEmptyTextOf(100)

/** One of `Policy.scopes`. */
export const ApiKeyScope = Schema.String.check(
  Schema.makeFilter((name: string) => isScope(name), { expected: `one of ${allScopes.join(", ")}` })
)

export const ApiKey = Schema.Struct({
  id: ApiKeyId,
  tenantId: TenantId,
  name: ApiKeyName,
  role: ApiKeyRole,
  /** What it is limited to; null for all that its role may do. */
  scopes: Schema.NullOr(Schema.Array(Schema.String)),
  /** The user or the key that made it. */
  createdBy: Schema.String,
  createdAt: Schema.DateTimeUtcFromString,
  /** Null: never. */
  expiresAt: Schema.NullOr(Schema.DateTimeUtcFromString),
  revokedAt: Schema.NullOr(Schema.DateTimeUtcFromString),
  /** To the minute. */
  lastUsedAt: Schema.NullOr(Schema.DateTimeUtcFromString),
  lastUsedAddress: Schema.NullOr(Schema.String),
  rotatedAt: Schema.NullOr(Schema.DateTimeUtcFromString),
  /** How long the secret before the last rotation is good; null when there is none. */
  formerUntil: Schema.NullOr(Schema.DateTimeUtcFromString)
}).pipe(
  Schema.encodeKeys({
    tenantId: "tenant_id",
    createdBy: "created_by",
    createdAt: "created_at",
    expiresAt: "expires_at",
    revokedAt: "revoked_at",
    lastUsedAt: "last_used_at",
    lastUsedAddress: "last_used_address",
    rotatedAt: "rotated_at",
    formerUntil: "former_until"
  })
)
export type ApiKey = typeof ApiKey.Type

/** A secret as it is kept. */
export interface ApiKeySecret {
  /** 1 for the first; one more with every rotation. */
  readonly version: number
  /** SHA-256 of the whole key. */
  readonly hash: Uint8Array
  /** Null: as long as the key. */
  readonly until: DateTime.Utc | null
}

/** A key with what is needed to check one that is shown. */
export interface KnownApiKey {
  readonly key: ApiKey
  /** The newest first. */
  readonly secrets: ReadonlyArray<ApiKeySecret>
}

type Powers = Pick<Identity, "roles" | "scopes">

/** What a key of this role and these scopes may do. */
export const powersOf = (key: Pick<ApiKey, "role" | "scopes">): Powers => ({
  roles: [key.role],
  ...(key.scopes === null ? {} : { scopes: key.scopes })
})

/**
 * What this key may do and that caller may not. Who makes a key, or gets a new secret of it, could otherwise do more than he
 * may: it must be empty.
 */
export const beyond = (key: Pick<ApiKey, "role" | "scopes">, caller: Powers): ReadonlyArray<Scope> => {
  const powers = powersOf(key)
  return allScopes.filter((scope) => allows(powers, scope) && !allows(caller, scope))
}
