import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Option } from "effect"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import { TestClock } from "effect/testing"
import type { FailureClass, SendOutcome } from "@beckon/domain/Delivery"
import { TenantId } from "@beckon/domain/Identifiers"
import { Circuits } from "../../src/delivery/Circuits.ts"
import { DeliverySettings } from "../../src/delivery/DeliverySettings.ts"

const acme = TenantId.make("acme")
const globex = TenantId.make("globex")

const layer = Circuits.layer.pipe(
  Layer.provide(CircuitBreaker.layerStoreMemory()),
  Layer.provide(DeliverySettings.layer())
)

const sent: SendOutcome = { _tag: "Sent", providerMessageId: null }
const failed = (kind: FailureClass): SendOutcome => ({ _tag: "Failed", class: kind, code: "code", detail: "detail" })

/** Makes one call with this outcome; answers whether the provider was asked. */
const call = Effect.fnUntraced(function* (outcomes: SendOutcome | ReadonlyArray<SendOutcome>, tenant = acme) {
  const circuits = yield* Circuits
  let asked = false
  const send = Effect.sync((): ReadonlyArray<SendOutcome> => {
    asked = true
    return "_tag" in outcomes ? [outcomes] : outcomes
  })
  const exit = yield* Effect.exit(circuits.guard("smtp", tenant, send))
  const error = Exit.findErrorOption(exit)
  return { asked, reason: Option.getOrUndefined(Option.map(error, ({ reason }) => reason)), exit }
})

const calls = (times: number, outcome: SendOutcome, tenant = acme) =>
  Effect.forEach(Array.from({ length: times }), () => call(outcome, tenant))

describe("Circuits", () => {
  it.effect("opens after five failures in a row, for this provider and tenant only", () =>
    Effect.gen(function* () {
      const circuits = yield* Circuits
      yield* calls(4, failed("transient"))
      yield* call(sent)
      yield* calls(4, failed("transient"))
      assert.strictEqual(yield* circuits.state("smtp", acme), "closed")
      yield* call(failed("transient"))
      assert.strictEqual(yield* circuits.state("smtp", acme), "open")
      const refused = yield* call(sent)
      assert.deepStrictEqual([refused.asked, refused.reason], [false, "breaker_open"])
      assert.isTrue((yield* call(sent, globex)).asked)
    }).pipe(Effect.provide(layer))
  )

  it.effect("closes after two good probes in a row, 60 seconds later", () =>
    Effect.gen(function* () {
      const circuits = yield* Circuits
      yield* calls(5, failed("transient"))
      yield* TestClock.adjust("59 seconds")
      assert.isFalse((yield* call(sent)).asked)
      yield* TestClock.adjust("1 second")
      assert.isTrue((yield* call(sent)).asked)
      assert.strictEqual(yield* circuits.state("smtp", acme), "half_open")
      assert.isTrue((yield* call(sent)).asked)
      assert.strictEqual(yield* circuits.state("smtp", acme), "closed")
    }).pipe(Effect.provide(layer))
  )

  it.effect("opens again when the second probe fails, and counts anew after that", () =>
    Effect.gen(function* () {
      const circuits = yield* Circuits
      yield* calls(5, failed("transient"))
      yield* TestClock.adjust("60 seconds")
      yield* call(sent)
      yield* call(failed("transient"))
      assert.strictEqual(yield* circuits.state("smtp", acme), "open")
      yield* TestClock.adjust("60 seconds")
      yield* call(sent)
      assert.strictEqual(yield* circuits.state("smtp", acme), "half_open")
      yield* call(sent)
      assert.strictEqual(yield* circuits.state("smtp", acme), "closed")
    }).pipe(Effect.provide(layer))
  )

  it.effect("takes refused messages and slow-downs for no trouble of the provider", () =>
    Effect.gen(function* () {
      const circuits = yield* Circuits
      yield* calls(10, failed("permanent"))
      yield* calls(10, failed("unreachable"))
      yield* calls(10, failed("throttled"))
      for (let index = 0; index < 10; index++) yield* call([failed("transient"), sent])
      assert.strictEqual(yield* circuits.state("smtp", acme), "closed")
    }).pipe(Effect.provide(layer))
  )

  it.effect("leaves a provider alone at once that refuses the credentials", () =>
    Effect.gen(function* () {
      const circuits = yield* Circuits
      yield* call(failed("credentials"))
      assert.strictEqual(yield* circuits.state("smtp", acme), "held")
      const refused = yield* call(sent)
      assert.deepStrictEqual([refused.asked, refused.reason], [false, "credentials"])
      yield* TestClock.adjust("60 seconds")
      assert.isTrue((yield* call(sent)).asked)
      assert.strictEqual(yield* circuits.state("smtp", acme), "closed")
    }).pipe(Effect.provide(layer))
  )

  it.effect("takes credentials that are refused for one message among others for that message's own trouble", () =>
    Effect.gen(function* () {
      const circuits = yield* Circuits
      yield* call([sent, failed("credentials"), sent])
      yield* call([failed("permanent"), failed("credentials")])
      assert.strictEqual(yield* circuits.state("smtp", acme), "closed")
      yield* call([failed("credentials"), failed("transient")])
      assert.strictEqual(yield* circuits.state("smtp", acme), "held")
    }).pipe(Effect.provide(layer))
  )

  it.effect("counts a defect of an adapter as a failure, and an interrupt as nothing", () =>
    Effect.gen(function* () {
      const circuits = yield* Circuits
      const guarded = (send: Effect.Effect<ReadonlyArray<SendOutcome>>) =>
        Effect.exit(circuits.guard("smtp", acme, send))
      for (let index = 0; index < 9; index++) yield* guarded(Effect.interrupt)
      assert.strictEqual(yield* circuits.state("smtp", acme), "closed")
      for (let index = 0; index < 5; index++) yield* guarded(Effect.die("broken"))
      assert.strictEqual(yield* circuits.state("smtp", acme), "open")
    }).pipe(Effect.provide(layer))
  )
})
