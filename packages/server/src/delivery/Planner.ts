/**
 * Turns saved notifications into deliveries when their time has come; on every node.
 */
import { Cause, DateTime, Effect, Layer } from "effect"
import { deliveryChannels } from "@beckon/domain/Delivery"
import * as DeliveryPlan from "@beckon/domain/DeliveryPlan"
import { ChannelProviders } from "@beckon/domain/ports/ChannelProvider"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { DeliverySettings } from "./DeliverySettings.ts"
import { Nudges } from "./Nudges.ts"

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const store = yield* DeliveryStore
    const providers = yield* ChannelProviders
    const { planBatch, poll } = yield* DeliverySettings
    const nudges = yield* Nudges
    const reach = { channels: new Set(deliveryChannels.filter((channel) => providers[channel].length > 0)) }

    const round = Effect.gen(function* () {
      const now = yield* DateTime.now
      const planned = yield* store.plan(planBatch, now, (due, context) => DeliveryPlan.plan(due, context, reach, now))
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
