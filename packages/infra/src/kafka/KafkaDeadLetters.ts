/**
 * Dead letters in the topic `<topic>.dead-letters` as well as in the store that lists them.
 *
 * **Details**
 *
 * The letter has the record's key, headers and value as they came, and tells in further headers why it is dead and where the
 * record lies. `add` succeeds when both have the letter; one that failed half-way and is done again leaves two in the topic.
 *
 * **Gotchas**
 *
 * A record of the largest size that a topic takes has no room for further headers. Its letter has no value and says so; the store and
 * the record's own topic have it.
 */
import { DeadLetters } from "@beckon/domain/ports/DeadLetters"
import { EventBus } from "@beckon/domain/ports/EventBus"
import type { EventRecord } from "@beckon/domain/ports/EventBus"
import { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { Effect, Layer } from "effect"
import { deadLettersOf } from "./KafkaSettings.ts"

/** The names of the headers that a dead letter has besides those of its record. */
export const deadLetterHeaders = {
  reason: "dead-letter-reason",
  topic: "dead-letter-topic",
  partition: "dead-letter-partition",
  offset: "dead-letter-offset",
  /** Of the record, in milliseconds since 1970. */
  timestamp: "dead-letter-timestamp",
  /** Present, with the number of UTF-16 code units, when the value was left out. */
  omitted: "dead-letter-value-omitted"
} as const

/** Of the reason, in UTF-16 code units. */
const maxReason = 1_000

const letterOf = (record: EventRecord, reason: string): EventRecord => ({
  topic: deadLettersOf(record.topic),
  key: record.key,
  headers: {
    ...record.headers,
    [deadLetterHeaders.reason]: reason.slice(0, maxReason).toWellFormed(),
    [deadLetterHeaders.topic]: record.position?.topic ?? record.topic,
    ...(record.position === undefined
      ? {}
      : {
          [deadLetterHeaders.partition]: String(record.position.partition),
          [deadLetterHeaders.offset]: record.position.offset,
          [deadLetterHeaders.timestamp]: record.position.timestamp
        })
  },
  value: record.value
})

const withoutValue = (letter: EventRecord): EventRecord => ({
  ...letter,
  headers: { ...letter.headers, [deadLetterHeaders.omitted]: String(letter.value.length) },
  value: ""
})

const isTooLarge = (cause: unknown): boolean =>
  cause instanceof Error &&
  (("type" in cause && (cause.type === "MESSAGE_TOO_LARGE" || cause.type === "RECORD_LIST_TOO_LARGE")) ||
    isTooLarge(cause.cause))

const make = Effect.gen(function* () {
  const store = yield* DeadLetters
  const bus = yield* EventBus

  const publish = (letter: EventRecord) =>
    bus.publish([letter]).pipe(
      Effect.catchTag("BusUnavailable", (error) =>
        isTooLarge(error.cause) ? bus.publish([withoutValue(letter)]) : Effect.fail(error)
      ),
      Effect.mapError((cause) => new StoreUnavailable({ operation: "DeadLetters.add", cause }))
    )

  return DeadLetters.of({
    add: Effect.fn("KafkaDeadLetters.add")(function* (record: EventRecord, reason: string) {
      yield* publish(letterOf(record, reason))
      yield* store.add(record, reason)
    }),
    list: store.list
  })
})

/** Adds the topics to the store beneath. */
export const layer: Layer.Layer<DeadLetters, never, DeadLetters | EventBus> = Layer.effect(DeadLetters, make)
