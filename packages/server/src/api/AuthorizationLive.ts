/**
 * Verifies the credential of every HTTP request, checks the scope that its endpoint needs, and lets the rest of the call
 * touch the rows of the caller's tenant only. The one place where HTTP is authorised.
 */
import { Context, Effect, Layer, Option, Redacted } from "effect"
import type { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { Authorization } from "@beckon/domain/api/Authorization"
import { CurrentIdentity } from "@beckon/domain/Identity"
import * as Policy from "@beckon/domain/Policy"
import { asTenant } from "@beckon/domain/ports/RowAccess"
import { Forbidden, Unauthorized } from "@beckon/domain/Problem"
import { TokenVerifier } from "@beckon/domain/ports/Tokens"

/** The scope that a call of the endpoint needs; nothing where its definition forgot to say it. */
export const scopeOf = (endpoint: HttpApiEndpoint.Top, group: HttpApiGroup.Top): Policy.Scope | undefined =>
  Option.getOrUndefined(
    Option.map(
      Option.orElse(Context.getOption(endpoint.annotations, Policy.RequiredScope), () =>
        Context.getOption(group.annotations, Policy.RequiredScope)
      ),
      (required) => Policy.scopeFor(required, endpoint.method)
    )
  )

export const layer = Layer.effect(
  Authorization,
  Effect.gen(function* () {
    const verifier = yield* TokenVerifier
    return Authorization.of({
      bearer: (handler, { credential, endpoint, group }) =>
        Effect.gen(function* () {
          const token = Redacted.value(credential)
          if (token === "") {
            return yield* new Unauthorized({ detail: 'authorization: send "Authorization: Bearer <token>"' })
          }
          const identity = yield* Effect.mapError(
            verifier.verify(token),
            ({ reason }) => new Unauthorized({ detail: reason })
          )
          const scope = scopeOf(endpoint, group)
          if (scope === undefined || !Policy.allows(identity, scope)) {
            return yield* new Forbidden({ detail: Policy.refusal(scope) })
          }
          return yield* handler.pipe(asTenant(identity.tenantId), Effect.provideService(CurrentIdentity, identity))
        })
    })
  })
)
