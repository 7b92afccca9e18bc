/**
 * Looks from time to time whether anything is left that no planner and no worker would find, and says so.
 */
import { DateTime, Effect, Layer, Schedule } from "effect"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import type { Reconciliation } from "@beckon/domain/ports/DeliveryStore"
import { DeliverySettings } from "./DeliverySettings.ts"

/** Whether everything is where somebody finds it, in time. */
export const isSound = (found: Reconciliation): boolean =>
  found.unplanned === 0 && found.overdue === 0 && found.strayItems === 0 && found.contradictions === 0

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const store = yield* DeliveryStore
    const { patience, reconcileEvery } = yield* DeliverySettings

    const look = Effect.flatMap(DateTime.now, (now) => store.reconcile(now, patience)).pipe(
      Effect.tap((found) =>
        isSound(found) ? Effect.void : Effect.logError("ALARM: deliveries are late or in disorder", found)
      ),
      Effect.catch((error) => Effect.logWarning("The deliveries could not be reconciled", error))
    )
    yield* Effect.forkScoped(Effect.delay(Effect.repeat(look, Schedule.spaced(reconcileEvery)), reconcileEvery))
  })
)
