import { DateTime, Duration } from "effect"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { FailureClass } from "../src/Delivery.ts"
import * as RetryPolicy from "../src/RetryPolicy.ts"

const now = DateTime.makeUnsafe("2026-01-31T10:00:00Z")

const failureOf = (more: Partial<RetryPolicy.Failure>): RetryPolicy.Failure => ({
  class: "transient",
  failures: 0,
  priority: "medium",
  since: now,
  random: 0.5,
  now,
  ...more
})

const decide = (more: Partial<RetryPolicy.Failure>, settings: Partial<RetryPolicy.RetrySettings> = {}) =>
  RetryPolicy.decide({ ...RetryPolicy.defaults, ...settings }, failureOf(more))

/** Milliseconds until the next try. */
const waitOf = (decision: RetryPolicy.Decision): number =>
  decision._tag === "Retry"
    ? DateTime.toEpochMillis(decision.at) - DateTime.toEpochMillis(now)
    : assert.fail(`no other try: ${decision._tag}`)

const waitAfter = (more: Partial<RetryPolicy.Failure>, settings: Partial<RetryPolicy.RetrySettings> = {}): number =>
  waitOf(decide(more, settings))

const settingsOf: fc.Arbitrary<RetryPolicy.RetrySettings> = fc
  .record({
    tries: fc.integer({ min: 1, max: 12 }),
    base: fc.nat(10_000),
    cap: fc.nat(3_600_000),
    most: fc.nat(7_200_000)
  })
  .map(({ base, cap, most, tries }) => ({
    ...RetryPolicy.defaults,
    tries,
    base: Duration.millis(base),
    cap: Duration.millis(cap),
    maxRetryAfter: Duration.millis(most)
  }))

/** 0 to 1, both included. */
const randoms = fc.integer({ min: 0, max: 1_000_000 }).map((value) => value / 1_000_000)

const retried: ReadonlyArray<readonly [FailureClass, number, string]> = [
  ["transient", 1, "tries_exhausted"],
  ["unreachable", 1, "unreachable"],
  ["throttled", 4, "throttled"]
]

describe("RetryPolicy.decide", () => {
  it("gives a message up at once that will never be taken", () => {
    assert.deepStrictEqual(decide({ class: "permanent", retryAfter: Duration.seconds(1), priority: "high" }), {
      _tag: "Dead",
      reason: "permanent"
    })
  })

  it("waits up to 2, 4, 8 and 16 seconds, and makes five tries", () => {
    assert.deepStrictEqual(
      [0, 1, 2, 3].map((failures) => waitAfter({ failures, random: 1 })),
      [2_000, 4_000, 8_000, 16_000]
    )
    assert.deepStrictEqual(decide({ failures: 4 }), { _tag: "Dead", reason: "tries_exhausted" })
  })

  it("never waits longer than the cap, nor less than a tenth of a second", () => {
    assert.strictEqual(waitAfter({ failures: 3, random: 1 }, { cap: Duration.seconds(5) }), 5_000)
    assert.strictEqual(waitAfter({ failures: 900, random: 1 }, { tries: 1_000 }), 600_000)
    assert.strictEqual(waitAfter({ failures: 2_000, random: 1 }, { tries: 3_000 }), 600_000)
    assert.strictEqual(waitAfter({ random: 0 }), 100)
  })

  it("waits as long as the provider asks, if that is longer, up to an hour", () => {
    for (const failureClass of ["throttled", "transient"] as const) {
      const asked = (retryAfter: Duration.Duration) => waitAfter({ class: failureClass, random: 1, retryAfter })
      assert.strictEqual(asked(Duration.seconds(1)), 2_000)
      assert.strictEqual(asked(Duration.seconds(30)), 30_000)
      assert.strictEqual(asked(Duration.hours(5)), 3_600_000)
      assert.strictEqual(asked(Duration.infinity), 3_600_000)
      assert.strictEqual(asked(Duration.seconds(-5)), 2_000)
    }
  })

  it("gives a throttled delivery four times the tries, in one count with its other failures", () => {
    assert.strictEqual(decide({ class: "throttled", failures: 18 })._tag, "Retry")
    assert.deepStrictEqual(decide({ class: "throttled", failures: 19 }), { _tag: "Dead", reason: "throttled" })
    assert.deepStrictEqual(decide({ class: "transient", failures: 18 }), { _tag: "Dead", reason: "tries_exhausted" })
  })

  it("passes over who cannot be reached, unless it matters: then it tries again, and the delivery dies", () => {
    for (const priority of ["medium", "low"] as const) {
      assert.deepStrictEqual(decide({ class: "unreachable", priority }), { _tag: "Skipped", reason: "unreachable" })
    }
    assert.strictEqual(waitAfter({ class: "unreachable", priority: "high", random: 1, failures: 1 }), 4_000)
    assert.deepStrictEqual(decide({ class: "unreachable", priority: "high", failures: 4 }), {
      _tag: "Dead",
      reason: "unreachable"
    })
  })

  it("holds what cannot go out because our account is refused, and lets it die after a day", () => {
    const held: RetryPolicy.Decision = { _tag: "Hold", until: DateTime.add(now, { seconds: 60 }) }
    const credentials = { class: "credentials", failures: 1_000 } as const
    const since = (ago: Duration.Duration) => DateTime.subtractDuration(now, ago)
    assert.deepStrictEqual(decide(credentials), held)
    assert.deepStrictEqual(decide({ ...credentials, since: since(Duration.millis(86_399_999)) }), held)
    assert.deepStrictEqual(decide({ ...credentials, since: since(Duration.days(1)) }), {
      _tag: "Dead",
      reason: "credentials"
    })
    const settings = { hold: Duration.seconds(5), holdFor: Duration.minutes(1) }
    assert.deepStrictEqual(decide(credentials, settings), { _tag: "Hold", until: DateTime.add(now, { seconds: 5 }) })
    assert.strictEqual(decide({ ...credentials, since: since(Duration.minutes(1)) }, settings)._tag, "Dead")
  })

  it("keeps every wait within its bounds", () => {
    fc.assert(
      fc.property(
        settingsOf,
        fc.nat(60),
        randoms,
        fc.option(fc.nat(10_000_000), { nil: undefined }),
        fc.constantFrom(...retried),
        (settings, failures, random, asked, [failureClass]) => {
          const retryAfter = asked === undefined ? undefined : Duration.millis(asked)
          const failure = failureOf({ class: failureClass, failures, random, priority: "high", retryAfter })
          const decision = RetryPolicy.decide(settings, failure)
          if (decision._tag !== "Retry") return
          const wait = waitOf(decision)
          const honoured = Math.min(asked ?? 0, Duration.toMillis(settings.maxRetryAfter))
          const ceiling = Math.min(
            Duration.toMillis(settings.cap),
            Duration.toMillis(settings.base) * 2 ** (failures + 1)
          )
          assert.isAtLeast(wait, Math.max(100, honoured))
          assert.isAtMost(wait, Math.max(100, honoured, ceiling))
        }
      )
    )
  })

  it("never shortens the longest wait from one failure to the next", () => {
    fc.assert(
      fc.property(settingsOf, fc.nat(40), (settings, failures) => {
        const most = (count: number) => waitAfter({ failures: count, random: 1 }, { ...settings, tries: 100 })
        assert.isAtLeast(most(failures + 1), most(failures))
        assert.isAtMost(most(failures), Math.max(100, Duration.toMillis(settings.cap)))
      })
    )
  })

  it("spreads the waits evenly over the whole range: half of it on average", () => {
    const waits = Array.from({ length: 10_000 }, (_, index) =>
      waitAfter({ failures: 3, random: (index + 0.5) / 10_000 })
    )
    const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length
    assert.approximately(mean, 8_000, 10)
    assert.strictEqual(waits.filter((wait) => wait <= 4_000).length, 2_500)
  })

  it("makes exactly so many tries as are set, and then ends", () => {
    fc.assert(
      fc.property(settingsOf, fc.constantFrom(...retried), (settings, [failureClass, factor, reason]) => {
        let tries = 1
        for (;;) {
          const failure = failureOf({ class: failureClass, failures: tries - 1, priority: "high" })
          const decision = RetryPolicy.decide(settings, failure)
          if (decision._tag !== "Retry") {
            assert.deepStrictEqual<unknown>(decision, { _tag: "Dead", reason })
            break
          }
          tries += 1
        }
        assert.strictEqual(tries, settings.tries * factor)
      })
    )
  })
})
