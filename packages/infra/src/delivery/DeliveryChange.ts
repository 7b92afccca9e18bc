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
  readonly progress: ReadonlyArray<string> | null
}

const sent = (core: DeliveryCore, provider: string, providerMessageId: string | null): DeliveryCore => {
  // What the provider calls it stays with the first send: its callbacks come under that name.
  const named =
    core.providerMessageId === null ? { ...core, provider, providerMessageId: providerMessageId } : { ...core }
  return canMove(core.state, "sent") ? { ...named, state: "sent", reason: null, detail: null } : named
}

/**
 * The delivery after a report; the same object when the report changes nothing.
 *
 * A lease is held while the number of the try is the last one begun and no outcome of it is known.
 */
export const afterReport = (core: DeliveryCore, report: Report): DeliveryCore => {
  const { attempts, result } = report
  if (result._tag === "Sent") return sent(core, result.provider, result.providerMessageId)
  if (core.state !== "sending" || core.attempts !== report.attempt) return core
  const provider = core.providerMessageId === null ? (attempts.at(-1)?.provider ?? core.provider) : core.provider
  switch (result._tag) {
    case "Failed":
      return {
        ...core,
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
        ...core,
        state: "dead",
        failures: core.failures + (attempts.length > 0 ? 1 : 0),
        provider,
        reason: result.reason,
        detail: result.detail
      }
    case "Skipped":
      return { ...core, state: "skipped", reason: result.reason, detail: null }
    case "Postponed":
      return {
        ...core,
        dueAt: result.until.epochMilliseconds,
        attempts: core.attempts - 1,
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
