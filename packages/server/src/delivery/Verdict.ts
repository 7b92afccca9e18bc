/**
 * What is reported of a delivery after a try: a pure function of what was claimed and of what providers said.
 *
 * **Details**
 *
 * A push goes to every device of its user. It is sent when one of them has it and none is worth another try; while some are, the
 * ones that have it are remembered and only the others are tried again.
 */
import { DateTime, Duration } from "effect"
import type { DeliveryChannel, FailureClass, SendOutcome } from "@beckon/domain/Delivery"
import type { Claimed, Report } from "@beckon/domain/ports/DeliveryStore"
import * as RetryPolicy from "@beckon/domain/RetryPolicy"
import type { Composed, Part } from "./Composer.ts"
import type { DeliverySettingsShape } from "./DeliverySettings.ts"
import type { Sent, Try } from "./Sending.ts"

export interface Moment {
  readonly settings: Pick<DeliverySettingsShape, "tries" | "retryBase" | "credentialsHold">
  readonly now: DateTime.Utc
  /** From 0 to 1. */
  readonly random: number
}

type Result = Report["result"]

interface Failure {
  readonly class: FailureClass
  readonly code: string
  readonly detail: string | null
  readonly retryAfter?: Duration.Duration | undefined
}

/** A receiver may be out of order for a night (Standard Webhooks, "Retries"): the waits add up to as long as 15 hours. */
const webhookDefaults = { ...RetryPolicy.defaults, tries: 16, cap: Duration.hours(6) }

const retrySettings = (channel: DeliveryChannel, { settings }: Moment): RetryPolicy.RetrySettings => ({
  ...(channel === "webhook" ? webhookDefaults : RetryPolicy.defaults),
  ...(settings.tries[channel] === undefined ? {} : { tries: settings.tries[channel] }),
  base: settings.retryBase,
  hold: settings.credentialsHold
})

const priorityOf = ({ notifications }: Claimed) => notifications.at(-1)?.priority ?? "medium"

const afterFailure = (
  claimed: Claimed,
  failure: Failure,
  moment: Moment,
  progress: ReadonlyArray<string> = claimed.progress
): Result => {
  const decision = RetryPolicy.decide(retrySettings(claimed.delivery.channel, moment), {
    class: failure.class,
    failures: claimed.delivery.failures,
    retryAfter: failure.retryAfter,
    priority: priorityOf(claimed),
    since: claimed.since,
    random: moment.random,
    now: moment.now
  })
  switch (decision._tag) {
    case "Retry":
      return { _tag: "Failed", retryAt: decision.at, reason: failure.code, detail: failure.detail, progress }
    case "Hold":
      return { _tag: "Postponed", until: decision.until, reason: failure.code }
    case "Skipped":
      return { _tag: "Skipped", reason: failure.code }
    case "Dead":
      return { _tag: "Dead", reason: failure.code, detail: failure.detail }
  }
}

/** Of several failures the one that leaves most hope: there is something to wait for. */
const hope: Readonly<Record<FailureClass, number>> = {
  transient: 5,
  throttled: 4,
  credentials: 3,
  permanent: 2,
  unreachable: 1
}

const isWorthATry = (outcome: SendOutcome | undefined): boolean =>
  outcome === undefined || (outcome._tag === "Failed" && hope[outcome.class] >= hope.credentials)

const lastOf = (sent: Sent): Try | undefined => sent.tries.at(-1)

const attemptOf = ({ at, durationMs, outcome, provider }: Try): Report["attempts"][number] => ({
  provider,
  outcome: outcome._tag === "Sent" ? "sent" : outcome.class,
  code: outcome.code ?? null,
  detail: outcome._tag === "Sent" ? null : outcome.detail,
  durationMs,
  at
})

const noProvider: Failure = { class: "permanent", code: "no_provider", detail: "No provider takes this message" }

/** Nobody was asked: no failure. After a day it is a dead letter, for people to look at and to replay. */
const postponed = (claimed: Claimed, reason: string, retryAfter: number, { now, random }: Moment): Result => {
  const isTooLate =
    reason !== "rate_limited" &&
    DateTime.isGreaterThanOrEqualTo(now, DateTime.addDuration(claimed.since, RetryPolicy.defaults.holdFor))
  if (isTooLate) return { _tag: "Dead", reason, detail: "No provider could be asked for a day" }
  const until = DateTime.add(now, { milliseconds: Math.ceil(retryAfter * (1 + random / 10)) })
  return { _tag: "Postponed", until, reason }
}

/** Over the parts of one delivery: what is left to do, or how it ended. */
const resultOf = (claimed: Claimed, parts: ReadonlyArray<Part>, sent: ReadonlyArray<Sent>, moment: Moment): Result => {
  const wins = sent.flatMap((one) => {
    const last = lastOf(one)
    return last?.outcome._tag === "Sent" ? [{ provider: last.provider, id: last.outcome.providerMessageId }] : []
  })
  const done = parts.flatMap(({ device }, index) => {
    const one = sent[index]
    const isDone = one !== undefined && lastOf(one)?.outcome._tag === "Sent"
    return device !== undefined && isDone ? [device.hash] : []
  })
  const progress = [...claimed.progress, ...done]
  const win = wins[0]
  const success: Result | undefined =
    win !== undefined
      ? { _tag: "Sent", provider: win.provider, providerMessageId: win.id }
      : claimed.progress.length > 0
        ? { _tag: "Sent", provider: claimed.delivery.provider ?? "push", providerMessageId: null }
        : undefined

  const open = sent.filter((one) => isWorthATry(lastOf(one)?.outcome))
  const asked = open.flatMap((one) => lastOf(one) ?? [])
  const failures = sent.flatMap((one) => {
    const outcome = lastOf(one)?.outcome
    return outcome?._tag === "Failed" ? [outcome] : []
  })
  if (open.length === 0) {
    const worst = failures.toSorted((left, right) => hope[right.class] - hope[left.class])[0]
    return success ?? afterFailure(claimed, worst ?? noProvider, moment)
  }
  const waits = open.flatMap((one) => (one.notAsked === undefined ? [] : [one.notAsked]))
  const wait = waits.toSorted((left, right) => left.retryAfter - right.retryAfter)[0]
  // Nobody was asked for any of them, so the try does not count; unless some device has it now, which must be remembered.
  if (asked.length === 0 && wait !== undefined && done.length === 0) {
    const waiting = postponed(claimed, wait.reason, wait.retryAfter, moment)
    return waiting._tag === "Dead" && success !== undefined ? success : waiting
  }
  const hopeful = asked
    .flatMap(({ outcome }) => (outcome._tag === "Failed" ? [outcome] : []))
    .toSorted((left, right) => hope[right.class] - hope[left.class])[0]
  const failure: Failure | undefined =
    hopeful ??
    (wait === undefined
      ? undefined
      : { class: "transient", code: wait.reason, detail: null, retryAfter: Duration.millis(wait.retryAfter) })
  const next = afterFailure(claimed, failure ?? noProvider, moment, progress)
  // No further try for the rest: those who have it make it a success. A hold would forget who has it.
  return success !== undefined && next._tag !== "Failed" ? success : next
}

/** The report of a delivery whose messages were handed to providers. `sent` is in the order of `parts`. */
export const ofSent = (
  claimed: Claimed,
  parts: ReadonlyArray<Part>,
  sent: ReadonlyArray<Sent>,
  moment: Moment
): Report => ({
  id: claimed.delivery.id,
  attempt: claimed.attempt,
  attempts: sent.flatMap(({ tries }) => tries.map(attemptOf)),
  result: sent.some(({ notAsked, tries }) => notAsked !== undefined || tries.length > 0)
    ? resultOf(claimed, parts, sent, moment)
    : afterFailure(claimed, noProvider, moment)
})

/** The report of a delivery that was not handed to anyone. */
export const ofUnsent = (
  claimed: Claimed,
  composed: Exclude<Composed, { readonly _tag: "Parts" }>,
  moment: Moment
): Report => {
  const report = (result: Result): Report => ({
    id: claimed.delivery.id,
    attempt: claimed.attempt,
    attempts: [],
    result
  })
  switch (composed._tag) {
    case "Skip":
      return report({ _tag: "Skipped", reason: composed.reason })
    case "Dead":
      return report({ _tag: "Dead", reason: composed.reason, detail: composed.detail })
    case "Wait":
      return report(postponed(claimed, composed.reason, Duration.toMillis(composed.retryAfter), moment))
    case "Unfit":
      return report(afterFailure(claimed, { class: "transient", code: composed.reason, detail: null }, moment))
    case "Unreachable":
      // All of his devices that were there have it.
      return report(
        claimed.progress.length > 0
          ? { _tag: "Sent", provider: claimed.delivery.provider ?? "push", providerMessageId: null }
          : afterFailure(claimed, { class: "unreachable", code: composed.reason, detail: null }, moment)
      )
  }
}
