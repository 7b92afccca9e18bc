/**
 * The head of a request: its headers as a record, and the limits that the head alone can break.
 */
import type { HttpRequest } from "uWebSockets.js"
import type { Problem } from "./UwsProblem.ts"
import type { UwsLimits } from "./UwsServer.ts"

export interface RequestHead {
  readonly headers: Record<string, string>
  readonly bytes: number
  readonly count: number
  /** The same framing header twice with different values, or one that no server may guess about. */
  readonly ambiguous: boolean
}

// RFC 9110 §5.3 lets a recipient join repeated fields with a comma only where the field is a list; Node keeps the first
// of these as well.
const single = new Set([
  "authorization",
  "content-length",
  "content-type",
  "from",
  "host",
  "if-modified-since",
  "if-unmodified-since",
  "location",
  "max-forwards",
  "origin",
  "proxy-authorization",
  "referer",
  "sec-websocket-key",
  "user-agent"
])

/** Copies the headers of `req`, which is only valid while the native handler runs. */
export const readHead = (req: HttpRequest, targetLength: number): RequestHead => {
  const headers: Record<string, string> = {}
  let bytes = targetLength
  let count = 0
  let ambiguous = false
  req.forEach((name, value) => {
    count++
    bytes += name.length + value.length + 4
    const before = headers[name]
    if (before === undefined) headers[name] = value
    else if (name === "content-length") ambiguous ||= before !== value
    else if (!single.has(name)) headers[name] = `${before}${name === "cookie" ? "; " : ", "}${value}`
  })
  const coding = headers["transfer-encoding"]
  if (coding !== undefined && coding.toLowerCase() !== "chunked") ambiguous = true
  return { headers, bytes, count, ambiguous }
}

/** True when the head announces a body. */
export const hasBody = (headers: Readonly<Record<string, string>>): boolean => {
  const length = headers["content-length"]
  return length === undefined ? headers["transfer-encoding"] !== undefined : Number(length) > 0
}

export const bodyTooLarge = (limits: UwsLimits): Problem => ({
  status: 413,
  detail: `The request body is larger than ${limits.maxBodyBytes} bytes.`,
  limit: { name: "maxBodyBytes", value: limits.maxBodyBytes }
})

/** Why a request cannot be taken, when its head already tells. */
export const refuseHead = (head: RequestHead, limits: UwsLimits): Problem | undefined => {
  if (head.ambiguous) return { status: 400, detail: "The length of the request body is ambiguous." }
  if (head.count > limits.maxHeaderCount) {
    return {
      status: 431,
      detail: `The request has more than ${limits.maxHeaderCount} headers.`,
      limit: { name: "maxHeaderCount", value: limits.maxHeaderCount }
    }
  }
  if (head.bytes > limits.maxHeaderBytes) {
    return {
      status: 431,
      detail: `The request head is larger than ${limits.maxHeaderBytes} bytes.`,
      limit: { name: "maxHeaderBytes", value: limits.maxHeaderBytes }
    }
  }
  const length = head.headers["content-length"]
  return length !== undefined && Number(length) > limits.maxBodyBytes ? bodyTooLarge(limits) : undefined
}
