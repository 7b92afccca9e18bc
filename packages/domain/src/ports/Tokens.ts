/**
 * Verifies the tokens of callers, and makes them where this deployment is its own issuer.
 */
import { Context, Schema } from "effect"
import type { Duration, Effect } from "effect"
import type { Claims, Identity } from "../Identity.ts"

/** The token is not one that we trust now; `reason` may be told to the caller. */
export class TokenRefused extends Schema.TaggedError<TokenRefused>()("TokenRefused", {
  reason: Schema.String,
  /** The token is good, but its tenant is suspended; or nobody can tell at the moment. Absent: the token is not good. */
  because: Schema.optionalKey(Schema.Literals(["suspended", "unavailable"]))
}) {
  override get message() {
    return this.reason
  }
}

export class TokenVerifier extends Context.Service<
  TokenVerifier,
  { readonly verify: (token: string) => Effect.Effect<Identity, TokenRefused> }
>()("@beckon/domain/ports/TokenVerifier") {}

export class TokenIssuer extends Context.Service<
  TokenIssuer,
  { readonly issue: (claims: Omit<Claims, "exp">, lifetime: Duration.Duration) => Effect.Effect<string> }
>()("@beckon/domain/ports/TokenIssuer") {}
