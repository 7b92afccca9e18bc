/**
 * What is to be done after a try that failed, by the class of the failure.
 *
 * **Details**
 *
 * | class | what follows |
 * |---|---|
 * | `permanent` | dead at once |
 * | `unreachable` | skipped; with the priority `high` it is tried again like `transient`, and then dead |
 * | `throttled` | again after what the provider asks for, or the backoff if that is longer; dead after four times the tries |
 * | `transient` | again after the backoff, or what the provider asks for if that is longer; dead after the tries |
 * | `credentials` | held, however often it failed; dead when it has been held too long |
 *
 * The backoff after the n-th failure is random between 0 and `base × 2^n`, at most `cap` (full jitter), and never less than 100 ms. What
 * a provider asks for is honoured up to `maxRetryAfter`.
 *
 * **Gotchas**
 *
 * There is one count of failures, and throttled tries are in it: a delivery that was throttled as often as its tries and then fails
 * otherwise is dead.
 */
import { DateTime, Duration } from "effect"
import type { FailureClass } from "./Delivery.ts"
import type { Priority } from "./Notification.ts"

/** Of one channel. */
export interface RetrySettings {
  /** Tries of one delivery, the first included. */
  readonly tries: number
  /** The wait before the second try is at most twice this. */
  readonly base: Duration.Duration
  /** The longest wait that the backoff gives. */
  readonly cap: Duration.Duration
  /** The longest wait that a provider is given. */
  readonly maxRetryAfter: Duration.Duration
  /** How long an account is left alone that was refused. */
  readonly hold: Duration.Duration
  /** How long deliveries wait for an account that is refused. */
  readonly holdFor: Duration.Duration
}

export const defaults: RetrySettings = {
  tries: 5,
  base: Duration.seconds(1),
  cap: Duration.minutes(10),
  maxRetryAfter: Duration.hours(1),
  hold: Duration.seconds(60),
  holdFor: Duration.hours(24)
}

export interface Failure {
  readonly class: FailureClass
  /** Failures that were counted before this one. */
  readonly failures: number
  /** What the provider's `Retry-After` said. */
  readonly retryAfter?: Duration.Duration | undefined
  /** Of the notification. */
  readonly priority: Priority
  /** Since when the delivery could have gone out: its first try, not its making, which may lie days before. */
  readonly since: DateTime.Utc
  /** From 0 to 1. */
  readonly random: number
  readonly now: DateTime.Utc
}

export type Decision =
  | { readonly _tag: "Retry"; readonly at: DateTime.Utc }
  | {
      readonly _tag: "Dead"
      readonly reason: "permanent" | "tries_exhausted" | "throttled" | "unreachable" | "credentials"
    }
  /** It does not count as a failure. */
  | { readonly _tag: "Hold"; readonly until: DateTime.Utc }
  | { readonly _tag: "Skipped"; readonly reason: "unreachable" }

/** A provider that asks to slow down is no reason to give up: it gets more tries. */
const throttledFactor = 4

const minWait = Duration.millis(100)

const waitOf = (settings: RetrySettings, { failures, random, retryAfter }: Failure): number => {
  const ceiling = Math.min(Duration.toMillis(settings.cap), Duration.toMillis(settings.base) * 2 ** (failures + 1))
  const asked = Math.min(Duration.toMillis(retryAfter ?? Duration.zero), Duration.toMillis(settings.maxRetryAfter))
  return Math.ceil(Math.max(Duration.toMillis(minWait), random * ceiling, asked))
}

/** What follows on this failure. A `Retry` counts it. */
export const decide = (settings: RetrySettings, failure: Failure): Decision => {
  const { now } = failure
  const again = (tries: number, reason: Extract<Decision, { _tag: "Dead" }>["reason"]): Decision =>
    failure.failures + 1 >= tries
      ? { _tag: "Dead", reason }
      : { _tag: "Retry", at: DateTime.add(now, { milliseconds: waitOf(settings, failure) }) }
  switch (failure.class) {
    case "permanent":
      return { _tag: "Dead", reason: "permanent" }
    case "unreachable":
      return failure.priority === "high"
        ? again(settings.tries, "unreachable")
        : { _tag: "Skipped", reason: "unreachable" }
    case "throttled":
      return again(settings.tries * throttledFactor, "throttled")
    case "transient":
      return again(settings.tries, "tries_exhausted")
    case "credentials":
      return DateTime.isGreaterThanOrEqualTo(now, DateTime.addDuration(failure.since, settings.holdFor))
        ? { _tag: "Dead", reason: "credentials" }
        : { _tag: "Hold", until: DateTime.addDuration(now, settings.hold) }
  }
}
