import { DeadLetters } from "@beckon/domain/ports/DeadLetters"
import { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import { TestClock } from "effect/testing"
import { freshKey, freshTenant, user } from "./Fixtures.ts"

export const preferenceStoreContract = (it: Vitest.MethodsNonLive<PreferenceStore>) => {
  it.effect("preferences are the initial ones until they are set, and then the last ones set", () =>
    Effect.gen(function* () {
      const store = yield* PreferenceStore
      const key = freshKey()
      expect(yield* store.get(key)).toEqual({ channels: {}, mutedTypes: [] })
      yield* store.set(key, { channels: { push: false, email: true }, mutedTypes: ["driver_nearby", "ø 👋"] })
      yield* store.set(key, { channels: { push: true }, mutedTypes: ["b", "a"] })
      expect(yield* store.get(key)).toEqual({ channels: { push: true }, mutedTypes: ["b", "a"] })
      expect(yield* store.get({ ...key, userId: user("bob") })).toEqual({ channels: {}, mutedTypes: [] })
      expect(yield* store.get(freshKey())).toEqual({ channels: {}, mutedTypes: [] })
    })
  )
}

export const userDirectoryContract = (it: Vitest.MethodsNonLive<UserDirectory>) => {
  it.effect("profiles come in the order of the ids, an unknown user with only his id", () =>
    Effect.gen(function* () {
      const directory = yield* UserDirectory
      const tenantId = freshTenant()
      const ada = { userId: user("ada"), name: "Ada 👩‍🚀", email: "ada@example.com", image: null }
      const bob = { userId: user("bob"), name: null, email: null, image: "https://example.com/bob.png" }
      const nobody = { userId: user("nobody"), name: null, email: null, image: null }
      yield* directory.remember(tenantId, bob)
      yield* directory.remember(tenantId, { ...ada, name: "Before" })
      yield* directory.remember(tenantId, ada)
      yield* directory.remember(tenantId, ada)
      expect(
        yield* directory.lookup(
          tenantId,
          [nobody, bob, ada, bob].map(({ userId }) => userId)
        )
      ).toEqual([nobody, bob, ada, bob])
      expect(yield* directory.lookup(tenantId, [])).toEqual([])
      expect(yield* directory.lookup(freshTenant(), [nobody.userId])).toEqual([nobody])
    })
  )
}

export const deadLettersContract = (it: Vitest.MethodsNonLive<DeadLetters>) => {
  it.effect("dead letters come newest first, exactly as they were, whatever they hold", () =>
    Effect.gen(function* () {
      const letters = yield* DeadLetters
      yield* TestClock.adjust("1234 millis")
      const awkward = 'NUL \u0000, half a pair \ud83d, \\u0000, 👋, "quotes"'
      const record = { topic: "order-events", key: awkward, headers: { [awkward]: awkward }, value: awkward }
      yield* letters.add({ ...record, value: "first" }, "not JSON")
      yield* letters.add(record, awkward)
      const [newest, other] = yield* letters.list(2)
      expect(newest).toEqual({ ...record, reason: awkward, at: yield* DateTime.now, id: newest?.id })
      expect(other).toMatchObject({ value: "first", reason: "not JSON" })
      expect(newest?.id).not.toBe(other?.id)
      expect(yield* letters.list(1)).toEqual([newest])
    })
  )
}
