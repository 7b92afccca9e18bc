/**
 * Turns saved notifications into deliveries when their time has come; on every node.
 */
import { Cause, DateTime, Effect, Layer } from "effect"
import * as DeliveryPlan from "@beckon/domain/DeliveryPlan"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { reachOf, TenantProviders } from "../providers/TenantProviders.ts"
import { DeliverySettings } from "./DeliverySettings.ts"
import { Nudges } from "./Nudges.ts"

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const store = yield* DeliveryStore
    const providers = yield* TenantProviders
    const { planBatch, poll } = yield* DeliverySettings
    const nudges = yield* Nudges

    const round = Effect.gen(function* () {
      const now = yield* DateTime.now
      const planned = yield* store.plan(planBatch, now, (due, context) => {
        const channels = reachOf(context.accounts?.get(due.tenantId), providers.shared(due.tenantId))
        return DeliveryPlan.plan(due, context, { channels }, now)
      })
      if (planned.dueAt !== undefined && DateTime.isLessThanOrEqualTo(planned.dueAt, now)) nudges.send.now()
      if (planned.notifications < planBatch) yield* nudges.plan.wait(poll)
    })

    yield* Effect.forkScoped(
      Effect.forever(
        Effect.catchCause(round, (cause) =>
          Cause.hasInterruptsOnly(cause)
            ? Effect.failCause(cause)
            : Effect.andThen(Effect.logWarning("Deliveries could not be planned", cause), Effect.sleep(poll))
        )
      )
    )
  })
)
