import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { UserId } from "@beckon/domain/Identifiers"
import type { Identity } from "@beckon/domain/Identity"
import { allScopes } from "@beckon/domain/Policy"
import { CallOrigin } from "@beckon/domain/CallOrigin"
import { TenantId } from "@beckon/domain/Identifiers"
import { beyond } from "@beckon/domain/ApiKey"
import * as ApiKeySecret from "@beckon/infra/security/ApiKeySecret"
import { acme, admin, as, audited, inHours, keyIn, layerShared, startNode } from "./Fixture.ts"

const reasonOf = <A>(effect: Effect.Effect<A, { readonly reason: string }>) =>
  Effect.match(effect, { onFailure: ({ reason }) => reason, onSuccess: () => "accepted" })

/** Other fibers have had their turns. */
const settle = Effect.repeat(Effect.yieldNow, { times: 50 })

const input = { name: "shop", role: "service" } as const

/** An hour of the clock is many beats and readings of the nodes. */
const slow = 30_000

describe("ApiKeys", () => {
  it.effect(
    "a key is its tenant's service, limited to its scopes, until it expires",
    () =>
      Effect.gen(function* () {
        const { keys } = yield* startNode
        const expiresAt = yield* inHours(2)
        const { key, secret } = yield* as(admin)(keys.create({ ...input, scopes: ["events:write"], expiresAt }))
        expect(JSON.stringify(secret)).not.toContain("bk_")
        expect(yield* keys.verify(Redacted.value(secret))).toEqual({
          tenantId: "acme",
          userId: `key:${key.id}`,
          roles: ["service"],
          scopes: ["events:write"],
          keyId: key.id,
          tokenId: "1",
          expiresAt: expiresAt.epochMilliseconds
        })
        yield* TestClock.adjust("2 hours")
        expect(yield* reasonOf(keys.verify(Redacted.value(secret)))).toBe("key: it has expired")
        expect(yield* Effect.flip(as(admin)(keys.rotate(key.id, Duration.zero)))).toMatchObject({ status: 422 })
        expect(yield* Effect.flip(as(admin)(keys.create({ ...input, expiresAt })))).toMatchObject({ status: 422 })
      }).pipe(Effect.provide(layerShared)),
    slow
  )

  it.effect("what is no key, a key that nobody made, and a wrong secret are refused in the same words", () =>
    Effect.gen(function* () {
      const { keys } = yield* startNode
      const { key } = yield* as(admin)(keys.create(input))
      const guesses = ["bk_", "bk_x_y", Redacted.value(ApiKeySecret.newKey(ApiKeySecret.newId()))]
      for (const guess of [...guesses, Redacted.value(ApiKeySecret.newKey(key.id))]) {
        expect(yield* reasonOf(keys.verify(guess))).toBe("key: not an API key of this server")
      }
    }).pipe(Effect.provide(layerShared))
  )

  it.effect(
    "after a rotation both secrets are good until the overlap ends; another rotation ends the oldest at once",
    () =>
      Effect.gen(function* () {
        const { keys } = yield* startNode
        const { key, secret: first } = yield* as(admin)(keys.create(input))
        const verify = (secret: Redacted.Redacted) => keys.verify(Redacted.value(secret))
        const before = yield* verify(first)
        const { secret: second } = yield* as(admin)(keys.rotate(key.id, Duration.hours(1)))
        const end = (yield* inHours(1)).epochMilliseconds
        expect(yield* verify(first)).toMatchObject({ tokenId: "1", expiresAt: end })
        expect(yield* verify(second)).toMatchObject({ tokenId: "2" })
        expect(yield* keys.isGood(before)).toBe(true)
        yield* TestClock.adjust("1 hour")
        expect(yield* reasonOf(verify(first))).toBe("key: it was replaced by a new one")
        expect(yield* keys.isGood(before)).toBe(false)
        const { secret: third } = yield* as(admin)(keys.rotate(key.id, Duration.hours(1)))
        const { secret: fourth } = yield* as(admin)(keys.rotate(key.id, Duration.zero))
        expect(yield* reasonOf(verify(second))).toBe("key: not an API key of this server")
        expect(yield* reasonOf(verify(third))).toBe("key: it was replaced by a new one")
        expect(yield* reasonOf(verify(fourth))).toBe("accepted")
      }).pipe(Effect.provide(layerShared)),
    slow
  )

  it.effect("a key that is revoked is refused by every node, and its callers have to go", () =>
    Effect.gen(function* () {
      const [here, there] = [yield* startNode, yield* startNode]
      const { key, secret } = yield* as(admin)(here.keys.create(input))
      // Nodes that have met each other keep what they know.
      yield* settle
      yield* here.keys.verify(Redacted.value(secret))
      const identity = yield* there.keys.verify(Redacted.value(secret))
      const others = yield* as(admin)(here.keys.create(input))
      const bystander = yield* there.keys.verify(Redacted.value(others.secret))
      yield* as(admin)(here.keys.revoke(key.id))
      expect(yield* reasonOf(here.keys.verify(Redacted.value(secret)))).toBe("key: it was revoked")
      // The news is on its way for some turns of the scheduler.
      yield* Effect.repeat(
        Effect.tap(there.keys.isGood(identity), () => Effect.yieldNow),
        { while: (good) => good }
      )
      expect(yield* reasonOf(there.keys.verify(Redacted.value(secret)))).toBe("key: it was revoked")
      const verdict = yield* there.standing.judge([identity, bystander])
      expect(verdict(identity)).toMatchObject({ code: 4502 })
      expect(verdict(bystander)).toBeUndefined()
      expect(yield* Effect.flip(as(admin)(here.keys.rotate(key.id, Duration.zero)))).toMatchObject({ status: 422 })
      yield* as(admin)(here.keys.revoke(key.id))
    }).pipe(Effect.provide(layerShared))
  )

  it.effect("nobody makes or rotates a key that may do more than he may", () =>
    Effect.gen(function* () {
      const { keys } = yield* startNode
      const limited: Identity = { ...admin, scopes: ["keys:write", "events:write", "keys:read"] }
      const refused = yield* Effect.flip(as(limited)(keys.create({ ...input, scopes: ["events:write", "users:read"] })))
      expect(refused).toMatchObject({ status: 403, detail: expect.stringContaining("users:read") })
      // Without scopes of its own a key has all that its role has.
      expect(yield* Effect.flip(as(limited)(keys.create(input)))).toMatchObject({ status: 403 })
      const made = yield* as(limited)(keys.create({ ...input, scopes: ["events:write"] }))
      yield* as(limited)(keys.rotate(made.key.id, Duration.zero))
      const strong = yield* as(admin)(keys.create({ name: "ops", role: "admin" }))
      expect(yield* Effect.flip(as(limited)(keys.rotate(strong.key.id, Duration.zero)))).toMatchObject({ status: 403 })
      expect(yield* reasonOf(keys.verify(Redacted.value(strong.secret)))).toBe("accepted")
      const service: Identity = { ...admin, roles: ["service"] }
      expect(yield* Effect.flip(as(service)(keys.create({ name: "up", role: "admin" })))).toMatchObject({ status: 403 })
    }).pipe(Effect.provide(layerShared))
  )

  it("whatever a caller may do, what he can give away is a part of it", () => {
    const roles = ["service", "admin"] as const
    for (const caller of [["user"], ["service"], ["admin"], ["platform"], []]) {
      for (const role of roles) {
        const more = beyond({ role, scopes: null }, { roles: caller })
        const may = role === "service" ? ["service", "admin", "platform"] : ["admin", "platform"]
        expect([caller, role, more.length === 0]).toEqual([caller, role, caller.some((one) => may.includes(one))])
      }
    }
    expect(beyond({ role: "admin", scopes: allScopes }, { roles: ["admin"] })).toEqual([])
    expect(beyond({ role: "admin", scopes: ["tenants:write"] }, { roles: ["admin"] })).toEqual([])
  })

  it.effect("keys of other tenants are not there", () =>
    Effect.gen(function* () {
      const { keys } = yield* startNode
      const { key } = yield* as(admin)(keys.create(input))
      const stranger: Identity = { ...admin, tenantId: TenantId.make("other"), userId: UserId.make("eve") }
      expect(yield* Effect.flip(keys.get(stranger.tenantId, key.id))).toMatchObject({ status: 404 })
      expect(yield* Effect.flip(as(stranger)(keys.rotate(key.id, Duration.zero)))).toMatchObject({ status: 404 })
      expect(yield* Effect.flip(as(stranger)(keys.revoke(key.id)))).toMatchObject({ status: 404 })
      expect(yield* keys.list(stranger.tenantId, { limit: 9 })).toEqual([])
    }).pipe(Effect.provide(layerShared))
  )

  it.effect(
    "its last use is written once a minute with the address, and audited once an hour",
    () =>
      Effect.gen(function* () {
        const { keys } = yield* startNode
        const { key, secret } = yield* as(admin)(keys.create(input))
        const origin = (address: string) =>
          Effect.provideService(CallOrigin, { address, correlationId: null, traceparent: null })
        const use = (address: string) =>
          keys.verify(Redacted.value(secret)).pipe(origin(address), Effect.andThen(settle))
        yield* use("192.0.2.1")
        const first = (yield* keyIn(key.id)).lastUsedAt
        expect(yield* keyIn(key.id)).toMatchObject({ lastUsedAddress: "192.0.2.1" })
        yield* TestClock.adjust("59 seconds")
        yield* use("192.0.2.2")
        expect(yield* keyIn(key.id)).toMatchObject({ lastUsedAt: first, lastUsedAddress: "192.0.2.1" })
        yield* TestClock.adjust("1 second")
        yield* use("192.0.2.3")
        expect(yield* keyIn(key.id)).toMatchObject({ lastUsedAddress: "192.0.2.3" })
        const wrong = reasonOf(keys.verify(Redacted.value(ApiKeySecret.newKey(key.id))))
        yield* wrong
        yield* Effect.andThen(wrong, settle)
        expect(yield* audited).toEqual(["api_key.create", "api_key.use", "api_key.refuse"])
        yield* TestClock.adjust("1 hour")
        yield* use("192.0.2.3")
        yield* as(admin)(keys.rotate(key.id, Duration.zero))
        yield* as(admin)(keys.revoke(key.id))
        expect((yield* audited).slice(3)).toEqual(["api_key.use", "api_key.rotate", "api_key.revoke"])
        expect((yield* keys.list(acme, { limit: 9 })).map(({ id }) => id)).toEqual([key.id])
      }).pipe(Effect.provide(layerShared)),
    slow
  )
})
