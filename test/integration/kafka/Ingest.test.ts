import * as Command from "@beckon/domain/events/NotificationCommand"
import * as Order from "@beckon/domain/events/OrderEvent"
import { NotificationId } from "@beckon/domain/Identifiers"
import type { Draft } from "@beckon/domain/Notification"
import { Unavailable } from "@beckon/domain/Problem"
import { DeadLetters } from "@beckon/domain/ports/DeadLetters"
import { EventBus } from "@beckon/domain/ports/EventBus"
import type { EventRecord } from "@beckon/domain/ports/EventBus"
import * as KafkaDeadLetters from "@beckon/infra/kafka/KafkaDeadLetters"
import * as KafkaEventBus from "@beckon/infra/kafka/KafkaEventBus"
import { deadLettersOf } from "@beckon/infra/kafka/KafkaSettings"
import * as MemoryDeadLetters from "@beckon/infra/memory/MemoryDeadLetters"
import { OrderTracking } from "@beckon/server/orders/OrderTracking"
import { TopicChecks } from "@beckon/server/topics/TopicChecks"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import * as MemoryTrackingGrants from "@beckon/infra/memory/MemoryTrackingGrants"
import { EventIngest } from "@beckon/server/ingest/EventIngest"
import { Mailboxes } from "@beckon/server/mailbox/Mailboxes"
import { expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Queue } from "effect"
import { sharedKafka } from "../../support/services/Services.ts"

/** Ingest over the real broker; the mailboxes push back so many times before they take anything. */
const startIngest = Effect.fnUntraced(function* (pushBacks: number) {
  const { brokers, prefix } = yield* sharedKafka
  const delivered = yield* Queue.unbounded<Draft>()
  let calls = 0
  const mailboxes = Layer.mock(Mailboxes, {
    deliver: (drafts) =>
      Effect.suspend(() => {
        if (++calls <= pushBacks) return new Unavailable({ detail: "full" })
        Queue.offerAllUnsafe(delivered, drafts)
        return Effect.succeed(
          drafts.map((_, index) => ({
            notificationId: NotificationId.make(`n${index}`),
            seq: index + 1,
            duplicate: false
          }))
        )
      })
  })
  const bus = KafkaEventBus.layer({
    brokers,
    clientId: "ingest",
    topicPrefix: prefix,
    partitions: 1,
    sessionTimeout: 6_000,
    topics: [Order.topic, Command.topic]
  })
  const layer = EventIngest.layerConsumers.pipe(
    Layer.provideMerge(EventIngest.layer),
    Layer.provide(OrderTracking.layer),
    Layer.provide(TopicChecks.layer),
    Layer.provide([MemoryTrackingGrants.layer, MemoryTopicBus.layer]),
    Layer.provide(mailboxes),
    Layer.provideMerge(Layer.provide(KafkaDeadLetters.layer, MemoryDeadLetters.layer)),
    Layer.provideMerge(bus)
  )
  const context = yield* Layer.build(layer)
  return { bus: Context.get(context, EventBus), letters: Context.get(context, DeadLetters), delivered }
})

const order = (eventId: string, customerId: string): string =>
  JSON.stringify({
    eventId,
    eventType: "order_accepted",
    orderId: "42",
    customerId,
    timestamp: "2026-01-31T10:00:00Z"
  })

const record = (topic: string, value: string): EventRecord => ({
  topic,
  key: "one",
  headers: { tenant: "acme" },
  value
})

it.live(
  "a poison record amid a partition becomes one dead letter, though the mailboxes push back, and stops nothing",
  () =>
    Effect.gen(function* () {
      const { bus, delivered, letters } = yield* startIngest(2)
      const dead = yield* Queue.unbounded<EventRecord>()
      yield* bus.consume(deadLettersOf(Order.topic), "watch", (records) => Queue.offerAll(dead, records))
      yield* bus.publish([
        record(Order.topic, order("e1", "alice")),
        record(Order.topic, "{ no JSON"),
        record(Order.topic, order("e2", "bob"))
      ])
      expect((yield* Queue.take(delivered)).dedupeKey).toBe("order:e1")
      expect((yield* Queue.take(delivered)).dedupeKey).toBe("order:e2")
      const letter = yield* Queue.take(dead)
      expect(letter).toMatchObject({
        key: "one",
        value: "{ no JSON",
        headers: {
          tenant: "acme",
          "dead-letter-topic": Order.topic,
          "dead-letter-partition": "0",
          "dead-letter-offset": "1"
        }
      })
      expect(letter.headers["dead-letter-reason"]).toMatch(/JSON/)
      // A record behind says that nothing of the batch is still to come.
      yield* bus.publish([record(Order.topic, order("e3", "carol"))])
      expect((yield* Queue.take(delivered)).dedupeKey).toBe("order:e3")
      expect(yield* Queue.size(dead)).toBe(0)
      expect((yield* letters.list({ limit: 10 })).map(({ value }) => value)).toEqual(["{ no JSON"])
    })
)

it.live("a command becomes a notification; an event in the commands' topic becomes a dead letter", () =>
  Effect.gen(function* () {
    const { bus, delivered } = yield* startIngest(0)
    const dead = yield* Queue.unbounded<EventRecord>()
    yield* bus.consume(deadLettersOf(Command.topic), "watch", (records) => Queue.offerAll(dead, records))
    const command = { commandId: "c1", userId: "alice", type: "invoice_due", title: "Invoice", message: "It is due." }
    yield* bus.publish([record(Command.topic, order("e1", "alice")), record(Command.topic, JSON.stringify(command))])
    expect(yield* Queue.take(delivered)).toMatchObject({ tenantId: "acme", userId: "alice", dedupeKey: "command:c1" })
    expect((yield* Queue.take(dead)).headers["dead-letter-offset"]).toBe("0")
  })
)
