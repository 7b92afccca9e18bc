/**
 * Nodes that share Kafka, and a journal of what their handlers got.
 */
import { EventBus } from "@beckon/domain/ports/EventBus"
import type { EventRecord } from "@beckon/domain/ports/EventBus"
import * as KafkaEventBus from "@beckon/infra/kafka/KafkaEventBus"
import type { KafkaSettings } from "@beckon/infra/kafka/KafkaSettings"
import { Context, Deferred, Effect, Exit, Layer, Scope } from "effect"

export interface Node {
  readonly bus: EventBus["Service"]
  /** Of everything that lives as long as the node: its consumers. */
  readonly scope: Scope.Closeable
  /** Stops the consumers, then the connections. */
  readonly leave: Effect.Effect<void>
  readonly consume: (
    topic: string,
    handler: (records: ReadonlyArray<EventRecord>) => Effect.Effect<void, unknown>
  ) => Effect.Effect<void>
}

export const group = "group"

/** A node of its own connections, which leaves with the surrounding scope at the latest. */
export const startNode = Effect.fnUntraced(function* (
  settings: Partial<KafkaSettings> & Pick<KafkaSettings, "brokers">
) {
  const scope = yield* Scope.make()
  const leave = Scope.close(scope, Exit.void)
  yield* Effect.addFinalizer(() => leave)
  const layer = KafkaEventBus.layer({ clientId: "test", sessionTimeout: 6_000, ...settings })
  const bus = Context.get(yield* Layer.buildWithScope(Layer.fresh(layer), scope), EventBus)
  const consume: Node["consume"] = (topic, handler) =>
    Effect.provideService(bus.consume(topic, group, handler), Scope.Scope, scope)
  return { bus, scope, leave, consume } satisfies Node
})

export const recordOf = (topic: string, key: string, value: number): EventRecord => ({
  topic,
  key,
  headers: {},
  value: String(value)
})

/** `count` records over `keys` keys; the values of each key ascend. */
export const recordsOf = (topic: string, keys: number, count: number, from = 0): ReadonlyArray<EventRecord> =>
  Array.from({ length: count }, (_, index) => recordOf(topic, `key-${index % keys}`, from + index))

/** Takes in what handlers get, and forgets repeats as a mailbox does by its dedupe keys. */
export const makeJournal = () => {
  const byKey = new Map<string, Array<number>>()
  const known = new Set<string>()
  const waiting: Array<{ readonly count: number; readonly done: Deferred.Deferred<void> }> = []
  let repeats = 0
  return {
    add: (records: ReadonlyArray<EventRecord>): void => {
      for (const { key, value } of records) {
        if (known.has(value)) repeats++
        else {
          known.add(value)
          const values = byKey.get(key)
          if (values === undefined) byKey.set(key, [Number(value)])
          else values.push(Number(value))
        }
      }
      for (const { count, done } of waiting) if (known.size >= count) Deferred.doneUnsafe(done, Exit.void)
    },
    /** Waits until `count` different records were handled. */
    reaches: (count: number) =>
      Effect.suspend(() => {
        if (known.size >= count) return Effect.void
        const done = Deferred.makeUnsafe<void>()
        waiting.push({ count, done })
        return Deferred.await(done)
      }),
    size: () => known.size,
    repeats: () => repeats,
    /** Keys whose values did not come in order, as first seen. */
    outOfOrder: () =>
      Array.from(byKey).flatMap(([key, values]) =>
        values.every((value, index) => index === 0 || value > (values[index - 1] ?? 0)) ? [] : [key]
      )
  }
}
