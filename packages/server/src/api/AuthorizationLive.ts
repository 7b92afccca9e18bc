/**
 * Verifies bearer tokens of HTTP requests.
 */
import { Effect, Layer, Redacted } from "effect"
import { Authorization } from "@beckon/domain/api/Authorization"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { Unauthorized } from "@beckon/domain/Problem"
import { TokenVerifier } from "@beckon/domain/ports/Tokens"

export const layer = Layer.effect(
  Authorization,
  Effect.gen(function* () {
    const verifier = yield* TokenVerifier
    return Authorization.of({
      bearer: (handler, { credential }) =>
        Effect.gen(function* () {
          const token = Redacted.value(credential)
          if (token === "") {
            return yield* new Unauthorized({ detail: 'authorization: send "Authorization: Bearer <token>"' })
          }
          const identity = yield* Effect.mapError(
            verifier.verify(token),
            ({ reason }) => new Unauthorized({ detail: reason })
          )
          return yield* Effect.provideService(handler, CurrentIdentity, identity)
        })
    })
  })
)
