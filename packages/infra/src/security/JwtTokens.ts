/**
 * JSON Web Tokens with HS256 (RFC 7519, RFC 7518 section 3.2), by `jose`: verified, and issued where this deployment is
 * its own issuer.
 */
import { Clock, Duration, Effect, Layer, Redacted, Schema } from "effect"
import { errors, jwtVerify, SignJWT } from "jose"
import { Claims, fromClaims } from "@beckon/domain/Identity"
import { TokenIssuer, TokenRefused, TokenVerifier } from "@beckon/domain/ports/Tokens"

const algorithm = "HS256"

/** How far the clocks of issuer and server may differ. */
const clockTolerance = Duration.seconds(5)

const decodeClaims = Schema.decodeUnknownEffect(Claims)

/** What a caller is told about a failure of `jose`. */
export const reasonOf = (cause: unknown): string => {
  if (cause instanceof errors.JWTExpired) return "token: it has expired"
  if (cause instanceof errors.JWTClaimValidationFailed) return `token: the claim ${cause.claim} is not acceptable`
  if (cause instanceof errors.JWSSignatureVerificationFailed) return "token: the signature is not ours"
  return "token: not a JSON Web Token that this server accepts"
}

/**
 * Verifies tokens with the claims `sub`, `tenant`, `roles`, `iat` and `exp`, all required: a token without the time of its issue has no
 * age, and cannot be told from those that were issued after a revocation.
 */
export const layerVerifier = (secret: Redacted.Redacted<Uint8Array>): Layer.Layer<TokenVerifier> =>
  Layer.succeed(TokenVerifier, {
    verify: Effect.fn("JwtTokens.verify")(function* (token) {
      const now = yield* Clock.currentTimeMillis
      const { payload } = yield* Effect.tryPromise({
        try: () =>
          jwtVerify(token, Redacted.value(secret), {
            algorithms: [algorithm],
            requiredClaims: ["sub", "tenant", "roles", "iat", "exp"],
            clockTolerance: Duration.toSeconds(clockTolerance),
            currentDate: new Date(now)
          }),
        catch: (cause) => new TokenRefused({ reason: reasonOf(cause) })
      })
      const claims = yield* Effect.mapError(
        decodeClaims(payload),
        ({ message }) => new TokenRefused({ reason: `token: its claims do not fit: ${message}` })
      )
      // One from the future would outlive revocations and its age.
      if ((claims.iat ?? 0) * 1000 > now + Duration.toMillis(clockTolerance)) {
        return yield* new TokenRefused({ reason: "token: the claim iat is in the future" })
      }
      return fromClaims(claims)
    })
  })

export const layerIssuer = (secret: Redacted.Redacted<Uint8Array>): Layer.Layer<TokenIssuer> =>
  Layer.succeed(TokenIssuer, {
    issue: Effect.fn("JwtTokens.issue")(function* ({ sub, ...claims }, lifetime) {
      const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
      return yield* Effect.promise(() =>
        new SignJWT({ ...claims })
          .setProtectedHeader({ alg: algorithm, typ: "JWT" })
          .setSubject(sub)
          .setIssuedAt(now)
          .setExpirationTime(now + Math.floor(Duration.toSeconds(lifetime)))
          .sign(Redacted.value(secret))
      )
    })
  })
