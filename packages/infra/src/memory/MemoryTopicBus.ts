import { TopicBus, topicBacklog } from "@beckon/domain/ports/TopicBus"
import { Effect, Layer, Queue, Stream } from "effect"

const make = Effect.sync(() => {
  const topics = new Map<string, Set<Queue.Queue<string>>>()

  return TopicBus.of({
    publish: (topic, json) =>
      Effect.sync(() => {
        for (const queue of topics.get(topic) ?? []) Queue.offerUnsafe(queue, json)
      }),

    subscribe: Effect.fnUntraced(function* (topic) {
      const queue = yield* Effect.acquireRelease(Queue.sliding<string>(topicBacklog), Queue.shutdown)
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          topics.set(topic, (topics.get(topic) ?? new Set<Queue.Queue<string>>()).add(queue))
        }),
        () =>
          Effect.sync(() => {
            const queues = topics.get(topic)
            queues?.delete(queue)
            if (queues?.size === 0) topics.delete(topic)
          })
      )
      return Stream.fromQueue(queue)
    })
  })
})

/** Topics within the process. */
export const layer: Layer.Layer<TopicBus> = Layer.effect(TopicBus, make)
