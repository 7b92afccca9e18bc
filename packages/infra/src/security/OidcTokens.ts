/**
 * Access tokens of OpenID Connect issuers: JSON Web Tokens (RFC 9068, RFC 7519) that are signed with a key of theirs.
 *
 * **Details**
 *
 * Only signatures with a private key count: with an algorithm of shared secrets, the public key of the issuer would be the
 * secret (RFC 8725 section 3.1). The token must be for this deployment (`aud`), be of an issuer that is configured (`iss`), have its
 * times (`exp`, `iat`, `nbf`), and be no other kind of token: an ID token says who logged in at an application, not what may be
 * done here.
 */
import { Clock, Context, Duration, Effect, Layer, Option, Result } from "effect"
import type { Scope } from "effect"
import type { HttpClient } from "effect/http"
import { decodeJwt, decodeProtectedHeader, jwtVerify } from "jose"
import type { JWTPayload, ProtectedHeaderParameters } from "jose"
import type { Identity } from "@beckon/domain/Identity"
import { TokenRefused } from "@beckon/domain/ports/Tokens"
import * as IssuerKeys from "./IssuerKeys.ts"
import { reasonOf } from "./JwtTokens.ts"
import * as OidcClaims from "./OidcClaims.ts"

export interface OidcSettings {
  /** As their tokens have it in `iss`, and the tenants that each may speak for. */
  readonly issuers: ReadonlyMap<string, OidcClaims.IssuerTenants>
  readonly clockSkew: Duration.Duration
  /** Tokens are refused at this age, whenever they expire. */
  readonly maxAge: Duration.Duration
  /** How long the keys of an issuer are good that does not answer. */
  readonly keptThroughOutage: Duration.Duration
  readonly mapping: OidcClaims.ClaimMapping
}

const algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]

/** RFC 9068 section 2.1; most issuers write `JWT` or nothing. */
const types: ReadonlyArray<string | undefined> = ["at+jwt", "application/at+jwt", "jwt", "application/jwt", undefined]

/** What Keycloak writes into the claim `typ` of tokens that are not for calling. */
const otherKinds: ReadonlyArray<unknown> = ["ID", "Refresh", "Offline", "Logout"]

const headerOf = Option.liftThrowable((token: string): ProtectedHeaderParameters => decodeProtectedHeader(token))
const payloadOf = Option.liftThrowable((token: string): JWTPayload => decodeJwt(token))

/** The issuer that a token claims to be of; not verified. */
export const claimedIssuer = (token: string): string | undefined =>
  Option.getOrUndefined(Option.map(payloadOf(token), ({ iss }) => iss))

const refused = (reason: string) => new TokenRefused({ reason: `token: ${reason}` })

const make = Effect.fnUntraced(function* (
  settings: OidcSettings
): Effect.fn.Return<OidcTokens["Service"], never, HttpClient.HttpClient | Scope.Scope> {
  const { clockSkew, issuers, keptThroughOutage, mapping, maxAge } = settings
  const trusted = new Map(
    yield* Effect.forEach(issuers, ([issuer, tenants]) =>
      Effect.map(IssuerKeys.make(issuer, keptThroughOutage), (keys) => [issuer, { keys, tenants }] as const)
    )
  )

  const verify = Effect.fn("OidcTokens.verify")(function* (token: string): Effect.fn.Return<Identity, TokenRefused> {
    const header = Option.getOrUndefined(headerOf(token))
    const issuer = claimedIssuer(token) ?? ""
    const known = trusted.get(issuer)
    if (header?.alg === undefined || known === undefined) return yield* refused("its issuer is not trusted here")
    const { keys, tenants } = known
    const { alg } = header
    // Before a key is looked for: what can never be good costs no request.
    if (!algorithms.includes(alg)) return yield* refused("its algorithm is not one of public keys")
    if (!types.includes(header.typ?.toLowerCase())) return yield* refused("it is not an access token")
    const key = yield* Effect.mapError(keys.find({ ...header, alg }), (error) =>
      error._tag === "KeyUnknown"
        ? refused("its issuer has no such key")
        : new TokenRefused({ reason: "token: its issuer does not answer; try again", because: "unavailable" })
    )
    const now = yield* Clock.currentTimeMillis
    const { payload } = yield* Effect.tryPromise({
      try: () =>
        jwtVerify(token, key, {
          algorithms,
          issuer,
          audience: [...mapping.audiences],
          requiredClaims: ["exp", "iat"],
          maxTokenAge: Duration.toSeconds(maxAge),
          clockTolerance: Duration.toSeconds(clockSkew),
          currentDate: new Date(now)
        }),
      catch: (cause) => new TokenRefused({ reason: reasonOf(cause) })
    })
    if (otherKinds.includes(payload["typ"])) return yield* refused("it is not an access token")
    const identity = OidcClaims.identityOf(payload, mapping, tenants)
    return Result.isSuccess(identity) ? identity.success : yield* refused(`its claims do not fit: ${identity.failure}`)
  })

  return { trusts: (issuer) => trusted.has(issuer), verify }
})

export class OidcTokens extends Context.Service<
  OidcTokens,
  {
    readonly trusts: (issuer: string) => boolean
    readonly verify: (token: string) => Effect.Effect<Identity, TokenRefused>
  }
>()("@beckon/infra/security/OidcTokens") {
  static readonly layer = (settings: OidcSettings): Layer.Layer<OidcTokens, never, HttpClient.HttpClient> =>
    Layer.effect(OidcTokens, make(settings))
}
