import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Queue } from "effect"
import { TestClock } from "effect/testing"
import { BusUnavailable, EventBus } from "@beckon/domain/ports/EventBus"
import { EventOutbox } from "@beckon/domain/ports/EventOutbox"
import type { OutboxEntry } from "@beckon/domain/ports/EventOutbox"
import { OutboxRelay } from "../../src/ingest/OutboxRelay.ts"

const entry = (id: string): OutboxEntry => ({ id, topic: "friend-request-events", key: "f", headers: {}, value: "{}" })

/** An outbox that the test fills, and a bus that fails as the test says. */
const fixture = Effect.gen(function* () {
  const published = yield* Queue.unbounded<ReadonlyArray<string>>()
  const state = { entries: Array<OutboxEntry>(), failures: Array<Effect.Effect<never, BusUnavailable>>() }
  const layer = OutboxRelay.layer.pipe(
    Layer.provide([
      Layer.succeed(EventOutbox, {
        peek: (limit) => Effect.sync(() => state.entries.slice(0, limit)),
        exclusively: (effect) => Effect.asSome(effect),
        remove: (ids) =>
          Effect.sync(() => {
            state.entries = state.entries.filter(({ id }) => !ids.includes(id))
          })
      }),
      Layer.succeed(EventBus, {
        publish: (records) =>
          Effect.suspend(() => {
            const failure = state.failures.shift()
            if (failure !== undefined) return failure
            return Effect.asVoid(
              Queue.offer(
                published,
                records.flatMap((record) => ("id" in record ? [String(record.id)] : []))
              )
            )
          }),
        consume: () => Effect.void
      })
    ])
  )
  return { published, state, layer }
})

describe("OutboxRelay", () => {
  it.effect("publishes in order what was committed, in batches, and then forgets it", () =>
    Effect.gen(function* () {
      const { layer, published, state } = yield* fixture
      const ids = Array.from({ length: 150 }, (_, index) => String(index))
      state.entries = ids.map(entry)
      yield* Effect.gen(function* () {
        const relay = yield* OutboxRelay
        assert.deepStrictEqual([...(yield* Queue.take(published)), ...(yield* Queue.take(published))], ids)
        state.entries.push(entry("more"))
        yield* relay.nudge
        assert.deepStrictEqual(yield* Queue.take(published), ["more"])
        state.entries.push(entry("unannounced"))
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(yield* Queue.take(published), ["unannounced"])
        assert.deepStrictEqual(state.entries, [])
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("keeps what the bus did not take, and tries again, whatever went wrong", () =>
    Effect.gen(function* () {
      const { layer, published, state } = yield* fixture
      state.failures = [
        Effect.fail(new BusUnavailable({ topic: "friend-request-events", cause: "down" })),
        Effect.die("a bug"),
        Effect.fail(new BusUnavailable({ topic: "friend-request-events", cause: "down" }))
      ]
      state.entries = [entry("1"), entry("2")]
      yield* Effect.gen(function* () {
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* Queue.take(published), ["1", "2"])
        assert.deepStrictEqual(state.entries, [])
      }).pipe(Effect.provide(layer))
    })
  )
})
