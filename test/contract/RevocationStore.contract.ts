import { RevocationStore } from "@beckon/domain/ports/RevocationStore"
import type { RevocationPlace } from "@beckon/domain/ports/RevocationStore"
import type { Revocation } from "@beckon/domain/Revocation"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import { freshTenant, hoursAfterNoon, noon } from "./Fixtures.ts"

let ids = 0
const freshId = () => String(++ids).padStart(4, "0")

const ofUser = (other: Partial<Revocation> = {}): Revocation => ({
  tenantId: freshTenant(),
  kind: "user",
  subject: "zoë",
  before: noon,
  expiresAt: hoursAfterNoon(24),
  ...other
})

const beginning: RevocationPlace = { changedAt: DateTime.makeUnsafe(0), id: "" }

/** The suites of one provider share its database: each test looks at a day of its own. */
let days = 100
const freshDay = () => hoursAfterNoon(24 * ++days)

export const revocationStoreContract = (it: Vitest.MethodsNonLive<RevocationStore>) => {
  it.effect("changes come in their order, page by page, those of one moment by id", () =>
    Effect.gen(function* () {
      const store = yield* RevocationStore
      const [day, next] = [freshDay(), freshDay()]
      const [first, second, third, fourth] = [ofUser(), ofUser(), ofUser({ kind: "token", subject: "jti-1" }), ofUser()]
      const [id, id2, id3] = [freshId(), freshId(), freshId()]
      yield* store.save(second, id2, day)
      expect(yield* store.save(first, id, day)).toEqual(first)
      yield* store.save(third, id3, next)
      yield* store.save(fourth, freshId(), hoursAfterNoon(0))
      const after = { changedAt: DateTime.subtract(day, { hours: 1 }), id: "" }
      const page = yield* store.changes(after, 2)
      expect(page).toEqual([
        { revocation: first, changedAt: day, id },
        { revocation: second, changedAt: day, id: id2 }
      ])
      expect(yield* store.changes({ changedAt: day, id: id2 }, 9)).toEqual([
        { revocation: third, changedAt: next, id: id3 }
      ])
      expect(yield* store.changes({ changedAt: next, id: id3 }, 9)).toEqual([])
      expect((yield* store.changes(beginning, 1_000)).length).toBeGreaterThanOrEqual(4)
    })
  )

  it.effect("a subject has one revocation, whose ends move forward only", () =>
    Effect.gen(function* () {
      const store = yield* RevocationStore
      const day = freshDay()
      const revocation = ofUser()
      yield* store.save(revocation, freshId(), day)
      const later = { ...revocation, before: hoursAfterNoon(2), expiresAt: hoursAfterNoon(48) }
      expect(yield* store.save(later, freshId(), day)).toEqual(later)
      const id = freshId()
      expect(yield* store.save({ ...revocation, before: hoursAfterNoon(1) }, id, day)).toEqual(later)
      expect(yield* store.changes({ changedAt: day, id: "" }, 9)).toEqual([{ revocation: later, changedAt: day, id }])
      // A token of the same name, and a user of another tenant, are others.
      yield* store.save({ ...revocation, kind: "token" }, freshId(), day)
      yield* store.save({ ...revocation, tenantId: freshTenant() }, freshId(), day)
      expect(yield* store.changes({ changedAt: day, id: "" }, 9)).toHaveLength(3)
    })
  )

  it.effect("what has expired is forgotten, no more than asked for at a time", () =>
    Effect.gen(function* () {
      const store = yield* RevocationStore
      const day = freshDay()
      const expiry = (hours: number) => DateTime.subtract(noon, { hours })
      for (const hours of [3, 2, 1]) yield* store.save(ofUser({ expiresAt: expiry(hours) }), freshId(), day)
      const left = Effect.map(store.changes({ changedAt: day, id: "" }, 9), (changes) =>
        changes.map(({ revocation }) => revocation.expiresAt)
      )
      expect(yield* store.forget(expiry(1.5), 1)).toBe(1)
      expect(yield* left).toEqual([expiry(2), expiry(1)])
      expect(yield* store.forget(expiry(1.5), 9)).toBe(1)
      expect(yield* store.forget(expiry(1.5), 9)).toBe(0)
      expect(yield* left).toEqual([expiry(1)])
      expect(yield* store.forget(expiry(1), 9)).toBe(1)
    })
  )
}
