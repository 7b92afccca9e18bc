import { DateTime, Duration } from "effect"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import type { SendOutcome } from "@beckon/domain/Delivery"
import { defaults } from "../../src/delivery/DeliverySettings.ts"
import type { Sent } from "../../src/delivery/Sending.ts"
import * as Verdict from "../../src/delivery/Verdict.ts"
import { claimed, failure, notAsked, notification, now, success, toAddress, toDevice, tried } from "./Fixture.ts"

const moment: Verdict.Moment = { settings: defaults, now, random: 0.5 }
const inMillis = (milliseconds: number) => DateTime.add(now, { milliseconds })

const alone = (sent: Sent, of: Parameters<typeof claimed>[0] = {}) =>
  Verdict.ofSent(claimed({ ...of, delivery: { channel: "sms", ...of.delivery } }), [toAddress], [sent], moment)

const toDevices = (outcomes: Readonly<Record<string, Sent>>, of: Parameters<typeof claimed>[0] = {}) =>
  Verdict.ofSent(claimed(of), Object.keys(outcomes).map(toDevice), Object.values(outcomes), moment).result

describe("Verdict.ofSent", () => {
  it("is sent by the provider that took it, and keeps every try", () => {
    const report = alone(tried(failure("transient"), success))
    assert.deepStrictEqual(report.result, { _tag: "Sent", provider: "p2", providerMessageId: "m-1" })
    assert.deepStrictEqual(report.attempts, [
      { provider: "p1", outcome: "transient", code: "transient", detail: "detail", durationMs: 1, at: now },
      { provider: "p2", outcome: "sent", code: null, detail: null, durationMs: 1, at: now }
    ])
  })

  it("tries again with full jitter, and is dead after the fifth failure", () => {
    const retryAt = (failures: number) => alone(tried(failure("transient")), { delivery: { failures } }).result
    const again = { _tag: "Failed" as const, reason: "transient", detail: "detail", progress: [] }
    assert.deepEqual(retryAt(0), { ...again, retryAt: inMillis(1_000) })
    assert.deepEqual(retryAt(3), { ...again, retryAt: inMillis(8_000) })
    assert.deepStrictEqual(retryAt(4), { _tag: "Dead", reason: "transient", detail: "detail" })
  })

  it("is tried as often as its channel's setting says", () => {
    const settings = { ...defaults, tries: { sms: 2 } }
    const after = (failures: number) =>
      Verdict.ofSent(claimed({ delivery: { channel: "sms", failures } }), [toAddress], [tried(failure("transient"))], {
        ...moment,
        settings
      }).result._tag
    assert.deepStrictEqual([after(0), after(1)], ["Failed", "Dead"])
  })

  it("tries a webhook for many hours", () => {
    const failures = Array.from({ length: 20 }, (_, index) => index)
    const results = failures.map(
      (index) => alone(tried(failure("transient")), { delivery: { channel: "webhook", failures: index } }).result
    )
    assert.strictEqual(results.filter(({ _tag }) => _tag === "Failed").length, 15)
    const waits = results.flatMap((one) =>
      one._tag === "Failed" ? [one.retryAt.epochMilliseconds - now.epochMilliseconds] : []
    )
    assert.isAbove(
      waits.reduce((sum, wait) => sum + wait, 0),
      Duration.toMillis(Duration.hours(7))
    )
  })

  it("waits as long as the provider asks", () => {
    const result = alone(tried(failure("throttled", { retryAfter: Duration.seconds(90) }))).result
    assert.strictEqual(
      result._tag === "Failed" && DateTime.toEpochMillis(result.retryAt),
      inMillis(90_000).epochMilliseconds
    )
  })

  it("is dead at once when the message is refused, and skipped when the address is dead", () => {
    assert.strictEqual(alone(tried(failure("permanent"))).result._tag, "Dead")
    assert.deepStrictEqual(alone(tried(failure("unreachable"))).result, { _tag: "Skipped", reason: "unreachable" })
  })

  it("tries what is of high priority and reached nobody again", () => {
    const notifications = [notification({ priority: "high" })]
    assert.strictEqual(alone(tried(failure("unreachable")), { notifications }).result._tag, "Failed")
    assert.strictEqual(
      alone(tried(failure("unreachable")), { notifications, delivery: { failures: 4 } }).result._tag,
      "Dead"
    )
  })

  it("waits without burning a try while the credentials are refused, a day at most", () => {
    const refused = tried(failure("credentials"))
    assert.deepStrictEqual(alone(refused, { delivery: { failures: 4 } }).result, {
      _tag: "Postponed",
      until: inMillis(60_000),
      reason: "credentials"
    })
    assert.strictEqual(alone(refused, { since: DateTime.subtract(now, { hours: 24 }) }).result._tag, "Dead")
  })

  it("is postponed when nobody was asked", () => {
    const report = alone(notAsked("breaker_open", 10_000))
    assert.deepStrictEqual(report.result, { _tag: "Postponed", until: inMillis(10_500), reason: "breaker_open" })
    assert.deepStrictEqual(report.attempts, [])
  })

  it("does not wait for a circuit for longer than a day", () => {
    const since = DateTime.subtract(now, { hours: 24 })
    const { result } = alone(notAsked("breaker_open", 10_000), { since })
    assert.deepInclude(result, { _tag: "Dead", reason: "breaker_open" })
  })

  it("is dead when no provider takes such a message", () => {
    assert.deepStrictEqual(alone({ tries: [], notAsked: undefined }).result, {
      _tag: "Dead",
      reason: "no_provider",
      detail: "No provider takes this message"
    })
  })

  it("is sent to a user when one device has it and the others are dead", () => {
    const result = toDevices({ a: tried(failure("unreachable")), b: tried(success), c: tried(failure("permanent")) })
    assert.strictEqual(result._tag, "Sent")
  })

  it("tries only the devices again that do not have it", () => {
    const first = toDevices({ a: tried(success), b: tried(failure("transient")) })
    assert.deepInclude(first, { _tag: "Failed", progress: ["a"] })
    const second = toDevices({ b: tried(success) }, { progress: ["a"], delivery: { failures: 1 } })
    assert.strictEqual(second._tag, "Sent")
  })

  it("is sent when the last try fails and an earlier one reached a device", () => {
    const last = { progress: ["a"], delivery: { failures: 4 } }
    assert.strictEqual(toDevices({ b: tried(failure("transient")) }, last)._tag, "Sent")
    assert.strictEqual(toDevices({ b: tried(failure("unreachable")) }, { progress: ["a"] })._tag, "Sent")
  })

  it("remembers who has it when another device's provider is not to be asked", () => {
    const result = toDevices({ a: tried(success), b: notAsked("breaker_open", 30_000) })
    assert.deepInclude(result, { _tag: "Failed", progress: ["a"], reason: "breaker_open" })
  })

  const outcomes: fc.Arbitrary<SendOutcome> = fc.constantFrom(
    success,
    failure("transient"),
    failure("throttled"),
    failure("permanent"),
    failure("unreachable"),
    failure("credentials")
  )
  const sents: fc.Arbitrary<Sent> = fc.oneof(
    fc.array(outcomes, { minLength: 1, maxLength: 3 }).map((all) => tried(...all)),
    fc.constantFrom(notAsked("breaker_open", 1_000), notAsked("rate_limited", 50))
  )

  it("never forgets a device that has it, never sends to it again, and always ends", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(sents, { minLength: 4, maxLength: 4 }), { minLength: 40, maxLength: 40 }),
        fc.constantFrom("high" as const, "low" as const),
        (rounds, priority) => {
          let progress: ReadonlyArray<string> = []
          let failures = 0
          let since = now
          let at = now
          for (const round of rounds) {
            const left = ["a", "b", "c", "d"].filter((hash) => !progress.includes(hash))
            const of = { progress, since, notifications: [notification({ priority })], delivery: { failures } }
            const sent = round.slice(0, left.length)
            const { result } =
              left.length === 0
                ? Verdict.ofUnsent(claimed(of), { _tag: "Unreachable", reason: "no_device" }, { ...moment, now: at })
                : Verdict.ofSent(claimed(of), left.map(toDevice), sent, { ...moment, now: at })
            const reached = left.filter((_, index) => sent[index]?.tries.at(-1)?.outcome._tag === "Sent")
            if (result._tag === "Failed") {
              assert.sameMembers([...(result.progress ?? [])], [...progress, ...reached])
              progress = result.progress ?? []
              failures += 1
              at = result.retryAt
            } else if (result._tag === "Postponed") {
              assert.deepStrictEqual(reached, [])
              at = result.until
            } else {
              const anyone = progress.length > 0 || reached.length > 0
              assert.strictEqual(result._tag === "Sent", anyone)
              return
            }
          }
          // Only waiting for circuits and credentials may go on for long.
          assert.isBelow(failures, 21)
        }
      )
    )
  })
})

describe("Verdict.ofUnsent, of users who cannot be asked for", () => {
  const wait = { _tag: "Wait", reason: "recipients_away", retryAfter: Duration.seconds(10) } as const

  it("waits as long as it makes sense, and costs no try", () => {
    const { attempts, result } = Verdict.ofUnsent(claimed(), wait, moment)
    assert.deepStrictEqual(attempts, [])
    assert.deepStrictEqual(result, { _tag: "Postponed", until: inMillis(10_500), reason: "recipients_away" })
  })

  it("is a dead letter after a day", () => {
    const { result } = Verdict.ofUnsent(claimed(), wait, { ...moment, now: DateTime.add(now, { days: 1 }) })
    assert.deepInclude(result, { _tag: "Dead", reason: "recipients_away" })
  })
})
