/**
 * `/api/v1/admin/routing-policy`: how a tenant routes its notifications beyond the socket.
 */
import { Effect, Schema } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { Conflict } from "@beckon/domain/Problem"
import { RoutingPolicyStore } from "@beckon/domain/ports/RoutingPolicyStore"
import { RoutingPolicy } from "@beckon/domain/RoutingPolicy"
import { Audit } from "../audit/Audit.ts"
import { storeToProblem } from "../inbox/Inbox.ts"

const noted = Schema.encodeEffect(Schema.toCodecJson(RoutingPolicy))

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "routing",
  Effect.fn(function* (handlers) {
    const store = yield* RoutingPolicyStore
    const audit = yield* Audit
    return handlers.handleAll({
      get: () =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          return { data: yield* Effect.catch(store.get(tenantId), storeToProblem) }
        }),
      set: ({ payload: { policy, version: expected } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const former = yield* Effect.catch(store.get(tenantId), storeToProblem)
          const version = yield* store.set(tenantId, policy, expected).pipe(
            Effect.catchTags({
              StoreUnavailable: storeToProblem,
              VersionConflict: ({ version }) =>
                Effect.fail(
                  new Conflict({ detail: `version: it is ${version} now; read it again and repeat the change` })
                )
            })
          )
          yield* audit.record({
            action: "routing_policy.set",
            target: "routing_policy",
            before: { version: former.version, policy: yield* Effect.orDie(noted(former.policy)) },
            after: { version, policy: yield* Effect.orDie(noted(policy)) }
          })
          return { data: { policy, version } }
        })
    })
  })
)
