/**
 * Who calls: what a verified token says.
 */
import { Context, Schema } from "effect"
import { TenantId, UserId } from "./Identifiers.ts"
import { isScope } from "./Policy.ts"
import { identifierOf, textOf } from "./Text.ts"

/** `user` reads its own inbox; `service` sends to anyone of its tenant; `admin` may do both. */
export const Role = identifierOf(64)
export type Role = typeof Role.Type

/** The claims that Beckon reads from a JWT (RFC 7519; profile claims of OpenID Connect Core 5.1). */
export const Claims = Schema.Struct({
  sub: UserId,
  tenant: TenantId,
  roles: Schema.Array(Role).check(Schema.isMaxLength(64)),
  /** Seconds since 1970. */
  exp: Schema.Int,
  /** Seconds since 1970. */
  iat: Schema.optionalKey(Schema.Int),
  /** RFC 7519 section 4.1.7. */
  jti: Schema.optionalKey(identifierOf(256)),
  /** Space-separated (RFC 8693 section 4.2). */
  scope: Schema.optionalKey(textOf(4_096)),
  name: Schema.optionalKey(textOf(256)),
  email: Schema.optionalKey(textOf(320)),
  picture: Schema.optionalKey(textOf(2_048))
})
export type Claims = typeof Claims.Type

export interface Identity {
  readonly tenantId: TenantId
  readonly userId: UserId
  readonly roles: ReadonlyArray<Role>
  /** What the credential is limited to (`Policy.scopes`); absent: all that its roles have. */
  readonly scopes?: ReadonlyArray<string>
  /** The id of the API key that was shown; absent for tokens. */
  readonly keyId?: string
  /** What names this very token so that it can be revoked: its `jti`, or which secret of the API key was shown. */
  readonly tokenId?: string
  /** Milliseconds since 1970; absent for API keys, and where a token does not say it. */
  readonly issuedAt?: number
  /** Milliseconds since 1970. */
  readonly expiresAt: number
  readonly name?: string
  readonly email?: string
  readonly picture?: string
}

/** The caller of the request at hand. */
export class CurrentIdentity extends Context.Service<CurrentIdentity, Identity>()("@beckon/domain/CurrentIdentity") {}

/** A claim that names none of our scopes, such as `openid profile`, limits nothing. */
export const scopesOf = (claim: string | undefined): Pick<Identity, "scopes"> => {
  const named = (claim ?? "").split(" ").filter(isScope)
  return named.length === 0 ? {} : { scopes: named }
}

export const fromClaims = (claims: Claims): Identity => ({
  tenantId: claims.tenant,
  userId: claims.sub,
  roles: claims.roles,
  expiresAt: claims.exp * 1000,
  ...(claims.iat === undefined ? {} : { issuedAt: claims.iat * 1000 }),
  ...scopesOf(claims.scope),
  ...(claims.jti === undefined ? {} : { tokenId: claims.jti }),
  ...(claims.name === undefined ? {} : { name: claims.name }),
  ...(claims.email === undefined ? {} : { email: claims.email }),
  ...(claims.picture === undefined ? {} : { picture: claims.picture })
})

/** Whether the caller may send to other users of its tenant. */
export const maySend = (identity: Identity): boolean =>
  identity.roles.includes("service") || identity.roles.includes("admin")
