/**
 * The records of one partition that wait in this process, and the fiber that hands them to the handler.
 *
 * **Details**
 *
 * A handler that fails gets the same records again after a growing pause, for as long as it takes: to skip records would lose
 * them. Its partition is not fetched from meanwhile; the others go on, and so do the heartbeats.
 */
import type { EventRecord } from "@beckon/domain/ports/EventBus"
import { Effect, Exit, Latch, Random } from "effect"
import type { Cause } from "effect"
import type { KafkaMessage } from "kafkajs"
import { toRecord } from "./KafkaRecord.ts"

export interface WaitingMessage {
  readonly message: KafkaMessage
  /** The offset to commit when this message is handled, if it is not the one behind its own. */
  readonly next: string | undefined
}

export interface Partition {
  readonly topic: string
  readonly number: number
  readonly waiting: Array<WaitingMessage>
  /** Open while something waits. */
  readonly filled: Latch.Latch
  /** Stops fetching from the partition; answers how to go on. */
  pause: () => () => void
  /** Present while the partition is not fetched from. */
  resume: (() => void) | undefined
}

export const makePartition = (topic: string, number: number, pause: Partition["pause"]): Partition => ({
  topic,
  number,
  waiting: [],
  filled: Latch.makeUnsafe(false),
  pause,
  resume: undefined
})

export const hold = (partition: Partition): void => {
  partition.resume ??= partition.pause()
}

export const release = (partition: Partition): void => {
  partition.resume?.()
  partition.resume = undefined
}

/** What the partitions of one assignment share. */
export interface Work {
  /** Closed while nothing new may begin: the group rebalances, or the consumer stops. */
  readonly mayBegin: Latch.Latch
  /** How many handlers are at work. */
  busy: number
  /** Open while no handler is at work. */
  readonly idle: Latch.Latch
  /** By partition: the offset up to which everything is handled and not yet committed. */
  readonly handled: Map<number, string>
  /** Open while something is handled and not yet committed. */
  readonly toCommit: Latch.Latch
}

export const nextOf = (offset: string): string => (BigInt(offset) + 1n).toString()

const firstPause = 100
const longestPause = 10_000

/** Half of the pause at least, so that partitions that failed together do not come back together. */
const pauseOf = (attempt: number) =>
  Effect.map(Random.next, (chance) => Math.min(firstPause * 2 ** attempt, longestPause) * (0.5 + chance / 2))

/** Hands the records of `partition` to `handler`, in order, in batches of at most `batchSize`; ends only by interruption. */
export const work = Effect.fnUntraced(function* <E, R>(
  partition: Partition,
  shared: Work,
  limits: { readonly batchSize: number; readonly bufferedRecords: number },
  handler: (records: ReadonlyArray<EventRecord>) => Effect.Effect<void, E, R>
) {
  const attempt = (records: ReadonlyArray<EventRecord>) =>
    Effect.suspend(() => {
      shared.busy++
      shared.idle.closeUnsafe()
      return handler(records)
    }).pipe(
      Effect.exit,
      Effect.ensuring(
        Effect.sync(() => {
          if (--shared.busy === 0) shared.idle.openUnsafe()
        })
      )
    )

  const failed = Effect.fnUntraced(function* (attempts: number, cause: Cause.Cause<E>) {
    hold(partition)
    const milliseconds = yield* pauseOf(attempts)
    yield* Effect.logWarning("Records could not be handled; they come again", cause).pipe(
      Effect.annotateLogs({ topic: partition.topic, partition: partition.number, attempts: attempts + 1, milliseconds })
    )
    yield* Effect.sleep(milliseconds)
  })

  while (true) {
    yield* partition.filled.await
    const batch = partition.waiting.slice(0, limits.batchSize)
    const last = batch.at(-1)
    if (last === undefined) {
      partition.filled.closeUnsafe()
      continue
    }
    const records = batch.map(({ message }) => toRecord(partition.topic, partition.number, message))
    for (let attempts = 0; ; attempts++) {
      yield* shared.mayBegin.await
      const exit = yield* attempt(records)
      if (Exit.isSuccess(exit)) break
      yield* failed(attempts, exit.cause)
    }
    shared.handled.set(partition.number, last.next ?? nextOf(last.message.offset))
    shared.toCommit.openUnsafe()
    partition.waiting.splice(0, batch.length)
    if (partition.waiting.length <= limits.bufferedRecords / 2) release(partition)
  }
})
