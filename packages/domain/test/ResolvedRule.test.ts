import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { ownOf, wishOf } from "../src/ChannelWish.ts"
import type { Preferences } from "../src/Preferences.ts"
import { categoryOf, resolve, stepsOf } from "../src/ResolvedRule.ts"
import type { DigestRule, RoutingPolicy, Rule, Step, ThrottleRule } from "../src/RoutingPolicy.ts"
import { builtIn, empty } from "../src/RoutingPolicy.ts"

const email: Step = { channel: "email", when: "unseen", afterSeconds: 600 }
const sms: Step = { channel: "sms", when: "always" }
const push: Step = { channel: "push", when: "unacknowledged" }
const digest: DigestRule = { channels: ["email"], windowSeconds: 60, per: "user", maxItems: 10 }
const throttle: ThrottleRule = { channels: ["sms"], limit: 1, windowSeconds: 60, per: "type" }

describe("ResolvedRule.resolve", () => {
  it("is Beckon's own where a tenant has set nothing", () => {
    assert.deepStrictEqual(resolve(empty, "order", "news"), {
      critical: false,
      steps: { fallback: [push], never: [], always: [{ channel: "push", when: "always" }] },
      digest: null,
      throttle: null
    })
  })

  it("takes each field from the most specific rule that has it", () => {
    const policy: RoutingPolicy = {
      defaults: { steps: [sms], digest, throttle },
      categories: { news: { steps: [email], digest: null, critical: true } },
      types: { order: { throttle: null, category: "news" }, parcel: { critical: false, steps: [] } }
    }
    const order = resolve(policy, "order", "news")
    assert.deepStrictEqual(
      [order.critical, order.steps.fallback, order.digest, order.throttle],
      [true, [email], null, null]
    )
    const parcel = resolve(policy, "parcel", "news")
    assert.deepStrictEqual(
      [parcel.critical, parcel.steps.fallback, parcel.digest, parcel.throttle],
      [false, [], null, throttle]
    )
    const other = resolve(policy, "other", undefined)
    assert.deepStrictEqual([other.critical, other.steps.fallback, other.digest], [false, [sms], digest])
  })

  it("goes by the names that a policy has itself, not by those that every object has", () => {
    for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
      const policy: RoutingPolicy = { types: {}, categories: {} }
      assert.deepStrictEqual(resolve(policy, name, name).steps.fallback, builtIn.steps)
      assert.isUndefined(categoryOf(policy, name, null))
      assert.isUndefined(ownOf({}, name))
      assert.strictEqual(
        wishOf({ channels: {}, mutedTypes: [], types: {}, categories: {} }, "push", name, name),
        "wanted"
      )
    }
  })

  it("answers the same for every name that a policy does not know, so that names cost no memory", () => {
    const policy: RoutingPolicy = { types: { order: { critical: true } }, categories: { news: { steps: [sms] } } }
    const rule = resolve(policy, "a", undefined)
    assert.strictEqual(resolve(policy, "b", "c"), rule)
    assert.notStrictEqual(resolve(policy, "b", "news"), rule)
    assert.notStrictEqual(resolve(policy, "order", undefined), rule)
    assert.strictEqual(resolve(policy, "order", "c"), resolve(policy, "order", undefined))
    assert.notStrictEqual(resolve({ ...policy }, "a", undefined), rule)
  })
})

describe("ResolvedRule.categoryOf", () => {
  it("is the sender's, else that of the rule of the type", () => {
    const policy: RoutingPolicy = { types: { order: { category: "news" } } }
    assert.strictEqual(categoryOf(policy, "order", { category: "mine" }), "mine")
    assert.strictEqual(categoryOf(policy, "order", {}), "news")
    assert.strictEqual(categoryOf(policy, "order", null), "news")
    assert.isUndefined(categoryOf(policy, "other", undefined))
  })
})

describe("ResolvedRule.stepsOf", () => {
  const rule = resolve(
    { defaults: { steps: [push, email, { ...push, when: "unseen", afterSeconds: 60 }] } },
    "order",
    undefined
  )

  it("leaves push, takes it away, or puts one at once in its place", () => {
    assert.strictEqual(stepsOf(rule, "fallback", null).length, 3)
    assert.deepStrictEqual(stepsOf(rule, "never", {}), [email])
    assert.deepStrictEqual(stepsOf(rule, "always", null), [{ channel: "push", when: "always" }, email])
    const silent = resolve({ defaults: { steps: [] } }, "order", undefined)
    assert.deepStrictEqual(stepsOf(silent, "always", null), [{ channel: "push", when: "always" }])
  })

  it("are exactly the channels that the sender named, whatever is said about push", () => {
    for (const policy of ["fallback", "never", "always"] as const) {
      assert.deepStrictEqual(stepsOf(rule, policy, { channels: ["in_app", "push", "sms"] }), [
        { channel: "push", when: "always" },
        { channel: "sms", when: "always" }
      ])
      assert.deepStrictEqual(stepsOf(rule, policy, { channels: ["in_app"] }), [])
    }
  })
})

describe("ChannelWish.wishOf", () => {
  const wish = (preferences: Partial<Preferences>) =>
    wishOf({ channels: {}, mutedTypes: [], ...preferences }, "push", "order", "news")

  it("is wanted by who says nothing", () => {
    assert.strictEqual(wishOf(undefined, "push", "order", "news"), "wanted")
    assert.strictEqual(wish({}), "wanted")
    assert.strictEqual(wish({ channels: { email: false }, mutedTypes: ["other"] }), "wanted")
  })

  it("goes by the most specific word, whichever way it turns", () => {
    const words: ReadonlyArray<readonly [Partial<Preferences>, string]> = [
      [{ channels: { push: false } }, "switched_off"],
      [{ categories: { news: { push: false } } }, "switched_off"],
      [{ mutedTypes: ["order"] }, "muted"],
      [{ types: { order: { push: false } } }, "switched_off"]
    ]
    words.forEach(([word, expected]) => assert.strictEqual(wish(word), expected))
    const on = { channels: { push: true }, categories: { news: { push: true } }, types: { order: { push: true } } }
    assert.strictEqual(wish({ channels: { push: false }, categories: on.categories }), "wanted")
    assert.strictEqual(wish({ channels: on.channels, categories: { news: { push: false } } }), "switched_off")
    assert.strictEqual(wish({ channels: on.channels, categories: on.categories, mutedTypes: ["order"] }), "muted")
    assert.strictEqual(wish({ mutedTypes: ["order"], types: on.types }), "wanted")
    assert.strictEqual(wish({ mutedTypes: ["order"], types: { order: { email: true } } }), "muted")
    assert.strictEqual(wish({ ...on, mutedTypes: [], types: { order: { push: false } } }), "switched_off")
  })

  it("says nothing by category about a notification that has none", () => {
    const preferences: Preferences = { channels: {}, mutedTypes: [], categories: { undefined: { push: false } } }
    assert.strictEqual(wishOf(preferences, "push", "order", undefined), "wanted")
  })
})

describe("ResolvedRule.resolve, of any policy", () => {
  it("says of each field what looking from the most specific rule downwards says", () => {
    const rules: fc.Arbitrary<Rule> = fc.record(
      {
        critical: fc.boolean(),
        steps: fc.subarray([push, email, sms]),
        digest: fc.constantFrom(null, digest),
        throttle: fc.constantFrom(null, throttle)
      },
      { requiredKeys: [] }
    )
    const maybe = fc.option(rules, { nil: undefined })
    fc.assert(
      fc.property(maybe, maybe, maybe, (ofType, ofCategory, defaults) => {
        const policy: RoutingPolicy = {
          ...(defaults === undefined ? {} : { defaults }),
          ...(ofCategory === undefined ? {} : { categories: { news: ofCategory } }),
          ...(ofType === undefined ? {} : { types: { order: ofType } })
        }
        const found = resolve(policy, "order", "news")
        const layers = [ofType, ofCategory, defaults, builtIn]
        const expected = <Field extends keyof Rule>(field: Field) =>
          layers.flatMap((rule) => (rule === undefined || !(field in rule) ? [] : [rule[field]]))[0]
        assert.strictEqual(found.critical, expected("critical") ?? false)
        assert.deepStrictEqual(found.steps.fallback, expected("steps"))
        assert.deepStrictEqual(found.digest, expected("digest") ?? null)
        assert.deepStrictEqual(found.throttle, expected("throttle") ?? null)
        assert.strictEqual(resolve(policy, "order", "news"), found)
      })
    )
  })
})
