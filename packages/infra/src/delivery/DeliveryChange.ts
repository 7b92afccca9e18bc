/**
 * What a report or news of a provider change about a delivery: pure, and the same for every store.
 *
 * **Details**
 *
 * Whoever calls holds the lock of the delivery from reading `DeliveryCore` until the change is saved.
 */
import { canMove } from "@beckon/domain/Delivery"
import type { Delivery, ProviderEvent } from "@beckon/domain/Delivery"
import type { Report } from "@beckon/domain/ports/DeliveryStore"

/** The part of a delivery that changes after it was claimed. Times are milliseconds since 1970. */
export interface DeliveryCore extends Pick<
  Delivery,
  "state" | "attempts" | "failures" | "provider" | "providerMessageId" | "reason" | "detail" | "resolution"
> {
  readonly dueAt: number
  /** Who has claimed it; null also when he has given it back. */
  readonly worker: string | null
  /** The number of the last claim. */
  readonly claims: number
  /** Claims since the last report of one that was held. */
  readonly unreported: number
  readonly progress: ReadonlyArray<string> | null
}

const sent = (core: DeliveryCore, provider: string, providerMessageId: string | null): DeliveryCore => {
  // What the provider calls it stays with the first send: its callbacks come under that name.
  const named =
    core.providerMessageId === null ? { ...core, provider, providerMessageId: providerMessageId } : { ...core }
  return canMove(core.state, "sent") ? { ...named, state: "sent", reason: null, detail: null } : named
}

/** A lease is held while its claim is the last one, no outcome of it is known, and the worker has not given it back. */
export const isHeld = (
  { claims, state, worker }: Pick<DeliveryCore, "claims" | "state" | "worker">,
  claim: number
): boolean => state === "sending" && worker !== null && claims === claim

/** The delivery after a report; the same object when the report changes nothing. */
export const afterReport = (core: DeliveryCore, report: Report): DeliveryCore => {
  const { attempts, result } = report
  const held = isHeld(core, report.attempt)
  const reported = { ...core, unreported: 0 }
  if (result._tag === "Sent") return sent(held ? reported : core, result.provider, result.providerMessageId)
  if (!held) return core
  const provider = core.providerMessageId === null ? (attempts.at(-1)?.provider ?? core.provider) : core.provider
  switch (result._tag) {
    case "Failed":
      return {
        ...reported,
        state: "failed",
        dueAt: result.retryAt.epochMilliseconds,
        failures: core.failures + 1,
        provider,
        reason: result.reason,
        detail: result.detail,
        progress: result.progress ?? core.progress
      }
    case "Dead":
      return {
        ...reported,
        state: "dead",
        failures: core.failures + (attempts.length > 0 ? 1 : 0),
        provider,
        reason: result.reason,
        detail: result.detail
      }
    case "Skipped":
      return { ...reported, state: "skipped", reason: result.reason, detail: null }
    case "Postponed":
      return {
        ...reported,
        dueAt: result.until.epochMilliseconds,
        attempts: attempts.length === 0 ? core.attempts - 1 : core.attempts,
        worker: null,
        reason: result.reason,
        detail: null
      }
  }
}

/** The delivery after news of a provider; the same object when they change nothing. A dead one that was dealt with stays dead. */
export const afterEvent = (
  core: DeliveryCore,
  { code, detail, state }: Pick<ProviderEvent, "state" | "code" | "detail">
): DeliveryCore =>
  state === null || core.resolution !== null || !canMove(core.state, state)
    ? core
    : { ...core, state, reason: code, detail }
