/**
 * Who wants a socket: the token comes in the `Authorization` header or, from browsers, as the subprotocol
 * `bearer.<token>` beside `beckon.v1`.
 */
import { Effect } from "effect"
import { UpgradeRefused } from "@beckon/infra/uws/UwsWebSocket"
import type { UpgradeRequest } from "@beckon/infra/uws/UwsWebSocket"
import type { Identity } from "@beckon/domain/Identity"
import { subprotocol } from "@beckon/domain/InboxRpcs"
import type { TokenRefused, TokenVerifier } from "@beckon/domain/ports/Tokens"
import type { TooManyRequests } from "@beckon/domain/Problem"
import type { Told } from "../http/RateLimits.ts"
import { toProblem } from "../identity/Refusal.ts"

const bearerPrefix = "bearer."

const tokenOf = (request: UpgradeRequest): string | undefined => {
  const header = /^Bearer +([^ ]+)$/i.exec(request.headers["authorization"] ?? "")?.[1]
  return header ?? request.subprotocols.find((name) => name.startsWith(bearerPrefix))?.slice(bearerPrefix.length)
}

const unauthorized = (detail: string) =>
  new UpgradeRefused({
    status: 401,
    problem: {
      type: "urn:beckon:problem:unauthorized",
      title: "The token is missing, malformed or expired.",
      status: 401,
      detail
    },
    headers: { "www-authenticate": "Bearer" }
  })

const refusalOf = (refused: TokenRefused): UpgradeRefused => {
  const problem = toProblem(refused)
  if (problem._tag === "Unauthorized") return unauthorized(refused.reason)
  const { detail, status, title, type } = problem
  return new UpgradeRefused({
    status,
    problem: { type, title, status, detail },
    headers: problem._tag === "Unavailable" ? { "retry-after": "1" } : {}
  })
}

const tooMany = (problem: TooManyRequests, headers: Told["headers"]): UpgradeRefused => {
  const { detail, status, title, type } = problem
  return new UpgradeRefused({ status, problem: { type, title, status, detail }, headers: { ...headers } })
}

/** Refuses with 401, 429 where an address shows too many tokens that are refused, 403 for a suspended tenant, 503 when nobody can tell; or answers the identity and the subprotocol to speak. */
export const authenticate = Effect.fnUntraced(function* (
  request: UpgradeRequest,
  verifier: TokenVerifier["Service"],
  /** Counts a token that is refused. */
  failed: Effect.Effect<Told>
): Effect.fn.Return<{ readonly identity: Identity; readonly subprotocol?: string }, UpgradeRefused> {
  const token = tokenOf(request)
  if (token === undefined) {
    return yield* unauthorized(
      `token: send "Authorization: Bearer <token>", or offer the subprotocols "${subprotocol}" and "bearer.<token>"`
    )
  }
  const offered = request.subprotocols
  if (offered.length > 0 && !offered.includes(subprotocol)) {
    return yield* new UpgradeRefused({
      status: 400,
      problem: {
        type: "urn:beckon:problem:unsupported-subprotocol",
        title: "No subprotocol in common.",
        status: 400,
        detail: `sec-websocket-protocol: this server speaks "${subprotocol}"`
      }
    })
  }
  const identity = yield* Effect.catch(verifier.verify(token), (refused) =>
    Effect.flatMap(refused.because === undefined ? failed : Effect.succeed(undefined), (told) =>
      Effect.fail(told?.refused === undefined ? refusalOf(refused) : tooMany(told.refused, told.headers))
    )
  )
  return offered.length === 0 ? { identity } : { identity, subprotocol }
})
