/**
 * An event bus within the process: to publish is to have every group handle the records.
 *
 * **Details**
 *
 * Each group of a topic handles one batch after another, in the order in which they were published. A publish succeeds when
 * every group has; when one fails, the others still finish, and the publisher publishes again. Nothing is kept: records of
 * a topic that nobody consumes are gone.
 *
 * **Gotchas**
 *
 * Several consumers of one group are one consumer: the oldest gets everything until its scope closes. A handler must not
 * publish to its own topic: it would wait for itself.
 */
import { BusUnavailable, EventBus } from "@beckon/domain/ports/EventBus"
import type { EventRecord } from "@beckon/domain/ports/EventBus"
import { Cause, Effect, Exit, Layer, Semaphore } from "effect"

type Handler = (records: ReadonlyArray<EventRecord>) => Effect.Effect<void, unknown>

interface Group {
  readonly turn: Semaphore.Semaphore
  /** The oldest first. */
  handlers: ReadonlyArray<Handler>
}

const byTopic = (records: ReadonlyArray<EventRecord>): ReadonlyArray<readonly [string, Array<EventRecord>]> => {
  const topics = new Map<string, Array<EventRecord>>()
  for (const record of records) {
    const same = topics.get(record.topic)
    if (same === undefined) topics.set(record.topic, [record])
    else same.push(record)
  }
  return Array.from(topics)
}

const make = Effect.sync(() => {
  const topics = new Map<string, Map<string, Group>>()

  const groupOf = (topic: string, name: string): Group => {
    let groups = topics.get(topic)
    if (groups === undefined) topics.set(topic, (groups = new Map()))
    let group = groups.get(name)
    if (group === undefined) groups.set(name, (group = { turn: Semaphore.makeUnsafe(1), handlers: [] }))
    return group
  }

  const handle = (group: Group, records: ReadonlyArray<EventRecord>) =>
    group.turn.withPermit(Effect.suspend(() => group.handlers[0]?.(records) ?? Effect.void))

  const publishTopic = Effect.fnUntraced(function* (topic: string, records: ReadonlyArray<EventRecord>) {
    const groups = Array.from(topics.get(topic)?.values() ?? [])
    const exits = yield* Effect.forEach(groups, (group) => Effect.exit(handle(group, records)), {
      concurrency: "unbounded"
    })
    const failed = exits.find(Exit.isFailure)
    if (failed !== undefined) return yield* new BusUnavailable({ topic, cause: Cause.squash(failed.cause) })
  })

  return EventBus.of({
    publish: (records) =>
      Effect.forEach(byTopic(records), ([topic, same]) => publishTopic(topic, same), { discard: true }),

    consume: Effect.fnUntraced(function* <E, R>(
      topic: string,
      name: string,
      handler: (records: ReadonlyArray<EventRecord>) => Effect.Effect<void, E, R>
    ) {
      const context = yield* Effect.context<R>()
      const group = groupOf(topic, name)
      const registered: Handler = (records) => Effect.provideContext(handler(records), context)
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          group.handlers = [...group.handlers, registered]
        }),
        // The permit waits for the batch at hand, whose handler needs what the scope holds.
        () =>
          group.turn.withPermit(
            Effect.sync(() => {
              group.handlers = group.handlers.filter((other) => other !== registered)
            })
          )
      )
    })
  })
})

/** An event bus within the process. */
export const layer: Layer.Layer<EventBus> = Layer.effect(EventBus, make)
