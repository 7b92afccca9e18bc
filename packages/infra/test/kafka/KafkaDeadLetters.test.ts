import { BusUnavailable, EventBus } from "@beckon/domain/ports/EventBus"
import type { EventRecord } from "@beckon/domain/ports/EventBus"
import { DeadLetters } from "@beckon/domain/ports/DeadLetters"
import { expect, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as KafkaDeadLetters from "../../src/kafka/KafkaDeadLetters.ts"
import * as MemoryDeadLetters from "../../src/memory/MemoryDeadLetters.ts"

const record: EventRecord = {
  topic: "order-events",
  key: "order-1",
  headers: { tenant: "acme", trace: "t1" },
  value: "no JSON",
  position: { topic: "order-events", partition: 3, offset: "9007199254740993", timestamp: "1795231840314" }
}

/** Dead letters over a bus that answers as `refuse` says. */
const build = Effect.fnUntraced(function* (refuse: (record: EventRecord) => unknown) {
  const published: Array<EventRecord> = []
  const bus = Layer.mock(EventBus, {
    publish: (records) =>
      Effect.suspend(() => {
        for (const each of records) {
          const cause = refuse(each)
          if (cause !== undefined) return new BusUnavailable({ topic: each.topic, cause })
        }
        published.push(...records)
        return Effect.void
      })
  })
  const layer = KafkaDeadLetters.layer.pipe(Layer.provide(Layer.merge(bus, MemoryDeadLetters.layer)))
  return { published, letters: Context.get(yield* Layer.build(layer), DeadLetters) }
})

it.effect(
  "a dead letter goes to its topic with the reason, the original headers and the position, and to the list",
  () =>
    Effect.gen(function* () {
      const { letters, published } = yield* build(() => undefined)
      yield* letters.add(record, "Expected JSON")
      expect(published).toEqual([
        {
          topic: "order-events.dead-letters",
          key: "order-1",
          headers: {
            tenant: "acme",
            trace: "t1",
            "dead-letter-reason": "Expected JSON",
            "dead-letter-topic": "order-events",
            "dead-letter-partition": "3",
            "dead-letter-offset": "9007199254740993",
            "dead-letter-timestamp": "1795231840314"
          },
          value: "no JSON"
        }
      ])
      expect(yield* letters.list({ limit: 10 })).toMatchObject([
        { topic: "order-events", value: "no JSON", reason: "Expected JSON" }
      ])
    })
)

it.effect("a letter that its topic does not take is kept nowhere, so that the record comes again", () =>
  Effect.gen(function* () {
    const { letters } = yield* build(() => new Error("no broker"))
    expect((yield* Effect.flip(letters.add(record, "Expected JSON")))._tag).toBe("StoreUnavailable")
    expect(yield* letters.list({ limit: 10 })).toEqual([])
  })
)

it.effect("a letter that is too large for its topic goes without its value, and the list has it whole", () =>
  Effect.gen(function* () {
    const tooLarge = Object.assign(new Error("too large"), { type: "MESSAGE_TOO_LARGE" })
    const { letters, published } = yield* build(({ value }) =>
      value === "" ? undefined : new Error("not retriable", { cause: tooLarge })
    )
    yield* letters.add(record, "Expected JSON")
    expect(published).toMatchObject([{ value: "", headers: { "dead-letter-value-omitted": "7" } }])
    expect(yield* letters.list({ limit: 10 })).toMatchObject([{ value: "no JSON" }])
  })
)
