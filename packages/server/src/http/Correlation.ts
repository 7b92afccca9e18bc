/**
 * Which call is which: the caller's `X-Correlation-Id` or one of ours, and its place in a trace (W3C Trace Context).
 *
 * **Details**
 *
 * Both are words of the caller: they are checked for their form, logged and passed on, and nothing depends on them. A call that
 * belongs to a trace is a span of its own in it, whose parent is the caller's: that is what goes on, and what the caller is told. A
 * call without a trace begins none.
 */
import { Option } from "effect"
import { uuidV4Unsafe } from "effect/crypto/SecureRandom"
import { traceIdOf } from "@beckon/domain/CallOrigin"
import type { HttpServerRequest } from "effect/http"
import type { CallOrigin } from "@beckon/domain/CallOrigin"

/** Visible ASCII: it goes into headers of others. */
const shape = /^[\x21-\x7e]{1,128}$/

export const correlationIdOf = (header: string | undefined): string =>
  header !== undefined && shape.test(header) ? header : uuidV4Unsafe()

/** Sampled, and random (W3C Trace Context Level 2, section 3.2.2.5); what else a later version says is not ours to pass on. */
const knownFlags = 0b11

/** W3C Trace Context, section 3.2: version, trace, parent and flags; a later version may have more. */
const traceShape = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/

export const traceparentOf = (header: string | undefined): string | null => {
  if (header === undefined || header.length > 128 || !traceShape.test(header)) return null
  // Version 00 has nothing behind its flags.
  return header.startsWith("00") && header.length !== 55 ? null : header.slice(0, 55)
}

/** The second half of a UUID: random but for two bits, and never all zeros. */
const newSpanId = (): string => uuidV4Unsafe().replaceAll("-", "").slice(16)

/** A span of ours whose parent is the caller's. */
const spanIn = (parent: string | null): string | null => {
  const traceId = traceIdOf(parent)
  if (parent === null || traceId === undefined) return null
  const flags = (Number.parseInt(parent.slice(53, 55), 16) & knownFlags).toString(16).padStart(2, "0")
  return `00-${traceId}-${newSpanId()}-${flags}`
}

export const originOf = ({ headers, remoteAddress }: HttpServerRequest.HttpServerRequest): CallOrigin => ({
  address: Option.getOrNull(remoteAddress),
  correlationId: correlationIdOf(headers["x-correlation-id"]),
  ...(shape.test(headers["x-correlation-id"] ?? "") ? {} : { isOurs: true }),
  traceparent: spanIn(traceparentOf(headers["traceparent"]))
})
