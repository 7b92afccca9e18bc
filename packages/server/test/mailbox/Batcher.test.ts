import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Queue } from "effect"
import * as Batcher from "../../src/mailbox/Batcher.ts"

interface Step {
  readonly inputs: ReadonlyArray<number>
  readonly answer: Deferred.Deferred<ReadonlyArray<Exit.Exit<string, string>>>
}

const answers = (inputs: ReadonlyArray<number>) => inputs.map((input) => Exit.succeed(`did ${input}`))

/** A batcher whose steps wait until the test lets them go. */
const held = Effect.fnUntraced(function* (
  options: { readonly maxWeight?: number; readonly concurrency?: number } = {}
) {
  const steps = yield* Queue.unbounded<Step>()
  const batcher = yield* Batcher.make<number, string, string>({
    maxWeight: options.maxWeight ?? 100,
    weigh: (input) => input,
    concurrency: options.concurrency ?? 1,
    step: (inputs) =>
      Effect.flatMap(Deferred.make<ReadonlyArray<Exit.Exit<string, string>>>(), (answer) => {
        Queue.offerUnsafe(steps, { inputs, answer })
        return Deferred.await(answer)
      })
  })
  const submit = (input: number) => Effect.forkChild(Effect.exit(batcher.submit(input)), { startImmediately: true })
  const next = Queue.take(steps)
  const finish = (step: Step) => Deferred.succeed(step.answer, answers(step.inputs))
  return { batcher, submit, next, finish }
})

describe("Batcher", () => {
  it.effect("does what comes while it is busy in one step, and answers each request", () =>
    Effect.gen(function* () {
      const { finish, next, submit } = yield* held()
      const first = yield* submit(1)
      const lone = yield* next
      assert.deepStrictEqual(lone.inputs, [1])
      const others = yield* Effect.forEach([2, 3, 4], submit)
      yield* finish(lone)
      assert.deepStrictEqual(yield* Fiber.join(first), Exit.succeed("did 1"))
      const together = yield* next
      assert.deepStrictEqual(together.inputs, [2, 3, 4])
      yield* finish(together)
      assert.deepStrictEqual(
        yield* Fiber.joinAll(others),
        [2, 3, 4].map((input) => Exit.succeed(`did ${input}`))
      )
    })
  )

  it.effect("bounds a step by weight, keeps the order, and takes a request that is too heavy alone", () =>
    Effect.gen(function* () {
      const { finish, next, submit } = yield* held({ maxWeight: 10 })
      yield* Effect.forEach([4, 6, 1, 30, 5, 5], submit)
      for (const expected of [[4, 6], [1], [30], [5, 5]]) {
        const step = yield* next
        assert.deepStrictEqual(step.inputs, expected)
        yield* finish(step)
      }
    })
  )

  it.effect("fails the requests of a step that dies, and goes on with the others", () =>
    Effect.gen(function* () {
      const { finish, next, submit } = yield* held({ maxWeight: 2 })
      const doomed = yield* Effect.forEach([1, 1], submit)
      const spared = yield* submit(2)
      const step = yield* next
      yield* Deferred.die(step.answer, "the step died")
      for (const exit of yield* Fiber.joinAll(doomed)) {
        assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      }
      yield* finish(yield* next)
      assert.deepStrictEqual(yield* Fiber.join(spared), Exit.succeed("did 2"))
    })
  )

  it.effect("gives each request its own outcome", () =>
    Effect.gen(function* () {
      const { next, submit } = yield* held()
      const fibers = yield* Effect.forEach([1, 2, 3], submit)
      const step = yield* next
      // One answer is missing on purpose.
      yield* Deferred.succeed(step.answer, [Exit.succeed("fine"), Exit.fail("refused")])
      const [fine, refused, missing] = yield* Fiber.joinAll(fibers)
      assert.deepStrictEqual([fine, refused], [Exit.succeed("fine"), Exit.fail("refused")])
      assert.isTrue(missing !== undefined && Exit.hasDies(missing))
    })
  )

  it.effect("leaves the request of an interrupted caller in the batch, and the others in peace", () =>
    Effect.gen(function* () {
      const { finish, next, submit } = yield* held()
      yield* submit(1)
      const busy = yield* next
      const leaving = yield* submit(2)
      const staying = yield* submit(3)
      yield* Fiber.interrupt(leaving)
      yield* finish(busy)
      const step = yield* next
      assert.deepStrictEqual(step.inputs, [2, 3])
      yield* finish(step)
      assert.deepStrictEqual(yield* Fiber.join(staying), Exit.succeed("did 3"))
    })
  )

  it.effect("runs as many steps at once as it may, with no request in two of them", () =>
    Effect.gen(function* () {
      const { finish, next, submit } = yield* held({ maxWeight: 1, concurrency: 2 })
      const fibers = yield* Effect.forEach([1, 1, 1], submit)
      const [one, two] = [yield* next, yield* next]
      assert.deepStrictEqual([one.inputs, two.inputs], [[1], [1]])
      yield* finish(two)
      const three = yield* next
      assert.deepStrictEqual(three.inputs, [1])
      yield* Effect.forEach([one, three], finish)
      assert.lengthOf(yield* Fiber.joinAll(fibers), 3)
    })
  )
})
