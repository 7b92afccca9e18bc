/**
 * Publishes the events that were committed with a change of state, in the order in which they were committed, at least
 * once: an event leaves the outbox after the bus has it. Of several nodes one publishes at a time.
 */
import { Cause, Context, Effect, Latch, Layer, Schedule } from "effect"
import { EventBus } from "@beckon/domain/ports/EventBus"
import { EventOutbox } from "@beckon/domain/ports/EventOutbox"

const batch = 100

/** Looks again after this time even if nobody said that there is something. */
const lookEvery = "1 second"

export class OutboxRelay extends Context.Service<
  OutboxRelay,
  {
    /** Says that something was committed; the relay publishes it at once. */
    readonly nudge: Effect.Effect<void>
  }
>()("@beckon/server/ingest/OutboxRelay") {
  static readonly layer = Layer.effect(
    OutboxRelay,
    Effect.gen(function* () {
      const outbox = yield* EventOutbox
      const bus = yield* EventBus
      const news = yield* Latch.make(true)

      const publishAll = Effect.gen(function* () {
        while (true) {
          const entries = yield* outbox.peek(batch)
          if (entries.length === 0) return
          yield* bus.publish(entries)
          yield* outbox.remove(entries.map(({ id }) => id))
        }
      })

      const round = Effect.gen(function* () {
        yield* Effect.race(news.await, Effect.sleep(lookEvery))
        yield* news.close
        yield* outbox.exclusively(publishAll).pipe(
          Effect.tapError((error) => Effect.logWarning("The outbox could not be published; it tries again", error)),
          Effect.retry(
            Schedule.min([Schedule.jittered(Schedule.exponential("100 millis")), Schedule.spaced("10 seconds")])
          )
        )
      })
      const survived = Effect.catchCause(round, (cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause)
          : Effect.logError("A round of the outbox relay failed; the next one publishes what is left", cause)
      )
      yield* Effect.forkScoped(Effect.forever(survived))

      return { nudge: Effect.asVoid(news.open) }
    })
  )
}
