/**
 * What is known of one HTTP call, from its first byte to its answer: made by `Edge`, filled in by whoever learns something.
 *
 * **Gotchas**
 *
 * It is changed in place, because it belongs to one call and what is learned inside is needed outside. In what no HTTP call
 * began there is none.
 */
import { Context, Effect } from "effect"
import type { Fiber } from "effect"
import type { HttpServerRequest } from "effect/http"
import type { CallOrigin } from "@beckon/domain/CallOrigin"
import type { Identity } from "@beckon/domain/Identity"
import type { IdempotencyScope } from "@beckon/domain/ports/IdempotencyStore"
import type { TooManyRequests } from "@beckon/domain/Problem"

/** A call that is carried out under an `Idempotency-Key`. */
export interface HeldClaim {
  readonly scope: IdempotencyScope
  readonly claim: string
  /** Moves the end of the claim while the call is under way. */
  readonly heartbeat: Fiber.Fiber<unknown>
}

export interface Call {
  readonly request: HttpServerRequest.HttpServerRequest
  readonly origin: CallOrigin
  /** Once the credential is verified. */
  identity: Identity | undefined
  claim: HeldClaim | undefined
  /** The page that calls is none that the tenant allows. */
  refusedOrigin: boolean
  /** Of what is answered, in quotes. */
  etag: string | undefined
  /** Go with the answer, whatever it is; names in lower case. */
  readonly headers: Record<string, string>
  /** Takes more tokens of the caller's limits. */
  charge: ((tokens: number) => Effect.Effect<void, TooManyRequests>) | undefined
}

export const make = (request: HttpServerRequest.HttpServerRequest, origin: CallOrigin): Call => ({
  request,
  origin,
  identity: undefined,
  claim: undefined,
  refusedOrigin: false,
  etag: undefined,
  headers: {},
  charge: undefined
})

export const CurrentCall = Context.Reference<Call | undefined>("@beckon/server/http/CurrentCall", {
  defaultValue: () => undefined
})

/**
 * Counts a call that carries several things as that many calls: `rows` is their number, of which the call itself was counted
 * already.
 */
export const chargeRows = (rows: number): Effect.Effect<void, TooManyRequests> => chargeMore(rows - 1)

/** Counts as so many calls more. */
export const chargeMore = (calls: number): Effect.Effect<void, TooManyRequests> =>
  Effect.flatMap(CurrentCall, (call) => (calls > 0 && call?.charge !== undefined ? call.charge(calls) : Effect.void))
