/**
 * Failures as the attempts of a delivery keep them: short, and without anything that opens a door.
 */
import type { Duration } from "effect"
import type { FailureClass, SendOutcome } from "@beckon/domain/Delivery"
import { PushRefused } from "@beckon/domain/ports/PushTopics"
import { deadlineCode } from "../push/BoundedAgent.ts"

export type Failed = Extract<SendOutcome, { readonly _tag: "Failed" }>

export const failed = (
  failureClass: FailureClass,
  code: string,
  detail: string,
  retryAfter?: Duration.Duration
): Failed => ({
  _tag: "Failed",
  class: failureClass,
  code: code.slice(0, 100),
  detail: detail.slice(0, 1_000),
  ...(retryAfter === undefined ? {} : { retryAfter })
})

/** The same as an error. */
export const refused = ({ class: failureClass, code, detail, retryAfter }: Failed): PushRefused =>
  new PushRefused({ class: failureClass, code, detail, ...(retryAfter === undefined ? {} : { retryAfter }) })

/** The same as an outcome. */
export const failedOf = ({ class: failureClass, code, detail, retryAfter }: PushRefused): Failed =>
  failed(failureClass, code, detail, retryAfter)

/** A status that is no verdict on the message, whatever the body says; `undefined` for every other. */
export const ofStatus = (status: number, code: string, detail: string, wait: Duration.Duration | undefined) => {
  if (status === 429) return failed("throttled", code, detail, wait)
  if (status === 408 || status >= 500 || (status >= 300 && status < 400)) return failed("transient", code, detail, wait)
  return undefined
}

export const timedOut = (): Failed => failed("transient", "timeout", "no whole answer within the time limit")

const codesOf = (cause: unknown, depth = 0): ReadonlyArray<string> => {
  if (!(cause instanceof Error) || depth > 5) return []
  const code = "code" in cause && typeof cause.code === "string" ? [cause.code] : []
  return [...code, ...codesOf(cause.cause, depth + 1)]
}

/** No whole answer came. Errors of sockets name addresses and ports only. */
export const unanswered = (cause: unknown): Failed => {
  const codes = codesOf(cause)
  if (codes.some((code) => code === deadlineCode || code === "ETIMEDOUT")) return timedOut()
  const socketCode = codes.findLast((code) => /^[A-Z][A-Z0-9_]+$/.test(code))
  return failed("transient", "connection", `the connection failed${socketCode === undefined ? "" : `: ${socketCode}`}`)
}
