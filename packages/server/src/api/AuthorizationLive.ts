/**
 * Verifies the credential of every HTTP request, checks the scope that its endpoint needs, and lets the rest of the call
 * touch the rows of the caller's tenant only. The one place where HTTP is authorised.
 */
import { Context, Effect, Exit, Layer, Option, Redacted } from "effect"
import type { HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { Authorization } from "@beckon/domain/api/Authorization"
import { StreamedBody } from "@beckon/domain/api/StreamedBody"
import { CurrentIdentity } from "@beckon/domain/Identity"
import * as Policy from "@beckon/domain/Policy"
import { asTenant } from "@beckon/domain/ports/RowAccess"
import { Forbidden, Unauthorized } from "@beckon/domain/Problem"
import { TokenVerifier } from "@beckon/domain/ports/Tokens"
import { CallGuard } from "../http/CallGuard.ts"
import { toProblem } from "../identity/Refusal.ts"
import * as Metrics from "../operations/Metrics.ts"

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
    const guard = yield* CallGuard
    return Authorization.of({
      bearer: (handler, { credential, endpoint, group }) =>
        Effect.gen(function* () {
          const token = Redacted.value(credential)
          if (token === "") {
            return yield* new Unauthorized({ detail: 'authorization: send "Authorization: Bearer <token>"' })
          }
          const identity = yield* Effect.catch(verifier.verify(token), (refused) =>
            Effect.andThen(refused.because === undefined ? guard.failed : Effect.void, Effect.fail(toProblem(refused)))
          )
          const scope = scopeOf(endpoint, group)
          if (scope === undefined || !Policy.allows(identity, scope)) {
            return yield* new Forbidden({ detail: Policy.refusal(scope) })
          }
          const caller = { tenant: identity.tenantId, user: identity.userId }
          const answered = yield* Effect.annotateLogs(
            guard.enter(identity, Option.getOrUndefined(Context.getOption(endpoint.annotations, StreamedBody))),
            caller
          )
          if (answered !== undefined) return answered
          return yield* handler.pipe(
            asTenant(identity.tenantId),
            Effect.provideService(CurrentIdentity, identity),
            Effect.annotateLogs(caller),
            // What fails becomes an answer further out; here it is told by what it is.
            Effect.onExit((exit) =>
              Effect.sync(() =>
                Metrics.add(
                  "requests",
                  identity.tenantId,
                  { outcome: Exit.isSuccess(exit) ? "answered" : "refused" },
                  1
                )
              )
            )
          )
        })
    })
  })
)
