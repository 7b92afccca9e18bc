import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Option } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { TestClock } from "effect/testing"
import { DeliveryId } from "@beckon/domain/Delivery"
import type { FailureClass, SendOutcome } from "@beckon/domain/Delivery"
import { TenantId } from "@beckon/domain/Identifiers"
import type { ChannelProvider, Outgoing } from "@beckon/domain/ports/ChannelProvider"
import { ChannelProviders } from "@beckon/domain/ports/ChannelProvider"
import { TenantProviders } from "../../src/providers/TenantProviders.ts"
import { Circuits } from "../../src/delivery/Circuits.ts"
import { DeliverySettings } from "../../src/delivery/DeliverySettings.ts"
import { Sending } from "../../src/delivery/Sending.ts"

const acme = TenantId.make("acme")

const outgoing = (to: string): Outgoing<"sms"> => ({
  tenantId: acme,
  deliveryId: DeliveryId.make(to),
  correlationId: undefined,
  message: { to, text: "Hello" }
})

const sent: SendOutcome = { _tag: "Sent", providerMessageId: "m" }
const failed = (kind: FailureClass): SendOutcome => ({ _tag: "Failed", class: kind, code: kind, detail: "" })

/** A provider that records its calls. */
const provider = (
  id: string,
  answer: (to: string) => SendOutcome,
  other: Partial<ChannelProvider<"sms">> = {}
): ChannelProvider<"sms"> & { readonly calls: Array<ReadonlyArray<string>> } => {
  const calls: Array<ReadonlyArray<string>> = []
  return {
    id,
    channel: "sms",
    maxBatch: 1,
    concurrency: 10,
    rate: undefined,
    accepts: () => true,
    send: (batch) =>
      Effect.sync(() => {
        calls.push(batch.map(({ message }) => message.to))
        return batch.map(({ message }) => answer(message.to))
      }),
    ...other,
    calls
  }
}

const layer = (...sms: ReadonlyArray<ChannelProvider<"sms">>) =>
  Sending.layer.pipe(
    Layer.provide(Circuits.layer),
    Layer.provide([CircuitBreaker.layerStoreMemory(), RateLimiter.layerStoreMemory]),
    Layer.provide(TenantProviders.layerShared),
    Layer.provide(Layer.succeed(ChannelProviders, { push: [], email: [], sms, whatsapp: [], webhook: [] })),
    Layer.provide(DeliverySettings.layer())
  )

const send = (...to: ReadonlyArray<string>) =>
  Effect.flatMap(Sending, (sending) => sending.send("sms", acme, to.map(outgoing), (id) => !id.startsWith("lost")))

describe("Sending", () => {
  it.effect("asks the next provider only where the first is out of order, and keeps both tries", () => {
    const first = provider("first", (to) =>
      to === "bad" ? failed("permanent") : to === "down" ? failed("transient") : sent
    )
    const second = provider("second", () => sent)
    return Effect.gen(function* () {
      const [good, bad, down] = yield* send("good", "bad", "down")
      assert.deepStrictEqual(first.calls.flat().toSorted(), ["bad", "down", "good"])
      assert.deepStrictEqual(second.calls.flat(), ["down"])
      assert.deepStrictEqual(
        [good, bad, down].map((one) => one?.tries.map(({ outcome, provider: id }) => [id, outcome._tag])),
        [
          [["first", "Sent"]],
          [["first", "Failed"]],
          [
            ["first", "Failed"],
            ["second", "Sent"]
          ]
        ]
      )
    }).pipe(Effect.provide(layer(first, second)))
  })

  it.effect("goes around a provider whose circuit is open, without a try", () => {
    const first = provider("first", () => failed("transient"))
    const second = provider("second", () => sent)
    return Effect.gen(function* () {
      for (let index = 0; index < 5; index++) yield* send("a")
      const [after] = yield* send("b")
      assert.strictEqual(first.calls.length, 5)
      assert.deepStrictEqual(
        after?.tries.map(({ provider: id }) => id),
        ["second"]
      )
      assert.isUndefined(after?.notAsked)
    }).pipe(Effect.provide(layer(first, second)))
  })

  it.effect("says that nobody was asked, and until when, when every circuit is open", () => {
    const only = provider("only", () => failed("transient"))
    return Effect.gen(function* () {
      for (let index = 0; index < 5; index++) yield* send("a")
      yield* TestClock.adjust("20 seconds")
      const [after] = yield* send("b")
      assert.deepStrictEqual(after?.tries, [])
      assert.deepStrictEqual(after?.notAsked, { reason: "breaker_open", retryAfter: 40_000 })
    }).pipe(Effect.provide(layer(only)))
  })

  it.effect("does not send what is another worker's by the time of its turn", () => {
    const only = provider("only", () => sent, { maxBatch: 10 })
    return Effect.gen(function* () {
      const all = yield* send("a", "lost-1", "b", "lost-2")
      assert.deepStrictEqual(only.calls, [["a", "b"]])
      assert.deepStrictEqual(
        all.map(({ notAsked, tries }) => [tries.length, notAsked?.reason]),
        [
          [1, undefined],
          [0, "lease_lost"],
          [1, undefined],
          [0, "lease_lost"]
        ]
      )
    }).pipe(Effect.provide(layer(only)))
  })

  it.effect("gives turns tenant by tenant: a long queue of one is nobody else's", () => {
    const order: Array<string> = []
    const narrow = provider("narrow", () => sent, {
      concurrency: 1,
      send: (batch) =>
        Effect.as(
          Effect.tap(Effect.sleep("1 second"), () =>
            Effect.sync(() => order.push(...batch.map(({ message }) => message.to)))
          ),
          batch.map(() => sent)
        )
    })
    return Effect.gen(function* () {
      const sending = yield* Sending
      const long = Array.from({ length: 20 }, (_, index) => outgoing(`long-${index}`))
      const first = yield* Effect.forkChild(sending.send("sms", acme, long, () => true))
      yield* TestClock.adjust("100 millis")
      const globex = TenantId.make("globex")
      const second = yield* Effect.forkChild(
        sending.send("sms", globex, [{ ...outgoing("short"), tenantId: globex }], () => true)
      )
      yield* TestClock.adjust("30 seconds")
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      assert.isAtMost(order.indexOf("short"), 2)
    }).pipe(Effect.provide(layer(narrow)))
  })

  it.effect("keeps a circuit for each of what fails by itself", () => {
    const endpoints = provider("endpoints", (to) => (to === "down" ? failed("transient") : sent), {
      circuit: ({ to }) => `endpoints:${to}`
    })
    return Effect.gen(function* () {
      for (let index = 0; index < 5; index++) yield* send("down")
      const [down, up] = yield* send("down", "up")
      assert.strictEqual(down?.notAsked?.reason, "breaker_open")
      assert.strictEqual(up?.tries.length, 1)
    }).pipe(Effect.provide(layer(endpoints)))
  })

  it.effect("makes calls of at most the provider's batch, and passes over what it does not take", () => {
    const first = provider("first", () => sent, { maxBatch: 2, accepts: ({ to }) => !to.startsWith("x") })
    const second = provider("second", () => sent, { maxBatch: 10 })
    return Effect.gen(function* () {
      const all = yield* send("a", "x1", "b", "x2", "c")
      assert.deepStrictEqual(first.calls, [["a", "b"], ["c"]])
      assert.deepStrictEqual(second.calls, [["x1", "x2"]])
      assert.deepStrictEqual(
        all.map(({ tries }) => tries[0]?.provider),
        ["first", "second", "first", "second", "first"]
      )
    }).pipe(Effect.provide(layer(first, second)))
  })

  it.effect("waits a moment for the rate limit, and gives back what would wait longer", () => {
    const slow = provider("slow", () => sent, { rate: { limit: 2, window: Duration.seconds(10) } })
    return Effect.gen(function* () {
      yield* send("a")
      yield* send("b")
      const fiber = yield* Effect.forkChild(send("c"))
      yield* TestClock.adjust("100 millis")
      const [third] = yield* Fiber.join(fiber)
      assert.strictEqual(slow.calls.length, 2)
      assert.deepStrictEqual([third?.tries.length, third?.notAsked?.reason], [0, "rate_limited"])
      assert.isTrue((third?.notAsked?.retryAfter ?? 0) > 2_000)
      yield* TestClock.adjust("4 seconds")
      const soon = yield* Effect.forkChild(send("d"))
      for (let index = 0; index < 40; index++) yield* TestClock.adjust("50 millis")
      const [fourth] = yield* Fiber.join(soon)
      assert.deepStrictEqual(fourth?.tries.length, 1)
    }).pipe(Effect.provide(layer(slow)))
  })

  it.effect("takes an adapter that breaks or never answers for a provider out of order", () => {
    const broken = provider("broken", () => sent, { send: () => Effect.die("broken") })
    const silent = provider("silent", () => sent, { send: () => Effect.never })
    return Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(send("a"))
      yield* TestClock.adjust("45 seconds")
      const [one] = yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        one?.tries.map(({ outcome, provider: id }) => [id, outcome._tag === "Failed" && outcome.code]),
        [
          ["broken", "adapter"],
          ["silent", "timeout"]
        ]
      )
    }).pipe(Effect.provide(layer(broken, silent)))
  })

  it.effect("makes no more calls at a time than the provider wants", () => {
    let running = 0
    let most = 0
    const narrow = provider("narrow", () => sent, {
      concurrency: 3,
      send: (batch) =>
        Effect.gen(function* () {
          most = Math.max(most, (running += 1))
          yield* Effect.sleep("1 second")
          running -= 1
          return batch.map(() => sent)
        })
    })
    return Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(send(...Array.from({ length: 10 }, (_, index) => String(index))))
      yield* TestClock.adjust("4 seconds")
      assert.isTrue(Option.isSome(yield* Effect.timeoutOption(Fiber.join(fiber), "1 second")))
      assert.strictEqual(most, 3)
    }).pipe(Effect.provide(layer(narrow)))
  })
})
