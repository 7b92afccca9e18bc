/**
 * The bearer token: where it comes from and when it expires.
 */
import { Effect, Option, Redacted, Schema } from "effect"
import { TokenUnavailable } from "./ClientError.ts"

/** A token, or an effect that gets a valid one; the effect is asked at every connect and before the token expires. */
export type TokenSource = string | Redacted.Redacted | Effect.Effect<string | Redacted.Redacted, unknown>

const reveal = (token: string | Redacted.Redacted): string =>
  typeof token === "string" ? token : Redacted.value(token)

/** Gets a token; a provider's failure or defect becomes `TokenUnavailable`. */
export const get = (source: TokenSource): Effect.Effect<string, TokenUnavailable> =>
  typeof source === "string" || Redacted.isRedacted(source)
    ? Effect.succeed(reveal(source))
    : source.pipe(
        Effect.map(reveal),
        Effect.catchDefect((defect) => Effect.fail(defect)),
        Effect.mapError((cause) => new TokenUnavailable({ cause }))
      )

const decodeClaims = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ exp: Schema.Finite })))

const decodeBase64Url = Option.liftThrowable((text: string) => atob(text.replaceAll("-", "+").replaceAll("_", "/")))

/** When a JWT expires, in milliseconds since the epoch (RFC 7519 section 4.1.4); `none` for any other token. Not verified. */
export const expiry = (token: string): Option.Option<number> =>
  Option.fromNullishOr(token.split(".")[1]).pipe(
    Option.flatMap(decodeBase64Url),
    Option.flatMap(decodeClaims),
    Option.map(({ exp }) => exp * 1000)
  )

/** How long before its expiry a token is replaced, at most; a token with a shorter life is replaced at half of it. */
const margin = 30_000

/** How many milliseconds to wait, from `now`, before replacing a token that expires at `expiresAt`. */
export const refreshDelay = (expiresAt: number, now: number): number => {
  const remaining = expiresAt - now
  return Math.max(0, remaining - margin, remaining / 2)
}
