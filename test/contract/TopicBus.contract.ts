import { TopicBus, topicBacklog } from "@beckon/domain/ports/TopicBus"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"

let topics = 0
const freshTopic = () => `topic-${++topics}`
const take = <E>(stream: Stream.Stream<string, E>, count: number) => Stream.runCollect(Stream.take(stream, count))

export const topicBusContract = (it: Vitest.MethodsNonLive<TopicBus>) => {
  it.effect("every subscriber of a topic gets each message whole and in order, and no other topic's", () =>
    Effect.gen(function* () {
      const bus = yield* TopicBus
      const [topic, other] = [freshTopic(), freshTopic()]
      const streams = [yield* bus.subscribe(topic), yield* bus.subscribe(topic)]
      yield* bus.publish(other, '"elsewhere"')
      const messages = Array.from({ length: 200 }, (_, index) => JSON.stringify({ index, text: "grüße 👋" }))
      yield* Effect.forEach(messages, (message) => bus.publish(topic, message), { discard: true })
      for (const stream of streams) expect(yield* take(stream, messages.length)).toEqual(messages)
    })
  )

  it.effect("nobody gets what was published before he listened", () =>
    Effect.gen(function* () {
      const bus = yield* TopicBus
      const topic = freshTopic()
      yield* bus.publish(topic, "1")
      const stream = yield* bus.subscribe(topic)
      yield* bus.publish(topic, "2")
      expect(yield* take(stream, 1)).toEqual(["2"])
    })
  )

  it.effect("a subscription ends with its scope, and the others go on", () =>
    Effect.gen(function* () {
      const bus = yield* TopicBus
      const topic = freshTopic()
      const scope = yield* Scope.make()
      const ending = yield* Scope.provide(bus.subscribe(topic), scope)
      const staying = yield* bus.subscribe(topic)
      const collected = yield* Effect.forkChild(Stream.runCollect(ending), { startImmediately: true })
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.await(collected)
      yield* bus.publish(topic, "1")
      expect(yield* take(staying, 1)).toEqual(["1"])
    })
  )

  it.effect("a topic can be listened to again after the last has left", () =>
    Effect.gen(function* () {
      const bus = yield* TopicBus
      const topic = freshTopic()
      yield* Effect.scoped(Effect.asVoid(bus.subscribe(topic)))
      const stream = yield* bus.subscribe(topic)
      yield* bus.publish(topic, "1")
      expect(yield* take(stream, 1)).toEqual(["1"])
    })
  )

  it.effect("a subscriber that does not keep up loses the oldest, and holds nobody up", () =>
    Effect.gen(function* () {
      const bus = yield* TopicBus
      const topic = freshTopic()
      const [slow, quick] = [yield* bus.subscribe(topic), yield* bus.subscribe(topic)]
      const total = topicBacklog + 10
      const keepingUp = yield* Effect.forkChild(take(quick, total), { startImmediately: true })
      for (let index = 0; index < total; index++)
        yield* Effect.andThen(bus.publish(topic, String(index)), Effect.yieldNow)
      expect(yield* Fiber.join(keepingUp)).toHaveLength(total)
      expect(yield* take(slow, topicBacklog)).toEqual(
        Array.from({ length: topicBacklog }, (_, index) => String(index + 10))
      )
    })
  )
}
