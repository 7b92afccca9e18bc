import { EventBus } from "@beckon/domain/ports/EventBus"
import type { EventRecord } from "@beckon/domain/ports/EventBus"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Data, Deferred, Effect, Exit, Fiber, Queue, Scope } from "effect"

let topics = 0
const freshTopic = () => `topic-${++topics}`
const record = (topic: string, value: string, key = "key"): EventRecord => ({
  topic,
  key,
  headers: { trace: `of ${value}` },
  value: JSON.stringify(value)
})

/** A log also says where a record lies. */
const sent = ({ headers, key, topic, value }: EventRecord): EventRecord => ({ topic, key, headers, value })
const byValue = (one: EventRecord, other: EventRecord) => (one.value < other.value ? -1 : 1)

class Refused extends Data.TaggedError("Refused")<{}> {}

/** What every bus does; a handler's records may come in one batch or in several. */
export const eventBusContract = (it: Vitest.MethodsNonLive<EventBus>) => {
  it.effect("every group of a topic gets each record whole, and no other topic's", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const [topic, other] = [freshTopic(), freshTopic()]
      const [one, two] = [yield* Queue.unbounded<EventRecord>(), yield* Queue.unbounded<EventRecord>()]
      yield* bus.consume(topic, "one", (records) => Queue.offerAll(one, records))
      yield* bus.consume(topic, "two", (records) => Queue.offerAll(two, records))
      const records = [record(topic, "a"), record(other, "b"), record(topic, "c", "another key")]
      yield* bus.publish(records)
      for (const queue of [one, two]) {
        // Different keys have no order among them.
        const seen = [sent(yield* Queue.take(queue)), sent(yield* Queue.take(queue))].toSorted(byValue)
        expect(seen).toEqual([records[0], records[2]])
        expect(yield* Queue.size(queue)).toBe(0)
      }
    })
  )

  it.effect("records of one key come in the order in which they were published", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const topic = freshTopic()
      const seen = yield* Queue.unbounded<string>()
      // The earlier a record, the slower it is handled.
      let turns = 50
      yield* bus.consume(topic, "group", (records) =>
        Effect.forEach(
          records,
          ({ value }) =>
            Effect.andThen(Effect.repeat(Effect.yieldNow, { times: (turns -= 1) }), Queue.offer(seen, value)),
          { discard: true }
        )
      )
      const values = Array.from({ length: 50 }, (_, index) => `value-${index}`)
      yield* Effect.forEach(values, (value) => bus.publish([record(topic, value)]), {
        concurrency: "unbounded",
        discard: true
      })
      const order = yield* Effect.forEach(values, () => Queue.take(seen))
      expect(order).toEqual(values.map((value) => JSON.stringify(value)))
    })
  )

  it.effect("a topic that nobody consumes takes records", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      yield* bus.publish([record(freshTopic(), "a")])
      yield* bus.publish([])
    })
  )

  it.effect("a handler that fails gets the same records again", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const topic = freshTopic()
      const handled = yield* Deferred.make<ReadonlyArray<EventRecord>>()
      let attempts = 0
      yield* bus.consume(topic, "group", (records) =>
        Effect.suspend(() => (++attempts < 3 ? Effect.fail(new Refused()) : Deferred.succeed(handled, records)))
      )
      const publish = bus.publish([record(topic, "a")])
      yield* Effect.retry(publish, { times: 5 })
      expect((yield* Deferred.await(handled)).map(sent)).toEqual([record(topic, "a")])
      expect(attempts).toBe(3)
    })
  )

  it.effect("a consumer whose scope is closed gets nothing more", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const topic = freshTopic()
      const scope = yield* Scope.make()
      let handled = 0
      const first = yield* Deferred.make<void>()
      yield* bus
        .consume(topic, "group", () => {
          handled++
          return Deferred.succeed(first, undefined)
        })
        .pipe(Effect.provideService(Scope.Scope, scope))
      yield* bus.publish([record(topic, "a")])
      yield* Deferred.await(first)
      yield* Scope.close(scope, Exit.void)
      yield* bus.publish([record(topic, "b")])
      expect(handled).toBe(1)
    })
  )
}

/** What holds only where to publish is to have it handled. */
export const inProcessEventBusContract = (it: Vitest.MethodsNonLive<EventBus>) => {
  it.effect("publish waits until every group has handled the records", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const topic = freshTopic()
      const [begun, mayEnd] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      yield* bus.consume(topic, "fast", () => Effect.void)
      yield* bus.consume(topic, "slow", () =>
        Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(mayEnd))
      )
      const fiber = yield* Effect.forkChild(bus.publish([record(topic, "a")]))
      yield* Deferred.await(begun)
      expect(fiber.pollUnsafe()).toBeUndefined()
      yield* Deferred.succeed(mayEnd, undefined)
      yield* Fiber.join(fiber)
    })
  )

  it.effect("publish fails when a group fails or dies, after the other groups have handled the records", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const topic = freshTopic()
      let handled = 0
      let broken: Effect.Effect<void, Refused> = Effect.fail(new Refused())
      yield* bus.consume(topic, "broken", () => broken)
      yield* bus.consume(topic, "sound", () =>
        Effect.andThen(
          Effect.yieldNow,
          Effect.sync(() => void handled++)
        )
      )
      expect(yield* Effect.flip(bus.publish([record(topic, "a")]))).toMatchObject({
        _tag: "BusUnavailable",
        topic,
        cause: new Refused()
      })
      expect(handled).toBe(1)
      broken = Effect.die(new Refused())
      expect((yield* Effect.flip(bus.publish([record(topic, "a")])))._tag).toBe("BusUnavailable")
      broken = Effect.void
      yield* bus.publish([record(topic, "a")])
      expect(handled).toBe(3)
    })
  )

  it.effect("of two consumers of one group one handles a record, and the other takes over when it leaves", () =>
    Effect.gen(function* () {
      const bus = yield* EventBus
      const topic = freshTopic()
      const seen: Array<string> = []
      const first = yield* Scope.make()
      yield* bus
        .consume(topic, "group", () => Effect.sync(() => void seen.push("first")))
        .pipe(Effect.provideService(Scope.Scope, first))
      yield* bus.consume(topic, "group", () => Effect.sync(() => void seen.push("second")))
      yield* bus.publish([record(topic, "a")])
      yield* Scope.close(first, Exit.void)
      yield* bus.publish([record(topic, "b")])
      expect(seen).toEqual(["first", "second"])
    })
  )
}
