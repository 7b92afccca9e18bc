/**
 * Answers that the adapter gives itself, before or beside effect/http: `application/problem+json` (RFC 9457).
 */
import * as ProblemDetails from "effect/http/ProblemDetails"
import { STATUS_CODES } from "node:http"
import type { HttpResponse } from "uWebSockets.js"

export interface Problem {
  readonly status: number
  readonly detail: string
  /** The setting that was exceeded and its value, when there is one. */
  readonly limit?: { readonly name: string; readonly value: number }
  readonly headers?: Readonly<Record<string, string>>
}

export const statusLine = (status: number, text?: string): string =>
  `${status} ${text ?? STATUS_CODES[status] ?? "Unknown"}`

export const problemDetails = (problem: Problem): ProblemDetails.ProblemDetails => ({
  type: ProblemDetails.blankType,
  status: problem.status,
  title: STATUS_CODES[problem.status] ?? "Error",
  detail: problem.detail,
  ...(problem.limit === undefined ? {} : { limit: problem.limit.name, [problem.limit.name]: problem.limit.value })
})

/** Writes status, headers and `details` and ends; the caller knows that `res` is alive and nothing was written. */
export const endWithProblem = (
  res: HttpResponse,
  status: number,
  details: object,
  options: { readonly headers?: Readonly<Record<string, string>> | undefined; readonly close: boolean }
): void => {
  res.cork(() => {
    writeProblemHead(res, status, options.headers)
    res.end(JSON.stringify(details), options.close)
  })
}

/** The head of a problem answer, for a caller that sends the body itself. */
export const writeProblemHead = (
  res: HttpResponse,
  status: number,
  headers: Readonly<Record<string, string>> | undefined
): void => {
  res.writeStatus(statusLine(status)).writeHeader("content-type", ProblemDetails.contentType)
  for (const name in headers) {
    const value = headers[name]
    if (value !== undefined && isFieldName(name) && isFieldValue(value)) res.writeHeader(name, value)
  }
}

const fieldName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const badFieldValue = /[^\t\x20-\x7e\x80-\xff]/
const nonAscii = /[\x80-\xff]/

/** RFC 9110 §5.1 token: the binding writes any bytes it is given, so that names must be checked before. */
export const isFieldName = (name: string): boolean => fieldName.test(name)

/** RFC 9110 §5.5: no CR, LF, NUL or other control characters, nothing outside Latin-1. */
export const isFieldValue = (value: string): boolean => !badFieldValue.test(value)

/** Header values go out as Latin-1 like Node's; the binding would write a string as UTF-8. */
export const fieldValueBytes = (value: string): string | Uint8Array =>
  nonAscii.test(value) ? new Uint8Array(Buffer.from(value, "latin1")) : value
