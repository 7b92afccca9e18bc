/**
 * Publishes with an idempotent producer, `acks=all`, one request after another.
 *
 * **Details**
 *
 * While a request is under way the next records gather, and go together in the next one; so order holds between callers, and
 * many small publishes cost few requests.
 *
 * **Gotchas**
 *
 * The producer of kafkajs numbers a batch when it sends it, and takes the number back when the send fails. Of two sends at a
 * time, the second could then take the number of a first one that the broker has but whose answer was lost, and the broker
 * would drop it as a repeat. Hence one send at a time, and a new producer (with a new id) after a failure.
 */
import { BusUnavailable } from "@beckon/domain/ports/EventBus"
import type { EventRecord } from "@beckon/domain/ports/EventBus"
import { Deferred, Effect, Exit, Queue } from "effect"
import type { Scope } from "effect"
import { Partitioners } from "kafkajs"
import type { Message, Producer } from "kafkajs"
import { KafkaClient } from "./KafkaClient.ts"
import { toMessage } from "./KafkaRecord.ts"
import { KafkaTopics } from "./KafkaTopics.ts"

interface Publish {
  readonly records: ReadonlyArray<EventRecord>
  readonly done: Deferred.Deferred<void, BusUnavailable>
}

/** So many publishes go together in one request, at most. */
const maxTogether = 200

const topicsOf = (records: ReadonlyArray<EventRecord>): Map<string, Array<Message>> => {
  const topics = new Map<string, Array<Message>>()
  for (const record of records) {
    const messages = topics.get(record.topic)
    if (messages === undefined) topics.set(record.topic, [toMessage(record)])
    else messages.push(toMessage(record))
  }
  return topics
}

export interface KafkaPublisher {
  readonly publish: (records: ReadonlyArray<EventRecord>) => Effect.Effect<void, BusUnavailable>
}

export const make: Effect.Effect<KafkaPublisher, never, KafkaClient | KafkaTopics | Scope.Scope> = Effect.gen(
  function* () {
    const { kafka, settings } = yield* KafkaClient
    const topics = yield* KafkaTopics
    const waiting = yield* Queue.unbounded<Publish>()
    let producer: Producer | undefined

    const connected = async (): Promise<Producer> => {
      if (producer !== undefined) return producer
      const fresh = kafka.producer({
        idempotent: true,
        allowAutoTopicCreation: false,
        createPartitioner: Partitioners.DefaultPartitioner,
        retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 2_000 }
      })
      try {
        await fresh.connect()
      } catch (cause) {
        await fresh.disconnect()
        throw cause
      }
      return (producer = fresh)
    }

    /** Without waiting: a send that was given up ends by itself, and must not leave a connection behind. */
    const discard = (sending: Promise<unknown>) => {
      const old = producer
      producer = undefined
      const disconnect = () => old?.disconnect()
      void sending.then(disconnect, disconnect).catch(() => undefined)
    }

    const send = Effect.fnUntraced(function* (records: ReadonlyArray<EventRecord>) {
      const byTopic = topicsOf(records)
      yield* topics.ensure(Array.from(byTopic.keys()))
      const topicMessages = Array.from(byTopic, ([topic, messages]) => ({
        topic: settings.topicPrefix + topic,
        messages
      }))
      let sending: Promise<unknown> = Promise.resolve()
      yield* Effect.tryPromise(
        () => (sending = connected().then((ready) => ready.sendBatch({ acks: -1, topicMessages })))
      ).pipe(Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Effect.sync(() => discard(sending)))))
    })

    const unavailable = (topic: string) => (cause: unknown) => new BusUnavailable({ topic, cause })

    const sendTogether = (publishes: ReadonlyArray<Publish>) => {
      const records = publishes.flatMap((publish) => publish.records)
      return send(records).pipe(
        Effect.timeout(settings.publishTimeout),
        Effect.mapError(unavailable(records[0]?.topic ?? ""))
      )
    }

    /** What the brokers refuse (a record that is too large) must not fail the publishes that happened to go with it. */
    const round = Effect.gen(function* () {
      const taken = yield* Queue.takeBetween(waiting, 1, maxTogether)
      const publishes = taken.filter(({ done }) => !Deferred.isDoneUnsafe(done))
      if (publishes.length === 0) return
      const exit = yield* Effect.exit(sendTogether(publishes))
      if (publishes.length === 1 || Exit.isSuccess(exit)) {
        for (const { done } of publishes) Deferred.doneUnsafe(done, exit)
        return
      }
      for (const publish of publishes) {
        if (Deferred.isDoneUnsafe(publish.done)) continue
        yield* Deferred.complete(publish.done, sendTogether([publish]))
      }
    })

    yield* Effect.addFinalizer(() =>
      Effect.ignore(Effect.tryPromise(async () => producer?.disconnect()).pipe(Effect.timeout("2 seconds")))
    )
    yield* Effect.forkScoped(Effect.forever(round))

    return {
      publish: Effect.fn("EventBus.publish")(function* (records: ReadonlyArray<EventRecord>) {
        if (records.length === 0) return
        const topic = records[0]?.topic ?? ""
        const done = yield* Deferred.make<void, BusUnavailable>()
        yield* Queue.offer(waiting, { records, done })
        yield* Deferred.await(done).pipe(
          Effect.timeout(settings.publishTimeout),
          Effect.catchTag("TimeoutError", (cause) => {
            const error = new BusUnavailable({ topic, cause })
            // It is not sent any more when its turn comes, unless it is under way.
            Deferred.doneUnsafe(done, Effect.fail(error))
            return Effect.fail(error)
          })
        )
      })
    }
  }
)
