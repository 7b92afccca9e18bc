/**
 * Wakes those who look for work: something may be due earlier than their next look.
 *
 * **Details**
 *
 * A nudge is a hint and may be lost with its node; every loop looks by itself from time to time.
 */
import { Context, Effect, Latch, Layer } from "effect"
import type { Duration } from "effect"

export interface Nudge {
  /** Must not wait; may be called from anywhere. */
  readonly now: () => void
  /** Waits for a nudge since the last wait, or for the time. */
  readonly wait: (atMost: Duration.Duration) => Effect.Effect<void>
}

const make = Effect.map(Latch.make(true), (latch): Nudge => ({
  now: () => void latch.openUnsafe(),
  wait: (atMost) => Effect.andThen(Effect.race(latch.await, Effect.sleep(atMost)), latch.close)
}))

export class Nudges extends Context.Service<
  Nudges,
  {
    /** Notifications wait for their plan. */
    readonly plan: Nudge
    /** Deliveries wait for a worker. */
    readonly send: Nudge
    /** Scheduled notifications wait for their time. */
    readonly schedule: Nudge
    /** Chunks of batches wait for a worker. */
    readonly batch: Nudge
  }
>()("@beckon/server/delivery/Nudges") {
  static readonly layer = Layer.effect(Nudges, Effect.all({ plan: make, send: make, schedule: make, batch: make }))
}
