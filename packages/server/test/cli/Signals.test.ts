import { describe, expect, it } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { failed } from "../../src/cli/FailureLine.ts"
import { within } from "../../src/cli/Serve.ts"
import { interruptible, Signals } from "../../src/cli/Signals.ts"
import type { Signal } from "../../src/cli/Signals.ts"

describe("a stop", () => {
  it.effect("that hangs is left behind after the limit, with one line", () =>
    Effect.gen(function* () {
      const stopping = yield* Effect.forkChild(
        Effect.flip(within(Effect.uninterruptible(Effect.never), Duration.seconds(4)))
      )
      yield* TestClock.adjust("3999 millis")
      expect(stopping.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(stopping)).toEqual(failed("Stopping took longer than 4s (DRAIN_TIMEOUT): ended anyway"))
    })
  )

  it.effect("that ends in time succeeds", () =>
    within(Effect.sleep(0), Duration.seconds(4)).pipe(
      Effect.forkChild,
      Effect.tap(() => TestClock.adjust("1 millis")),
      Effect.flatMap(Fiber.join)
    )
  )
})

describe("a signal", () => {
  it.effect("interrupts a command that has nothing to wind up", () =>
    Effect.gen(function* () {
      const signal = yield* Deferred.make<Signal>()
      const command = yield* interruptible(Effect.never).pipe(
        Effect.provide(Signals.layerOf(Deferred.await(signal))),
        Effect.forkChild
      )
      yield* Deferred.succeed(signal, "SIGINT")
      const exit = yield* Fiber.await(command)
      expect(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)).toBe(true)
    })
  )
})
