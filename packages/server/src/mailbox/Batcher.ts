/**
 * Does many small requests in few large steps.
 *
 * **Details**
 *
 * Requests that arrive while a step is running wait and go together in the next one, so batches grow with the load and a
 * lone request waits for nobody. A step is bounded by `maxWeight`. A caller that is interrupted leaves its request in the
 * batch: what it asked for may happen.
 */
import { Cause, Deferred, Effect, Exit, Queue } from "effect"
import type { Scope } from "effect"

export interface Batcher<I, O, E> {
  readonly submit: (input: I) => Effect.Effect<O, E>
}

interface Pending<I, O, E> {
  readonly input: I
  readonly answer: Deferred.Deferred<O, E>
}

/**
 * `step` answers one exit for each input, in order. `concurrency` steps run at once, and no two of them have an input in
 * common. A step that dies fails its own requests with that cause and no others.
 */
export const make = <I, O, E>(options: {
  readonly maxWeight: number
  readonly weigh: (input: I) => number
  readonly concurrency: number
  readonly step: (inputs: ReadonlyArray<I>) => Effect.Effect<ReadonlyArray<Exit.Exit<O, E>>>
}): Effect.Effect<Batcher<I, O, E>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const queue = yield* Queue.unbounded<Pending<I, O, E>>()

    const nextBatch = Effect.fnUntraced(function* () {
      const batch: Array<Pending<I, O, E>> = yield* Queue.takeAll(queue)
      // Fibers that the same event woke submit in this tick: let them come along.
      yield* Effect.yieldNow
      batch.push(...(yield* Queue.clear(queue)))
      let weight = 0
      const end = batch.findIndex(({ input }, index) => {
        weight += options.weigh(input)
        return index > 0 && weight > options.maxWeight
      })
      if (end === -1) return batch
      // What is too much goes back, where another worker sees it.
      Queue.offerAllUnsafe(queue, batch.splice(end))
      return batch
    })

    const runStep = Effect.fnUntraced(function* (batch: ReadonlyArray<Pending<I, O, E>>) {
      const exit = yield* Effect.exit(options.step(batch.map((pending) => pending.input)))
      for (let index = 0; index < batch.length; index++) {
        const pending = batch[index]
        if (pending === undefined) continue
        const answer = Exit.isSuccess(exit) ? exit.value[index] : Exit.failCause(exit.cause)
        Deferred.doneUnsafe(pending.answer, answer ?? Exit.failCause(Cause.die("The step gave too few answers")))
      }
    })

    const worker = Effect.forever(Effect.flatMap(nextBatch(), runStep))
    for (let index = 0; index < options.concurrency; index++) yield* Effect.forkScoped(worker)

    return {
      submit: (input) =>
        Effect.suspend(() => {
          const answer = Deferred.makeUnsafe<O, E>()
          Queue.offerUnsafe(queue, { input, answer })
          return Deferred.await(answer)
        })
    }
  })
