/**
 * The one `TokenVerifier` of the server: it knows by its look what a credential is, and asks who can check it.
 *
 * **Details**
 *
 * `bk_…` is an API key. A JSON Web Token whose `iss` is a configured issuer is that issuer's, whatever else it says. Any other
 * is the deployment's own, where those are accepted.
 */
import { Clock, Duration, Effect, Layer } from "effect"
import { TokenRefused, TokenVerifier } from "@beckon/domain/ports/Tokens"
import * as ApiKeyFormat from "@beckon/infra/security/ApiKeySecret"
import { claimedIssuer, OidcTokens } from "@beckon/infra/security/OidcTokens"
import { ApiKeys } from "./ApiKeys.ts"
import { Standing } from "./Standing.ts"

export interface CredentialSettings {
  /** Whether tokens of the deployment's own secret are accepted. */
  readonly acceptOwn: boolean
  /** Tokens are refused at this age, whenever they expire. */
  readonly maxAge: Duration.Duration
}

const notTrusted = new TokenRefused({ reason: "token: its issuer is not trusted here" })

const tooOld = new TokenRefused({ reason: "token: it is too old" })

/** Needs the verifier of own tokens. */
export const layer = ({ acceptOwn, maxAge }: CredentialSettings) =>
  Layer.effect(
    TokenVerifier,
    Effect.gen(function* () {
      const own = yield* TokenVerifier
      const oidc = yield* OidcTokens
      const keys = yield* ApiKeys
      const standing = yield* Standing

      const check = (token: string) => {
        if (ApiKeyFormat.isApiKey(token)) return keys.verify(token)
        const issuer = claimedIssuer(token)
        if (issuer !== undefined && oidc.trusts(issuer)) return oidc.verify(token)
        return acceptOwn ? own.verify(token) : Effect.fail(notTrusted)
      }

      return {
        verify: Effect.fn("Credentials.verify")(function* (token) {
          const identity = yield* check(token)
          const end = (identity.issuedAt ?? Number.POSITIVE_INFINITY) + Duration.toMillis(maxAge)
          if (end <= (yield* Clock.currentTimeMillis)) return yield* tooOld
          yield* standing.admit(identity)
          return end < identity.expiresAt ? { ...identity, expiresAt: end } : identity
        })
      }
    })
  )
