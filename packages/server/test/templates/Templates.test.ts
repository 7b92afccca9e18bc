import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, Result, Stream } from "effect"
import { TestClock } from "effect/testing"
import { TenantId } from "@beckon/domain/Identifiers"
import { TemplateStore } from "@beckon/domain/ports/TemplateStore"
import { TopicBus, TopicBusUnavailable } from "@beckon/domain/ports/TopicBus"
import type { TemplateInput } from "@beckon/domain/Template"
import * as MemoryTemplateStore from "@beckon/infra/memory/MemoryTemplateStore"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import * as LiquidRenderer from "@beckon/infra/templates/LiquidRenderer"
import * as ChangeNews from "../../src/caches/ChangeNews.ts"
import { keptFor, keptWhileDeafFor, Templates } from "../../src/templates/Templates.ts"

const acme = TenantId.make("acme")
const other = TenantId.make("other")
const saying = (title: string): TemplateInput => ({ texts: { default: { title, message: "{{ name }}" } } })

/** The stores and the way between nodes, with what a test does to them. */
class World extends Context.Service<
  World,
  {
    reads: number
    /** Messages are lost without a word. */
    isBroken: boolean
    /** Nothing can be published or subscribed. */
    isDown: boolean
  }
>()("@beckon/server/test/World") {}

const layerWorld = Layer.effectContext(
  Effect.gen(function* () {
    const store = yield* TemplateStore
    const bus = yield* TopicBus
    const world: World["Service"] = { reads: 0, isBroken: false, isDown: false }
    const whenUp = <A, E, R>(topic: string, effect: Effect.Effect<A, E, R>) =>
      Effect.suspend((): Effect.Effect<A, E | TopicBusUnavailable, R> =>
        world.isDown ? Effect.fail(new TopicBusUnavailable({ topic, cause: "down" })) : effect
      )
    return Context.make(World, world).pipe(
      Context.add(TemplateStore, {
        ...store,
        get: (...args) =>
          Effect.suspend(() => {
            world.reads += 1
            return store.get(...args)
          })
      }),
      Context.add(TopicBus, {
        publish: (topic, json) =>
          whenUp(
            topic,
            Effect.suspend(() => (world.isBroken ? Effect.void : bus.publish(topic, json)))
          ),
        subscribe: (topic) =>
          whenUp(
            topic,
            Effect.map(
              bus.subscribe(topic),
              Stream.filter(() => !world.isDown)
            )
          )
      })
    )
  })
).pipe(Layer.provide([MemoryTemplateStore.layer, MemoryTopicBus.layer]))

const world = Layer.merge(layerWorld, LiquidRenderer.layer)

/** A node of its own among those that share the world. */
const node = Effect.map(Layer.build(Layer.fresh(Templates.layer)), Context.get(Templates))

const titleOf = (templates: Templates["Service"], code = "order", version?: number) =>
  Effect.map(
    templates.render(acme, { code, variables: { name: "Ada" }, ...(version === undefined ? {} : { version }) }),
    ({ title }) => title
  )

/** Waits until the node says so: messages are handled by fibers of their own. */
const becomes = (templates: Templates["Service"], title: string) =>
  titleOf(templates).pipe(
    Effect.tap(() => Effect.yieldNow),
    Effect.repeat({ until: (now) => now === title, times: 1_000 }),
    Effect.map((now) => assert.strictEqual(now, title))
  )

const settle = Effect.yieldNow.pipe(Effect.repeat({ times: 100 }))

/** Lets time pass, beat by beat, with everything that happens meanwhile. */
const pass = Effect.fnUntraced(function* (duration: Duration.Duration) {
  const beat = Duration.toMillis(ChangeNews.beatInterval)
  for (let left = Duration.toMillis(duration); left > 0; left -= beat) {
    yield* TestClock.adjust(Duration.millis(Math.min(left, beat)))
    yield* settle
  }
})

describe("Templates", () => {
  it.effect("has Beckon's own for every tenant, and a tenant's before them", () =>
    Effect.gen(function* () {
      const templates = yield* node
      const fill = { code: "welcome", variables: { name: "Ada" } }
      assert.strictEqual((yield* templates.get(acme, "welcome")).version, 0)
      assert.strictEqual((yield* templates.render(acme, fill)).title, "Welcome, Ada!")
      assert.strictEqual((yield* templates.render(acme, { ...fill, language: "pt-BR" })).title, "Boas-vindas, Ada!")
      assert.strictEqual((yield* templates.create(acme, "welcome", saying("Hi {{ name }}"))).version, 1)
      assert.strictEqual((yield* templates.render(acme, fill)).title, "Hi Ada")
      assert.strictEqual((yield* templates.render(other, fill)).title, "Welcome, Ada!")
      // What was accepted with Beckon's own keeps its words.
      assert.strictEqual((yield* templates.render(acme, { ...fill, version: 0 })).title, "Welcome, Ada!")
      assert.isTrue(Result.isFailure(yield* Effect.result(templates.create(acme, "welcome", saying("Hi")))))
      yield* templates.remove(acme, "welcome")
      assert.strictEqual((yield* templates.render(acme, fill)).title, "Welcome, Ada!")
      assert.strictEqual((yield* Effect.flip(templates.remove(acme, "welcome")))._tag, "TemplateNotFound")
    }).pipe(Effect.scoped, Effect.provide(world))
  )

  it.effect("lists both by code, page by page", () =>
    Effect.gen(function* () {
      const templates = yield* node
      for (const code of ["aaa", "friend_request", "order", "zzz"]) yield* templates.put(acme, code, saying(code), true)
      const all = [
        "aaa 1",
        "digest 0",
        "friend_request 1",
        "notification 0",
        "order 1",
        "order_status 0",
        "password_reset 0",
        "verification_code 0",
        "welcome 0",
        "zzz 1"
      ]
      for (const limit of [1, 2, 3, 7, 100]) {
        const seen: Array<string> = []
        let afterCode: string | undefined
        for (;;) {
          const page = yield* templates.list(acme, { limit, ...(afterCode === undefined ? {} : { afterCode }) })
          assert.isAtMost(page.length, limit)
          seen.push(...page.map(({ activeVersion, code }) => `${code} ${activeVersion}`))
          afterCode = page.at(-1)?.code
          if (afterCode === undefined) break
        }
        assert.deepStrictEqual(seen, all)
      }
    }).pipe(Effect.scoped, Effect.provide(world))
  )

  it.effect("saves nothing that does not pass, and tells every fault", () =>
    Effect.gen(function* () {
      const templates = yield* node
      const error = yield* Effect.flip(
        templates.put(
          acme,
          "order",
          { texts: { default: { title: "{{", message: "" }, de: { title: "a", message: "{% x %}" } } },
          true
        )
      )
      assert.match(error.message, /texts\.default\.title: .*; texts\.de\.message: tag "x" not found/)
      assert.strictEqual((yield* Effect.flip(templates.get(acme, "order")))._tag, "TemplateNotFound")
    }).pipe(Effect.scoped, Effect.provide(world))
  )

  it.effect("reads a version once in an hour, and its text is compiled with it", () =>
    Effect.gen(function* () {
      const templates = yield* node
      yield* settle
      const state = yield* World
      yield* templates.put(acme, "order", saying("one"), true)
      const before = state.reads
      for (let times = 0; times < 5; times++) {
        assert.strictEqual(yield* titleOf(templates), "one")
        assert.strictEqual(yield* titleOf(templates, "order", 1), "one")
        yield* Effect.flip(templates.get(acme, "nothing"))
      }
      assert.strictEqual(state.reads - before, 2)
      yield* pass(Duration.subtract(keptFor, Duration.seconds(1)))
      assert.strictEqual(yield* titleOf(templates), "one")
      assert.strictEqual(state.reads - before, 2)
      yield* TestClock.adjust(Duration.seconds(2))
      assert.strictEqual(yield* titleOf(templates), "one")
      assert.strictEqual(state.reads - before, 3)
    }).pipe(Effect.scoped, Effect.provide(world))
  )

  it.effect("another node sees at once what is put, activated and removed", () =>
    Effect.gen(function* () {
      const one = yield* node
      const two = yield* node
      yield* settle
      yield* one.put(acme, "order", saying("first"), true)
      yield* becomes(two, "first")
      yield* one.put(acme, "order", saying("second"), false)
      assert.strictEqual(yield* titleOf(one), "first")
      assert.strictEqual(yield* titleOf(two), "first")
      yield* two.activate(acme, "order", 2)
      assert.strictEqual(yield* titleOf(two), "second")
      yield* becomes(one, "second")
      assert.strictEqual(yield* titleOf(one, "order", 1), "first")
      yield* one.remove(acme, "order")
      yield* one.put(acme, "order", saying("anew"), true)
      yield* becomes(two, "anew")
      // The number is given out again; its old words are gone.
      assert.strictEqual(yield* titleOf(two, "order", 1), "anew")
    }).pipe(Effect.scoped, Effect.provide(world))
  )

  it.effect("a change whose message is lost is noticed with the next beat", () =>
    Effect.gen(function* () {
      const one = yield* node
      const two = yield* node
      const state = yield* World
      yield* settle
      yield* one.put(acme, "order", saying("first"), true)
      yield* settle
      assert.strictEqual(yield* titleOf(two), "first")
      state.isBroken = true
      yield* one.put(acme, "order", saying("second"), true)
      state.isBroken = false
      yield* settle
      assert.strictEqual(yield* titleOf(two), "first")
      yield* TestClock.adjust(ChangeNews.beatInterval)
      yield* becomes(two, "second")
    }).pipe(Effect.scoped, Effect.provide(world))
  )

  it.effect("a node that hears nothing any more keeps nothing for long, and hears again", () =>
    Effect.gen(function* () {
      const one = yield* node
      const two = yield* node
      const state = yield* World
      yield* settle
      yield* one.put(acme, "order", saying("first"), true)
      yield* settle
      assert.strictEqual(yield* titleOf(two), "first")
      state.isBroken = true
      yield* pass(Duration.times(ChangeNews.beatInterval, 4))
      assert.strictEqual(yield* titleOf(two), "first")
      yield* one.put(acme, "order", saying("second"), true)
      assert.strictEqual(yield* titleOf(two), "first")
      yield* TestClock.adjust(keptWhileDeafFor)
      assert.strictEqual(yield* titleOf(two), "second")
      state.isBroken = false
      yield* TestClock.adjust(ChangeNews.beatInterval)
      yield* settle
      const before = state.reads
      yield* becomes(two, "second")
      yield* pass(Duration.minutes(30))
      assert.strictEqual(yield* titleOf(two), "second")
      assert.isAtMost(state.reads - before, 1)
    }).pipe(Effect.scoped, Effect.provide(world))
  )

  it.effect("works without the way between nodes, and subscribes when it is there", () =>
    Effect.gen(function* () {
      const state = yield* World
      state.isDown = true
      const one = yield* node
      const two = yield* node
      yield* settle
      yield* one.put(acme, "order", saying("first"), true)
      assert.strictEqual(yield* titleOf(two), "first")
      yield* one.put(acme, "order", saying("second"), true)
      assert.strictEqual(yield* titleOf(one), "second")
      yield* TestClock.adjust(keptWhileDeafFor)
      assert.strictEqual(yield* titleOf(two), "second")
      state.isDown = false
      yield* TestClock.adjust(ChangeNews.beatInterval)
      yield* settle
      yield* one.put(acme, "order", saying("third"), true)
      yield* becomes(two, "third")
    }).pipe(Effect.scoped, Effect.provide(world))
  )

  it.effect("keeps nothing that was read before a change and answered after it", () =>
    Effect.gen(function* () {
      const templates = yield* node
      const store = yield* TemplateStore
      yield* settle
      yield* store.put(
        acme,
        "order",
        saying("first"),
        true,
        yield* Effect.map(templates.get(acme, "welcome"), ({ createdAt }) => createdAt)
      )
      const slow = yield* Effect.map(
        Layer.build(Layer.fresh(Templates.layer).pipe(Layer.provide(layerOvertaken(templates)))),
        Context.get(Templates)
      )
      yield* settle
      assert.strictEqual(yield* titleOf(slow), "first")
      assert.strictEqual(yield* titleOf(slow), "second")
    }).pipe(Effect.scoped, Effect.provide(world))
  )
})

/** A store whose first answer is overtaken by a change. */
const layerOvertaken = (templates: Templates["Service"]) =>
  Layer.effect(
    TemplateStore,
    Effect.map(TemplateStore, (store) => {
      let isFirst = true
      return {
        ...store,
        get: (...args: Parameters<typeof store.get>) =>
          Effect.gen(function* () {
            const found = yield* store.get(...args)
            if (isFirst) {
              isFirst = false
              yield* Effect.orDie(templates.put(acme, "order", saying("second"), true))
              yield* settle
            }
            return found
          })
      }
    })
  )
