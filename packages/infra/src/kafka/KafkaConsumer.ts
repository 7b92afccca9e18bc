/**
 * One member of a consumer group: takes a topic's records while it lives, and commits what is handled.
 *
 * **Details**
 *
 * kafkajs fetches from a broker again only when all batches of the last fetch are dealt with, so a slow partition would hold
 * up all others of that broker. Here a batch is dealt with when it lies in its partition's buffer; each partition has a fiber
 * that hands it to the handler, and one that is too far behind is paused. So the fetches, and the heartbeats that go with
 * them, never wait for a handler.
 *
 * Offsets are committed only after their records are handled, together for all partitions. kafkajs numbers commits with the
 * group's current generation, whenever the records came; so an offset is committed only while kafkajs remembers to have fetched it
 * in this generation (`uncommittedOffsets`), or else a member could set back the offset of a partition that is now another's.
 *
 * While the group rebalances nothing new begins; what is at work may end and be committed until the new assignment is there, and is
 * interrupted then. The next owner gets what was not committed again.
 */
import type { EventRecord } from "@beckon/domain/ports/EventBus"
import { Data, Deferred, Effect, Exit, Latch, Queue, Scope } from "effect"
import type { Consumer, EachBatchPayload } from "kafkajs"
import { KafkaClient } from "./KafkaClient.ts"
import { makeMembership } from "./KafkaMembership.ts"
import type { Membership } from "./KafkaMembership.ts"
import { hold, makePartition, nextOf, work } from "./KafkaPartition.ts"
import type { Partition, Work } from "./KafkaPartition.ts"

/** The member is out of the group; a new one must join. */
export class ConsumerStopped extends Data.TaggedError("ConsumerStopped")<{
  readonly cause: unknown
}> {
  override get message() {
    return this.cause instanceof Error ? this.cause.message : String(this.cause)
  }
}

/** What this member owns between two rebalances. */
interface Assignment extends Work {
  readonly partitions: Map<number, Partition>
  /** Of the batch that came last: its functions reach kafkajs's current generation. */
  batch: EachBatchPayload | undefined
}

const makeAssignment = (mayBegin: boolean): Assignment => ({
  partitions: new Map(),
  batch: undefined,
  mayBegin: Latch.makeUnsafe(mayBegin),
  busy: 0,
  idle: Latch.makeUnsafe(true),
  handled: new Map(),
  toCommit: Latch.makeUnsafe(false)
})

type Happening =
  | { readonly _tag: "Assigned"; readonly assignment: Assignment }
  | { readonly _tag: "Filled"; readonly assignment: Assignment; readonly partition: Partition }
  | { readonly _tag: "Stopped"; readonly cause: unknown }
  | { readonly _tag: "Leave" }

/** A fetch waits at most so many ms for records; a paused partition is looked at again after it. */
const fetchWait = 250

const commitAll = (topic: string, assignment: Assignment) =>
  Effect.tryPromise(async () => {
    const { batch, handled } = assignment
    if (batch === undefined || handled.size === 0) return
    // Against its types, kafkajs gives the numbers of partitions as text here.
    const fetched = new Set(
      batch.uncommittedOffsets().topics.flatMap(({ partitions }) => partitions.map(({ partition }) => `${partition}`))
    )
    const offsets = Array.from(handled, ([partition, offset]) => ({ partition, offset }))
    const mine = offsets.filter(({ partition }) => fetched.has(`${partition}`))
    if (mine.length > 0) await batch.commitOffsetsIfNecessary({ topics: [{ topic, partitions: mine }] })
    for (const { offset, partition } of offsets) if (handled.get(partition) === offset) handled.delete(partition)
  })

const commitLoop = (topic: string, assignment: Assignment) =>
  Effect.forever(
    Effect.gen(function* () {
      yield* assignment.toCommit.await
      assignment.toCommit.closeUnsafe()
      const exit = yield* Effect.exit(commitAll(topic, assignment))
      if (Exit.isSuccess(exit)) return
      yield* Effect.logDebug("Offsets could not be committed; they are committed with the next ones", exit.cause)
      yield* Effect.sleep("500 millis")
      assignment.toCommit.openUnsafe()
    })
  )

/**
 * Joins `group`, in the place of the last member of `membership`, and handles the records of `topic` until `leave` is done; then lets the handlers at work end (for at most the
 * drain timeout), commits and leaves the group.
 */
export const member = Effect.fnUntraced(function* <E, R>(
  topic: string,
  group: string,
  handler: (records: ReadonlyArray<EventRecord>) => Effect.Effect<void, E, R>,
  leave: Deferred.Deferred<void>,
  membership: Membership
) {
  const { kafka, settings } = yield* KafkaClient
  const fullTopic = settings.topicPrefix + topic
  const groupId = settings.topicPrefix + group
  const { assigner, leaveAsLast } = makeMembership(groupId, membership)
  const happenings = yield* Queue.unbounded<Happening>()
  let assignment = makeAssignment(false)
  let leaving = false

  const eachBatch = (payload: EachBatchPayload): Promise<void> => {
    const { batch } = payload
    if (leaving) {
      payload.pause()
      return Promise.resolve()
    }
    let partition = assignment.partitions.get(batch.partition)
    if (partition === undefined) {
      partition = makePartition(topic, batch.partition, () => payload.pause())
      assignment.partitions.set(batch.partition, partition)
      Queue.offerUnsafe(happenings, { _tag: "Filled", assignment, partition })
    }
    assignment.batch = payload
    const last = batch.messages.at(-1)
    for (const message of batch.messages) {
      // What follows the last message, such as a transaction's end, is dealt with along with it.
      partition.waiting.push({ message, next: message === last ? nextOf(batch.lastOffset()) : undefined })
    }
    payload.resolveOffset(batch.lastOffset())
    if (partition.waiting.length >= settings.bufferedRecords) hold(partition)
    partition.filled.openUnsafe()
    return Promise.resolve()
  }

  const listen = (consumer: Consumer) => {
    consumer.on(consumer.events.REBALANCING, () => void assignment.mayBegin.closeUnsafe())
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      membership.memberId = payload.memberId
      assignment.mayBegin.closeUnsafe()
      assignment = makeAssignment(!leaving)
      consumer.resume([{ topic: fullTopic }])
      Queue.offerUnsafe(happenings, { _tag: "Assigned", assignment })
    })
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      Queue.offerUnsafe(happenings, { _tag: "Stopped", cause: payload.error })
    })
  }

  let joining: Promise<void> = Promise.resolve()

  const join = (consumer: Consumer) =>
    Effect.tryPromise(() => {
      joining = consumer
        .connect()
        .then(leaveAsLast)
        .then(() => consumer.subscribe({ topic: fullTopic, fromBeginning: true }))
        .then(() => (leaving ? undefined : consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch })))
      return joining
    }).pipe(Effect.catch(({ cause }) => Queue.offer(happenings, { _tag: "Stopped", cause })))

  /** kafkajs forgets a member that is still joining when it is told to disconnect: it would join, and never leave. */
  const disconnect = (consumer: Consumer) => {
    leaving = true
    return joining.catch(() => undefined).then(() => consumer.disconnect())
  }

  const drain = Effect.fnUntraced(function* (workers: Scope.Closeable) {
    leaving = true
    const last = assignment
    last.mayBegin.closeUnsafe()
    yield* last.idle.await.pipe(
      Effect.timeoutOrElse({
        duration: settings.drainTimeout,
        orElse: () => Effect.logWarning(`Handlers of ${topic} did not end in time; their records come again`)
      })
    )
    yield* Scope.close(workers, Exit.void)
    yield* commitAll(fullTopic, last).pipe(
      Effect.retry({ times: 3 }),
      Effect.timeout("5 seconds"),
      Effect.catch((cause) =>
        Effect.logWarning(`Offsets of ${topic} could not be committed; their records come again`, cause)
      )
    )
  })

  const live = Effect.fnUntraced(function* (consumer: Consumer) {
    listen(consumer)
    yield* Effect.forkScoped(join(consumer))
    yield* Effect.forkScoped(Effect.andThen(Deferred.await(leave), Queue.offer(happenings, { _tag: "Leave" })))
    const scope = yield* Effect.scope
    let workers = yield* Scope.fork(scope)
    while (true) {
      const happening = yield* Queue.take(happenings)
      switch (happening._tag) {
        case "Assigned": {
          yield* Scope.close(workers, Exit.void)
          workers = yield* Scope.fork(scope)
          yield* Effect.forkIn(commitLoop(fullTopic, happening.assignment), workers)
          break
        }
        case "Filled": {
          yield* Effect.forkIn(work(happening.partition, happening.assignment, settings, handler), workers)
          break
        }
        case "Stopped": {
          yield* Scope.close(workers, Exit.void)
          return yield* new ConsumerStopped({ cause: happening.cause })
        }
        case "Leave": {
          return yield* drain(workers)
        }
      }
    }
  })

  yield* Effect.acquireUseRelease(
    Effect.sync(() =>
      kafka.consumer({
        groupId,
        partitionAssigners: [assigner],
        sessionTimeout: settings.sessionTimeout,
        heartbeatInterval: Math.min(3_000, settings.sessionTimeout / 5),
        maxWaitTimeInMs: fetchWait,
        allowAutoTopicCreation: false,
        // Whoever calls this makes a new member, which is told about it and need not guess.
        retry: {
          retries: 10,
          initialRetryTime: 100,
          maxRetryTime: 2_000,
          restartOnFailure: () => Promise.resolve(false)
        }
      })
    ),
    (consumer) => Effect.scoped(live(consumer)),
    (consumer) =>
      Effect.tryPromise(() => disconnect(consumer)).pipe(
        Effect.interruptible,
        Effect.timeout("5 seconds"),
        Effect.ignore
      )
  )
})
