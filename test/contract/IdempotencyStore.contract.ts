import { IdempotencyStore } from "@beckon/domain/ports/IdempotencyStore"
import type { Answer, IdempotencyScope } from "@beckon/domain/ports/IdempotencyStore"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Array, DateTime, Effect } from "effect"
import { freshTenant, hoursAfterNoon, noon } from "./Fixtures.ts"

const scopeOf = (other: Partial<IdempotencyScope> = {}): IdempotencyScope => ({
  tenantId: freshTenant(),
  caller: "user:ada",
  key: "a key, 'quoted' Ü",
  ...other
})

const seconds = (count: number) => DateTime.add(noon, { seconds: count })

/** A claim for a minute from `at`. */
const request = (claim: string, fingerprint = "print", at = noon) => ({
  fingerprint,
  claim,
  now: at,
  until: DateTime.add(at, { seconds: 60 })
})

const answer: Answer = {
  status: 201,
  headers: { "content-type": "application/json", location: "/things/1" },
  body: new Uint8Array([0, 255, 123, 10, 125])
}

export const idempotencyStoreContract = (it: Vitest.MethodsNonLive<IdempotencyStore>) => {
  it.effect("a key is claimed once, and what was answered is told to everybody who asks the same", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const scope = scopeOf()
      expect(yield* store.claim(scope, request("one"))).toEqual({ _tag: "Claimed" })
      expect(yield* store.claim(scope, request("two"))).toEqual({ _tag: "InProgress", until: seconds(60) })
      expect(yield* store.answer(scope, "one", answer, hoursAfterNoon(24))).toBe(true)
      const told = { _tag: "Answered", answer }
      expect(yield* store.claim(scope, request("two"))).toEqual(told)
      expect(yield* store.claim(scope, request("three", "print", hoursAfterNoon(23)))).toEqual(told)
    })
  )

  it.effect("a key that was used for another call says so, before the answer and after it", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const scope = scopeOf()
      yield* store.claim(scope, request("one"))
      expect(yield* store.claim(scope, request("two", "other"))).toEqual({ _tag: "OtherCall" })
      yield* store.answer(scope, "one", answer, hoursAfterNoon(24))
      expect(yield* store.claim(scope, request("two", "other"))).toEqual({ _tag: "OtherCall" })
    })
  )

  it.effect("tenants, callers and keys have nothing to do with one another", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const scope = scopeOf()
      const others = [scope, { ...scope, caller: "key:ada" }, { ...scope, key: "b" }, { ...scope, ...scopeOf() }]
      for (const one of others) expect(yield* store.claim(one, request("c"))).toEqual({ _tag: "Claimed" })
      yield* store.answer(scope, "c", answer, hoursAfterNoon(24))
      for (const one of others.slice(1)) {
        expect(yield* store.claim(one, request("d"))).toMatchObject({ _tag: "InProgress" })
      }
    })
  )

  it.effect("a claim that was not moved ahead in time is anybody's, and its former holder can do nothing more", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const scope = scopeOf()
      yield* store.claim(scope, request("one"))
      expect(yield* store.extend(scope, "one", seconds(90))).toBe(true)
      expect(yield* store.claim(scope, request("two", "print", seconds(89)))).toMatchObject({ until: seconds(90) })
      expect(yield* store.claim(scope, request("two", "another call", seconds(90)))).toEqual({ _tag: "Claimed" })
      expect(yield* store.extend(scope, "one", seconds(200))).toBe(false)
      expect(yield* store.answer(scope, "one", answer, hoursAfterNoon(24))).toBe(false)
      yield* store.release(scope, "one")
      expect(yield* store.claim(scope, request("three", "another call", seconds(91)))).toEqual({
        _tag: "InProgress",
        until: seconds(150)
      })
    })
  )

  it.effect("a claim that is released is free at once, and one that is answered is not released", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const scope = scopeOf()
      yield* store.claim(scope, request("one"))
      yield* store.release(scope, "one")
      expect(yield* store.claim(scope, request("two", "other"))).toEqual({ _tag: "Claimed" })
      yield* store.answer(scope, "two", answer, hoursAfterNoon(24))
      yield* store.release(scope, "two")
      expect(yield* store.extend(scope, "two", hoursAfterNoon(48))).toBe(false)
      expect(yield* store.claim(scope, request("three", "other"))).toEqual({ _tag: "Answered", answer })
    })
  )

  it.effect("of 50 who claim a key at the same time one has it, when it is new and when its time is over", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      const scope = scopeOf()
      for (const at of [noon, seconds(60)]) {
        const claims = yield* Effect.forEach(
          Array.range(1, 50),
          (number) => store.claim(scope, request(`claim-${at.epochMilliseconds}-${number}`, "print", at)),
          { concurrency: "unbounded" }
        )
        const tags = claims.map(({ _tag }) => _tag).toSorted()
        expect(tags).toEqual(["Claimed", ...Array.replicate("InProgress", 49)])
      }
    })
  )

  it.effect("what is over is thrown away in parts, and nothing else", () =>
    Effect.gen(function* () {
      const store = yield* IdempotencyStore
      // Long before everything that the other tests leave behind.
      const past = (count: number) => DateTime.makeUnsafe(count * 1_000)
      const scopes = Array.range(1, 5).map((number) => scopeOf({ key: `k${number}` }))
      for (const [index, scope] of scopes.entries()) {
        yield* store.claim(scope, { fingerprint: "print", claim: "c", now: past(index), until: past(index + 60) })
      }
      expect(yield* store.removeExpired(past(63), 3)).toBe(3)
      expect(yield* store.removeExpired(past(63), 3)).toBe(1)
      expect(yield* store.removeExpired(past(63), 3)).toBe(0)
      const last = { fingerprint: "print", claim: "d", now: past(63), until: past(100) }
      expect(yield* store.claim(scopes[4] ?? scopeOf(), last)).toMatchObject({ _tag: "InProgress" })
      yield* store.removeExpired(past(64), 3)
    })
  )
}
