/**
 * Where a call came from, for logs, audit entries and what is sent on because of it.
 */
import { Context } from "effect"

export interface CallOrigin {
  /** The caller's address, as the trusted proxies in front tell it. */
  readonly address: string | null
  /** As the caller named it (`X-Correlation-Id`), or made for this call. */
  readonly correlationId: string | null
  /** The caller's span (W3C Trace Context). */
  readonly traceparent: string | null
}

/** Of the call at hand; all `null` in what no call began. */
export const CallOrigin = Context.Reference<CallOrigin>("@beckon/domain/CallOrigin", {
  defaultValue: () => ({ address: null, correlationId: null, traceparent: null })
})
