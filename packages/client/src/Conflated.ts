/**
 * A worker that carries out only the latest of what it is given, at most once per interval.
 */
import { Effect, Latch } from "effect"
import type { Duration, Scope } from "effect"

export interface Conflated<A> {
  /** Replaces what waits. */
  readonly offer: (value: A) => void
  /** Takes what waits, if anything does. */
  readonly take: () => A | undefined
}

export interface ConflatedOptions<A, R, E, X> {
  /** Collects for this long after the first value. */
  readonly delay: Duration.Input
  /** Is awaited before the value is taken, so that after a long wait it is still the latest. Its failure ends the worker. */
  readonly ready: Effect.Effect<R, X>
  /** Carries it out; when it fails, the value waits again unless a newer one does. */
  readonly run: (value: A, ready: R) => Effect.Effect<void, E>
}

export const make = <A, R, E, X>(
  options: ConflatedOptions<A, R, E, X>
): Effect.Effect<Conflated<A>, never, Scope.Scope> =>
  Effect.gen(function* () {
    let waiting: A | undefined
    const latch = Latch.makeUnsafe()
    const offer = (value: A) => {
      waiting = value
      latch.openUnsafe()
    }
    const take = () => {
      const value = waiting
      waiting = undefined
      latch.closeUnsafe()
      return value
    }
    const once = Effect.gen(function* () {
      yield* latch.await
      yield* Effect.sleep(options.delay)
      const ready = yield* options.ready
      const value = take()
      if (value === undefined) return
      yield* options.run(value, ready).pipe(
        Effect.catch(() =>
          Effect.sync(() => {
            if (waiting === undefined) offer(value)
          })
        ),
        Effect.catchDefect((defect) => Effect.logWarning("Dropped a value that could not be carried out.", defect))
      )
    })
    yield* once.pipe(Effect.forever, Effect.ignore, Effect.forkScoped)
    return { offer, take }
  })
