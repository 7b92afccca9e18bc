/**
 * Who a token of an issuer is about, as the deployment maps the issuer's claims.
 *
 * **Details**
 *
 * A claim is named by a path: `realm_access.roles` is the member `roles` of the claim `realm_access`. A claim whose own name
 * has dots (`https://acme.example/roles`) is found first. `{audience}` in a path stands for each audience of the deployment, as in
 * Keycloak's `resource_access.{audience}.roles`.
 *
 * With a map of roles only what it names counts, so that the issuer's other roles, which may be called `admin` for something
 * else, mean nothing here. The role `platform` is over all tenants: only a map gives it, and only to an issuer that may speak for
 * all of them.
 */
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { Claims, Role, scopesOf } from "@beckon/domain/Identity"
import type { Identity } from "@beckon/domain/Identity"
import { Option, Predicate, Result, Schema } from "effect"

export interface ClaimMapping {
  readonly audiences: ReadonlyArray<string>
  /** The tenant of every token; or the claim that says it. */
  readonly tenant: { readonly fixed: TenantId } | { readonly claim: string }
  readonly rolesClaims: ReadonlyArray<string>
  /** Their role to ours. Absent: roles are taken as they are, but for `platform`. */
  readonly roleMap?: Readonly<Record<string, ReadonlyArray<string>>>
}

/** The tenants that an issuer may speak for. */
export type IssuerTenants = "*" | ReadonlyArray<TenantId>

type Payload = Readonly<Record<string, unknown>>

const maxRoles = 64

const isRole = Schema.is(Role)
const toTenant = Schema.decodeUnknownOption(TenantId)
const toUser = Schema.decodeUnknownOption(UserId)
const { email, jti, name, picture } = Claims.fields
const toProfile = {
  name: Schema.decodeUnknownOption(name),
  email: Schema.decodeUnknownOption(email),
  picture: Schema.decodeUnknownOption(picture)
}
const toTokenId = Schema.decodeUnknownOption(jti)

const member = (value: unknown, key: string): unknown =>
  Predicate.isObject(value) && Object.hasOwn(value, key) ? (value as Payload)[key] : undefined

const at = (payload: Payload, path: string, audience?: string): unknown => {
  const whole = member(payload, path)
  if (whole !== undefined) return whole
  return path
    .split(".")
    .map((part) => (part === "{audience}" ? (audience ?? part) : part))
    .reduce<unknown>(member, payload)
}

/** Some issuers write a list as text with spaces between. */
const textsOf = (value: unknown): ReadonlyArray<string> => {
  if (typeof value === "string") return value.split(" ").filter((part) => part !== "")
  return Array.isArray(value) ? value.filter((part) => typeof part === "string") : []
}

const rolesOf = (
  payload: Payload,
  { audiences, roleMap, rolesClaims }: ClaimMapping,
  tenants: IssuerTenants
): ReadonlyArray<string> => {
  const theirs = rolesClaims.flatMap((path) =>
    path.includes("{audience}")
      ? audiences.flatMap((audience) => textsOf(at(payload, path, audience)))
      : textsOf(at(payload, path))
  )
  const ours =
    roleMap === undefined
      ? theirs
      : theirs.flatMap((role) => (Object.hasOwn(roleMap, role) ? (roleMap[role] ?? []) : []))
  const mayBePlatform = roleMap !== undefined && tenants === "*"
  return [...new Set(ours)]
    .filter(isRole)
    .filter((role) => role !== "platform" || mayBePlatform)
    .slice(0, maxRoles)
}

const profileOf = (payload: Payload): Pick<Identity, "name" | "email" | "picture"> =>
  Object.fromEntries(
    Object.entries(toProfile).flatMap(([key, decode]) => {
      const value = payload[key] === undefined ? Option.none() : decode(payload[key])
      return Option.isSome(value) && value.value !== undefined ? [[key, value.value]] : []
    })
  )

/** Of a verified payload of an issuer that may speak for these tenants; or why it says not enough, or too much. */
export const identityOf = (
  payload: Payload,
  mapping: ClaimMapping,
  tenants: IssuerTenants
): Result.Result<Identity, string> => {
  // Tokens of services need not have a subject of their own (RFC 9068 section 2.2; `azp` of OpenID Connect).
  const userId = toUser(payload["sub"] ?? payload["client_id"] ?? payload["azp"])
  if (Option.isNone(userId)) return Result.fail("the claim sub must be an id of 1 to 128 characters")
  const tenantId =
    "fixed" in mapping.tenant ? Option.some(mapping.tenant.fixed) : toTenant(at(payload, mapping.tenant.claim))
  if (Option.isNone(tenantId)) {
    const claim = "claim" in mapping.tenant ? mapping.tenant.claim : ""
    return Result.fail(`the claim ${claim} must be a tenant, 1 to 64 characters`)
  }
  if (tenants !== "*" && !tenants.includes(tenantId.value)) {
    return Result.fail("its issuer may not speak for this tenant")
  }
  const { exp, iat } = payload
  if (typeof exp !== "number" || typeof iat !== "number") return Result.fail("the claims exp and iat must be there")
  const tokenId = payload["jti"] === undefined ? Option.none() : toTokenId(payload["jti"])
  return Result.succeed({
    tenantId: tenantId.value,
    userId: userId.value,
    roles: rolesOf(payload, mapping, tenants),
    issuedAt: Math.floor(iat * 1000),
    expiresAt: Math.floor(exp * 1000),
    ...scopesOf([...textsOf(payload["scope"]), ...textsOf(payload["scp"])].join(" ")),
    ...(Option.isSome(tokenId) && tokenId.value !== undefined ? { tokenId: tokenId.value } : {}),
    ...profileOf(payload)
  })
}
