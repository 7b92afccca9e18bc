import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { TenantId } from "@beckon/domain/Identifiers"
import { TopicBus } from "@beckon/domain/ports/TopicBus"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import * as FreshCache from "../../src/caches/FreshCache.ts"

const acme = TenantId.make("acme")
const other = TenantId.make("other")

/** Two nodes that know of one store, which counts how often it is asked. */
const nodes = Effect.gen(function* () {
  const rows = new Map([["acme a", 1]])
  let asked = 0
  const lookup = (tenantId: TenantId, key: string) =>
    Effect.sync(() => {
      asked += 1
      return rows.get(`${tenantId} ${key}`) ?? 0
    })
  const make = FreshCache.make({ topic: "things", lookup, keptFor: "1 minute", capacity: 3 })
  const [here, there] = [yield* make, yield* make]
  // Each node hears its own beats before it trusts what it keeps.
  yield* TestClock.adjust(0)
  return { rows, here, there, asked: () => asked }
})

describe("what nodes keep of a store", () => {
  it.effect("is asked for once, by tenant and key", () =>
    Effect.gen(function* () {
      const { asked, here } = yield* nodes
      assert.strictEqual(yield* here.get(acme, "a"), 1)
      assert.strictEqual(yield* here.get(acme, "a"), 1)
      assert.strictEqual(asked(), 1)
      assert.strictEqual(yield* here.get(other, "a"), 0)
      assert.strictEqual(asked(), 2)
    }).pipe(Effect.provide(MemoryTopicBus.layer))
  )

  it.effect("a change is seen at once here, and by the other node with the news", () =>
    Effect.gen(function* () {
      const { here, rows, there } = yield* nodes
      yield* here.get(acme, "a")
      yield* there.get(acme, "a")
      rows.set("acme a", 2)
      yield* here.changed(acme, "a")
      assert.strictEqual(yield* here.get(acme, "a"), 2)
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* there.get(acme, "a"), 2)
    }).pipe(Effect.provide(MemoryTopicBus.layer))
  )

  it.effect("ends with its time", () =>
    Effect.gen(function* () {
      const { here, rows } = yield* nodes
      yield* here.get(acme, "a")
      rows.set("acme a", 2)
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* here.get(acme, "a"), 1)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* here.get(acme, "a"), 2)
    }).pipe(Effect.provide(MemoryTopicBus.layer))
  )

  it.effect("what was asked for longest ago goes first", () =>
    Effect.gen(function* () {
      const { asked, here } = yield* nodes
      for (const key of ["a", "b", "c", "a", "d"]) yield* here.get(acme, key)
      assert.strictEqual(asked(), 4)
      yield* here.get(acme, "a")
      assert.strictEqual(asked(), 4)
      yield* here.get(acme, "b")
      assert.strictEqual(asked(), 5)
    }).pipe(Effect.provide(MemoryTopicBus.layer))
  )

  it.effect("made-up keys push nothing out that is there, and what comes to be is seen", () =>
    Effect.gen(function* () {
      const rows = new Map([["a", 1]])
      let asked = 0
      const lookup = (_: TenantId, key: string) =>
        Effect.sync(() => {
          asked += 1
          return rows.get(key)
        })
      const isAbsent = (value: number | undefined) => value === undefined
      const options = {
        topic: "things",
        lookup,
        keptFor: "1 minute",
        capacity: 2,
        isAbsent,
        absentCapacity: 2
      } as const
      const cache = yield* FreshCache.make(options)
      yield* TestClock.adjust(0)
      yield* cache.get(acme, "a")
      for (const key of ["x1", "x2", "x3", "x3"]) assert.isUndefined(yield* cache.get(acme, key))
      assert.strictEqual(asked, 4)
      assert.strictEqual(yield* cache.get(acme, "a"), 1)
      assert.strictEqual(asked, 4)
      rows.set("x3", 3)
      yield* cache.changed(acme, "x3")
      assert.strictEqual(yield* cache.get(acme, "x3"), 3)
    }).pipe(Effect.provide(MemoryTopicBus.layer))
  )

  it.effect("a deaf node keeps nothing for longer than a second", () =>
    Effect.gen(function* () {
      let asked = 0
      const lookup = () => Effect.sync(() => (asked += 1))
      const cache = yield* FreshCache.make({ topic: "things", lookup, keptFor: "1 minute", capacity: 3 })
      yield* cache.get(acme, "a")
      yield* TestClock.adjust("1100 millis")
      assert.strictEqual(yield* cache.get(acme, "a"), 2)
    }).pipe(Effect.provide(Layer.succeed(TopicBus, { publish: () => Effect.void, subscribe: () => Effect.never })))
  )

  it.effect("an answer that a change overtook is given, and not kept", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const asking = yield* Deferred.make<void>()
      let value = 1
      const lookup = () =>
        Effect.gen(function* () {
          const read = value
          yield* Deferred.succeed(asking, undefined)
          yield* Deferred.await(gate)
          return read
        })
      const cache = yield* FreshCache.make({ topic: "things", lookup, keptFor: "1 minute", capacity: 3 })
      const first = yield* Effect.forkChild(cache.get(acme, "a"))
      yield* Deferred.await(asking)
      value = 2
      yield* cache.changed(acme, "a")
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(first), 1)
      assert.strictEqual(yield* cache.get(acme, "a"), 2)
    }).pipe(Effect.provide(MemoryTopicBus.layer))
  )

  it.effect("a failure is not kept, and one who leaves takes nothing from others", () =>
    Effect.gen(function* () {
      let asked = 0
      const gate = yield* Deferred.make<void>()
      const lookup = () =>
        Effect.suspend(() => {
          asked += 1
          return asked === 1 ? Effect.fail("down") : Effect.as(Deferred.await(gate), asked)
        })
      const cache = yield* FreshCache.make({ topic: "things", lookup, keptFor: "1 minute", capacity: 3 })
      assert.strictEqual(yield* Effect.flip(cache.get(acme, "a")), "down")
      const first = yield* Effect.forkChild(cache.get(acme, "a"))
      const second = yield* Effect.forkChild(cache.get(acme, "a"))
      yield* TestClock.adjust(0)
      yield* Fiber.interrupt(first)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(second), 2)
      assert.strictEqual(asked, 2)
    }).pipe(Effect.provide(MemoryTopicBus.layer))
  )
})
