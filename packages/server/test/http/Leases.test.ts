/**
 * What happens to keys in time: claims are kept while a call is under way, answers for a day, and then nothing.
 */
import { IdempotencyStore } from "@beckon/domain/ports/IdempotencyStore"
import { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import type { Identity } from "@beckon/domain/Identity"
import * as MemoryIdempotencyStore from "@beckon/infra/memory/MemoryIdempotencyStore"
import { assert, it } from "@effect/vitest"
import { DateTime, Deferred, Effect, Fiber, Layer } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import * as CurrentCall from "../../src/http/CurrentCall.ts"
import { HttpSettings } from "../../src/http/HttpSettings.ts"
import { Idempotency } from "../../src/http/Idempotency.ts"

const identity: Identity = {
  tenantId: TenantId.make("acme"),
  userId: UserId.make("ada"),
  roles: ["user"],
  expiresAt: 0
}

const newCall = () =>
  CurrentCall.make(
    HttpServerRequest.fromWeb(
      new Request("http://server/api/things", { method: "POST", headers: { "idempotency-key": "key" } })
    ),
    { address: null, correlationId: "c", traceparent: null }
  )

const layer = Idempotency.layer.pipe(
  Layer.provide(HttpSettings.layer()),
  Layer.provideMerge(MemoryIdempotencyStore.layer)
)

/** What another one who sends the same is told; nothing when it would be carried out. */
const another = Effect.gen(function* () {
  const idempotency = yield* Idempotency
  const call = newCall()
  const told = yield* idempotency.begin(call, identity)
  return told?.status
})

it.effect("a claim is kept for as long as the call takes, and the answer for 24 hours", () =>
  Effect.gen(function* () {
    const idempotency = yield* Idempotency
    const call = newCall()
    const started = yield* Deferred.make<void>()
    const go = yield* Deferred.make<void>()
    const handler = Effect.gen(function* () {
      assert.isUndefined(yield* idempotency.begin(call, identity))
      yield* Deferred.succeed(started, undefined)
      yield* Deferred.await(go)
      return HttpServerResponse.text("done", { status: 201 })
    })
    const running = yield* Effect.forkChild(Effect.orDie(idempotency.complete(call, handler)))
    yield* Deferred.await(started)
    for (let minute = 0; minute < 10; minute++) {
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* another, 409)
    }
    yield* Deferred.succeed(go, undefined)
    assert.strictEqual((yield* Fiber.join(running)).status, 201)
    assert.strictEqual(yield* another, 201)
    yield* TestClock.adjust("23 hours")
    assert.strictEqual(yield* another, 201)
    yield* TestClock.adjust("1 hour")
    assert.isUndefined(yield* another)
  }).pipe(Effect.provide(layer))
)

it.effect("a claim is kept although a beat of it is lost", () =>
  Effect.gen(function* () {
    const kept = yield* IdempotencyStore
    let beats = 0
    const layerFlaky = Idempotency.layer.pipe(
      Layer.provide([
        HttpSettings.layer(),
        Layer.succeed(IdempotencyStore, {
          ...kept,
          extend: (...of) =>
            Effect.suspend(() => {
              beats += 1
              return beats % 3 === 1
                ? Effect.fail(new StoreUnavailable({ operation: "extend", cause: "away" }))
                : kept.extend(...of)
            })
        })
      ])
    )
    yield* Effect.gen(function* () {
      const idempotency = yield* Idempotency
      const call = newCall()
      assert.isUndefined(yield* idempotency.begin(call, identity))
      for (let minute = 0; minute < 5; minute++) {
        yield* TestClock.adjust("59 seconds")
        assert.strictEqual(yield* another, 409)
      }
    }).pipe(Effect.provide(layerFlaky))
    assert.isAbove(beats, 10)
  }).pipe(Effect.provide(MemoryIdempotencyStore.layer))
)

it.effect("what is over is thrown away without anybody asking for it", () =>
  Effect.gen(function* () {
    const store = yield* IdempotencyStore
    const scope = { tenantId: identity.tenantId, caller: "user:ada", key: "old" }
    const now = yield* DateTime.now
    const until = DateTime.add(now, { seconds: 30 })
    yield* store.claim(scope, { fingerprint: "print", claim: "one", now, until })
    yield* TestClock.adjust("3 minutes")
    // Asked as of the beginning, when it was not over: only a row that is gone is free.
    const again = yield* store.claim(scope, { fingerprint: "print", claim: "two", now, until })
    assert.strictEqual(again._tag, "Claimed")
  }).pipe(Effect.provide(layer))
)
