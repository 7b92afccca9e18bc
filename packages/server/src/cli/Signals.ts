/**
 * SIGINT (Ctrl-C) and SIGTERM: the first is told to whoever waits, the second ends the process at once.
 */
import { Context, Deferred, Effect, Layer } from "effect"
import type { Scope } from "effect"
import process from "node:process"

export type Signal = "SIGINT" | "SIGTERM"

/** Exit codes of a process that a signal ended: 128 and its number (POSIX shells). */
export const exitCodes: Readonly<Record<Signal, number>> = { SIGINT: 130, SIGTERM: 143 }

export class Signals extends Context.Service<
  Signals,
  {
    /** The first signal, once it has come. */
    readonly first: Effect.Effect<Signal>
  }
>()("@beckon/server/cli/Signals") {
  /** Listens to this process until the scope closes. */
  static readonly layer = Layer.effect(
    Signals,
    Effect.suspend(() => listen)
  )

  /** A first signal of the caller's choice. */
  static readonly layerOf = (first: Effect.Effect<Signal>): Layer.Layer<Signals> => Layer.succeed(Signals, { first })
}

const listen: Effect.Effect<Signals["Service"], never, Scope.Scope> = Effect.gen(function* () {
  const first = yield* Deferred.make<Signal>()
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      const onSignal = (signal: Signal) => {
        if (!Deferred.doneUnsafe(first, Effect.succeed(signal))) process.exit(exitCodes[signal])
      }
      process.on("SIGINT", onSignal).on("SIGTERM", onSignal)
      return onSignal
    }),
    (onSignal) => Effect.sync(() => process.off("SIGINT", onSignal).off("SIGTERM", onSignal))
  )
  return { first: Deferred.await(first) }
})

/** Interrupts the effect on the first signal: for commands that have nothing to wind up. */
export const interruptible = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Signals> =>
  Effect.raceFirst(
    effect,
    Effect.andThen(
      Signals.use(({ first }) => first),
      Effect.interrupt
    )
  )
