/**
 * Works at the chunks of batches, on every node.
 *
 * **Details**
 *
 * Each of a few fibers takes one chunk at a time, of whichever tenant waits longest. When mailboxes or the store do not answer,
 * the chunk is given back for later, and the node waits longer each time before it takes another one.
 */
import { Cause, DateTime, Duration, Effect, Fiber, Layer, Option, Random, Schedule, Semaphore } from "effect"
import { BatchStore } from "@beckon/domain/ports/BatchStore"
import type { ChunkClaim } from "@beckon/domain/ports/BatchStore"
import { Nudges } from "../delivery/Nudges.ts"
import { BatchSettings } from "./BatchSettings.ts"
import { ChunkWork } from "./ChunkWork.ts"
import { Progress } from "./Progress.ts"

/** How long a stop waits for the slices that are being sent. */
const grace = Duration.seconds(3)

/** The wait after the first failure, and the longest one. */
const firstWait = Duration.millis(500)
const longestWait = Duration.seconds(30)

/** Batches that are ended at once. */
const expireAtOnce = 100

/** `name`: what this node is called in the store, for people. */
export const layer = (name: string) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const store = yield* BatchStore
      const work = yield* ChunkWork
      const progress = yield* Progress
      const settings = yield* BatchSettings
      const { batch: nudge } = yield* Nudges
      const turn = yield* Semaphore.make(1)
      let stopping = false
      let failures = 0

      /** At random, so that nodes do not come back all at once. */
      const pause = Effect.gen(function* () {
        const longest = Math.min(
          Duration.toMillis(longestWait),
          Duration.toMillis(firstWait) * 2 ** Math.min(failures, 10)
        )
        return Duration.millis(longest * (0.5 + (yield* Random.next) / 2))
      })

      const giveBack = Effect.fnUntraced(function* (chunk: ChunkClaim, wait: Duration.Duration) {
        const due = DateTime.addDuration(yield* DateTime.now, wait)
        yield* Effect.catch(store.release(chunk, { due, certain: false }), (error) =>
          Effect.logDebug("A chunk was not given back; it comes back when its lease ends", error)
        )
      })

      const failed = Effect.fnUntraced(function* (chunk: ChunkClaim, cause: Cause.Cause<unknown>) {
        const wait = yield* pause
        failures += 1
        yield* Effect.logWarning("A chunk of a batch could not be sent; it is tried again", cause)
        yield* giveBack(chunk, wait)
        yield* Effect.sleep(wait)
      })

      const runChunk = (chunk: ChunkClaim) =>
        Effect.matchCauseEffect(
          work.run(chunk, () => stopping),
          {
            onSuccess: () => Effect.sync(() => void (failures = 0)),
            onFailure: (cause) => (Cause.hasInterruptsOnly(cause) ? Effect.failCause(cause) : failed(chunk, cause))
          }
        ).pipe(Effect.annotateLogs({ tenant: chunk.tenantId, batchId: chunk.batchId, chunk: chunk.number }))

      const claim = Effect.flatMap(DateTime.now, (now) => store.claim({ now, lease: settings.lease, worker: name }))

      /** Waits until there is one; nothing when the node stops. */
      const next: typeof claim = Effect.suspend(() =>
        stopping
          ? Effect.succeedNone
          : Effect.flatMap(claim, (claimed) =>
              Option.isSome(claimed) ? Effect.succeed(claimed) : Effect.andThen(nudge.wait(settings.poll), next)
            )
      )

      const round = Effect.gen(function* () {
        // One of the fibers asks for all that are free.
        const claimed = yield* turn.withPermits(1)(next)
        if (Option.isSome(claimed)) yield* runChunk(claimed.value)
      })

      const rounds = Effect.whileLoop({
        while: () => !stopping,
        body: () =>
          Effect.catchCause(round, (cause) =>
            Cause.hasInterruptsOnly(cause)
              ? Effect.failCause(cause)
              : Effect.andThen(Effect.logWarning("No chunks could be claimed", cause), Effect.sleep(settings.poll))
          ),
        step: () => {}
      })

      const expire = Effect.gen(function* () {
        const ended = yield* store.expire(yield* DateTime.now, expireAtOnce)
        yield* Effect.forEach(ended, (batch) => progress.tell(batch, true), { discard: true })
      }).pipe(Effect.catch((error) => Effect.logWarning("Batches that wait for too long were not ended", error)))

      const fibers = yield* Effect.forEach(Array.from({ length: settings.concurrency }), () =>
        Effect.forkScoped(rounds)
      )
      yield* Effect.forkScoped(Effect.repeat(expire, Schedule.spaced(settings.expireEvery)))
      // Last in, first out: what is being sent has a moment before its fiber is interrupted.
      yield* Effect.addFinalizer(() =>
        Effect.suspend(() => {
          stopping = true
          nudge.now()
          return Effect.timeoutOption(Fiber.awaitAll(fibers), grace)
        })
      )
    })
  )
