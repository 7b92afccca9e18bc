/**
 * `/metrics`: for Prometheus, which sends one fixed token, and for those who run the deployment.
 */
import { Context, Effect, Layer, Redacted } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import * as Policy from "@beckon/domain/Policy"
import { Forbidden, Unauthorized } from "@beckon/domain/Problem"
import { TokenVerifier } from "@beckon/domain/ports/Tokens"
import { isSame } from "@beckon/infra/callbacks/Callback"
import { CallGuard } from "../http/CallGuard.ts"
import { toProblem } from "../identity/Refusal.ts"
import { Sessions } from "../gateway/Sessions.ts"
import { ResidentMailboxes } from "../mailbox/ResidentMailboxes.ts"
import * as Metrics from "../operations/Metrics.ts"

/** The token that collects metrics; without one a credential of the deployment's is needed. */
export class MetricsAccess extends Context.Service<MetricsAccess, { readonly token: Redacted.Redacted | undefined }>()(
  "@beckon/server/api/MetricsAccess"
) {
  static readonly layer = (token: Redacted.Redacted | undefined) => Layer.succeed(MetricsAccess, { token })
}

const scope = "tenants:read"
const bytes = new TextEncoder()

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "metrics",
  Effect.fn(function* (handlers) {
    const { token } = yield* MetricsAccess
    const verifier = yield* TokenVerifier
    const guard = yield* CallGuard
    const sessions = yield* Sessions
    const mailboxes = yield* ResidentMailboxes

    const authorize = Effect.fnUntraced(function* (header: string | undefined) {
      const shown = /^Bearer +([^ ]+)$/i.exec(header ?? "")?.[1]
      if (shown === undefined) {
        return yield* new Unauthorized({ detail: 'authorization: send "Authorization: Bearer <token>"' })
      }
      if (token !== undefined && isSame(bytes.encode(shown), bytes.encode(Redacted.value(token)))) return
      const identity = yield* Effect.catch(verifier.verify(shown), (refused) =>
        Effect.andThen(refused.because === undefined ? guard.failed : Effect.void, Effect.fail(toProblem(refused)))
      )
      if (!Policy.allows(identity, scope)) return yield* new Forbidden({ detail: Policy.refusal(scope) })
    })

    return handlers.handleAll({
      metrics: ({ headers }) =>
        Effect.gen(function* () {
          yield* authorize(headers.authorization)
          yield* Metrics.observe({
            sessions: Iterator.from(sessions.all()).reduce((count) => count + 1, 0),
            mailboxes: mailboxes.count()
          })
          return yield* PrometheusMetrics.format()
        })
    })
  })
)
