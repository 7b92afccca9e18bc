import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as CloseReason from "@beckon/domain/CloseReason"
import type { Identity } from "@beckon/domain/Identity"
import * as Evictions from "../../src/gateway/Evictions.ts"
import { GatewaySettings } from "../../src/gateway/GatewaySettings.ts"
import { Sessions } from "../../src/gateway/Sessions.ts"
import { makeSession } from "./FakeSocket.ts"

it.effect("a revoked token and an expired one lose their sockets although the database hangs", () =>
  Effect.gen(function* () {
    const sessions = yield* Sessions
    const { session: revoked, socket: first } = makeSession()
    const { session: expired, socket: second } = makeSession()
    expired.identity = { ...expired.identity, expiresAt: 1_500 }
    sessions.add(revoked)
    sessions.add(expired)
    const out = new Set<Identity>()
    yield* Evictions.make(sessions, {
      admit: () => Effect.void,
      isRevoked: (identity) => out.has(identity),
      judge: () => Effect.never
    })
    yield* TestClock.adjust("1 second")
    assert.deepStrictEqual([first.closedWith, second.closedWith], [undefined, undefined])
    out.add(revoked.identity)
    yield* TestClock.adjust("1 second")
    assert.strictEqual(first.closedWith?.code, CloseReason.tokenRevoked.code)
    assert.strictEqual(second.closedWith?.code, CloseReason.tokenExpired.code)
  }).pipe(Effect.provide(Layer.provideMerge(Sessions.layer, GatewaySettings.layer())))
)
