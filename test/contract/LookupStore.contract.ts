import type { LookupInput } from "@beckon/domain/Lookup"
import { LookupStore, maxLookups } from "@beckon/domain/ports/LookupStore"
import type { LookupSeed } from "@beckon/domain/ports/LookupStore"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Array, Effect, Option } from "effect"
import { freshTenant, hoursAfterNoon, noon } from "./Fixtures.ts"

const food: LookupInput = {
  labels: { en: "Food", de: "Essen 👋" },
  attributes: { icon: "🍔", channels: ["push"], nested: { deep: [1, null] } },
  active: false,
  order: -5
}

const owner = () => ({ tenantId: freshTenant() })

export const lookupStoreContract = (it: Vitest.MethodsNonLive<LookupStore>) => {
  it.effect("a value is set, replaced whole and removed, for its owner and its kind only", () =>
    Effect.gen(function* () {
      const store = yield* LookupStore
      const [mine, other] = [owner(), owner()]
      expect(yield* store.list(mine, "categories")).toEqual([])
      const first = { code: "food", ...food, source: "tenant", updatedAt: noon }
      expect(yield* store.put(mine, "categories", "food", food, noon)).toEqual(Option.some(first))
      expect(yield* store.list(mine, "categories")).toEqual([first])
      expect(yield* store.list(mine, "priorities")).toEqual([])
      expect(yield* store.list(other, "categories")).toEqual([])
      const later = hoursAfterNoon(1)
      yield* store.put(mine, "categories", "food", { labels: { en: "Meals" } }, later)
      const second = {
        code: "food",
        labels: { en: "Meals" },
        attributes: {},
        active: true,
        order: 0,
        source: "tenant",
        updatedAt: later
      }
      expect(yield* store.list(mine, "categories")).toEqual([second])
      expect(yield* store.remove(other, "categories", "food")).toEqual(Option.none())
      expect(yield* store.remove(mine, "categories", "food")).toEqual(Option.some(second))
      expect(yield* store.remove(mine, "categories", "food")).toEqual(Option.none())
    })
  )

  it.effect("the deployment's are the deployment's", () =>
    Effect.gen(function* () {
      const store = yield* LookupStore
      const kind = `kind_${freshTenant().replaceAll("-", "_")}`
      const made = yield* store.put("platform", kind, "a", food, noon)
      expect(Option.map(made, ({ source }) => source)).toEqual(Option.some("platform"))
      expect(yield* store.list(owner(), kind)).toEqual([])
      expect((yield* store.list("platform", kind)).map(({ code }) => code)).toEqual(["a"])
    })
  )

  it.effect("an owner has at most 1,000 of a kind, and may change those", () =>
    Effect.gen(function* () {
      const store = yield* LookupStore
      const mine = owner()
      const seeds = Array.range(1, maxLookups).map((number): LookupSeed => ({
        kind: "many",
        code: `code-${number}`,
        labels: { en: "x" }
      }))
      yield* store.seed(mine, seeds, 1, noon)
      expect(yield* store.put(mine, "many", "one-more", food, noon)).toEqual(Option.none())
      expect(Option.isSome(yield* store.put(mine, "many", "code-7", food, noon))).toBe(true)
      expect(Option.isSome(yield* store.put(mine, "other", "one-more", food, noon))).toBe(true)
    })
  )

  it.effect("seeds write what is missing or of an earlier revision, and nothing that somebody has changed", () =>
    Effect.gen(function* () {
      const store = yield* LookupStore
      const mine = owner()
      const seeds = (label: string): ReadonlyArray<LookupSeed> =>
        ["a", "b", "c"].map((code) => ({ kind: "seeded", code, labels: { en: label }, order: 7 }))
      const labels = Effect.map(store.list(mine, "seeded"), (rows) =>
        Object.fromEntries(rows.map((row) => [row.code, row.labels["en"]]))
      )
      expect(yield* store.seed(mine, [], 1, noon)).toEqual([])
      expect(yield* store.seed(mine, seeds("one"), 1, noon)).toEqual(["seeded/a", "seeded/b", "seeded/c"])
      expect(yield* store.seed(mine, seeds("again"), 1, noon)).toEqual([])
      yield* store.put(mine, "seeded", "b", { labels: { en: "mine" } }, noon)
      yield* store.remove(mine, "seeded", "c")
      expect(yield* store.seed(mine, seeds("two"), 2, noon)).toEqual(["seeded/a", "seeded/c"])
      expect(yield* labels).toEqual({ a: "two", b: "mine", c: "two" })
      expect(yield* store.seed(mine, seeds("one"), 1, noon)).toEqual([])
      expect(yield* labels).toEqual({ a: "two", b: "mine", c: "two" })
    })
  )

  it.effect("of several who seed at once one writes each value", () =>
    Effect.gen(function* () {
      const store = yield* LookupStore
      const mine = owner()
      const seeds = Array.range(1, 50).map((number): LookupSeed => ({
        kind: `kind_${number % 5}`,
        code: `code-${number}`,
        labels: { en: "x" }
      }))
      const orders = [seeds, seeds.toReversed(), seeds, seeds.toReversed()]
      const written = yield* Effect.forEach(orders, (order) => store.seed(mine, order, 1, noon), {
        concurrency: "unbounded"
      })
      expect(written.flat()).toHaveLength(50)
    })
  )
}
