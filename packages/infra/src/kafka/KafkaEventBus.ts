/**
 * An event bus over Kafka: to publish is to have the records safe at the brokers.
 *
 * **Details**
 *
 * Records of one key lie in one partition and keep their order; partitions do not wait for one another. A record comes at least once:
 * again when its handler failed, when the group rebalanced or a node died before its offset was committed.
 *
 * Consumers of one group, in one process or in several, share the partitions. A new group begins with the oldest records.
 */
import { EventBus } from "@beckon/domain/ports/EventBus"
import type { EventRecord } from "@beckon/domain/ports/EventBus"
import { Clock, Deferred, Effect, Fiber, Layer } from "effect"
import { KafkaClient } from "./KafkaClient.ts"
import { member } from "./KafkaConsumer.ts"
import type { Membership } from "./KafkaMembership.ts"
import * as KafkaPublisher from "./KafkaPublisher.ts"
import type { KafkaSettings } from "./KafkaSettings.ts"
import { KafkaTopics } from "./KafkaTopics.ts"
import type { KafkaTopicRefused, KafkaUnavailable } from "./KafkaTopics.ts"

/** Between one member and the next, in ms. */
const firstPause = 200
const longestPause = 2_000

/** A member that lived so long, in ms, did not fail at once. */
const longLife = 10_000

const make = Effect.gen(function* () {
  const client = yield* KafkaClient
  const topics = yield* KafkaTopics
  const { publish } = yield* KafkaPublisher.make

  /** One member after another, until `leave` is done. */
  const members = Effect.fnUntraced(function* <E, R>(
    topic: string,
    group: string,
    handler: (records: ReadonlyArray<EventRecord>) => Effect.Effect<void, E, R>,
    leave: Deferred.Deferred<void>
  ) {
    const membership: Membership = { memberId: undefined }
    let pause = firstPause
    while (!Deferred.isDoneUnsafe(leave)) {
      const began = yield* Clock.currentTimeMillis
      yield* Effect.raceFirst(topics.ensure([topic]), Deferred.await(leave)).pipe(
        Effect.andThen(member(topic, group, handler, leave, membership)),
        Effect.provideService(KafkaClient, client),
        Effect.catch(
          Effect.fnUntraced(function* (error) {
            const lived = (yield* Clock.currentTimeMillis) - began
            pause = lived > longLife ? firstPause : Math.min(pause * 2, longestPause)
            yield* Effect.logWarning(`A consumer of ${topic} is not in its group; it joins again`).pipe(
              Effect.annotateLogs({ group, reason: error.message })
            )
            yield* Effect.raceFirst(Effect.sleep(pause), Deferred.await(leave))
          })
        )
      )
    }
  })

  return EventBus.of({
    publish,
    consume: Effect.fnUntraced(function* <E, R>(
      topic: string,
      group: string,
      handler: (records: ReadonlyArray<EventRecord>) => Effect.Effect<void, E, R>
    ) {
      const leave = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkScoped(members(topic, group, handler, leave))
      // Runs before the fiber is interrupted: it ends by itself, in bounded time.
      yield* Effect.addFinalizer(() => Effect.andThen(Deferred.succeed(leave, undefined), Fiber.await(fiber)))
    })
  })
})

/** An event bus over Kafka. Fails when no broker answers, or when a topic is missing and may not be created. */
export const layer = (
  settings: KafkaSettings
): Layer.Layer<EventBus | KafkaTopics, KafkaUnavailable | KafkaTopicRefused> =>
  Layer.effect(EventBus, make).pipe(Layer.provideMerge(KafkaTopics.layer), Layer.provide(KafkaClient.layer(settings)))
