/**
 * Where a call came from, for logs, audit entries and what is sent on because of it.
 */
import { Context } from "effect"
import type { Draft } from "./Notification.ts"

export interface CallOrigin {
  /** The caller's address, as the trusted proxies in front tell it. */
  readonly address: string | null
  /** As the caller named it (`X-Correlation-Id`), or made for this call. */
  readonly correlationId: string | null
  /** The caller named none: it is in logs, on the bus and in the answer, and not kept with every notification. */
  readonly isOurs?: boolean
  /** The span of the call, in the trace of its caller (W3C Trace Context); absent when he named none. */
  readonly traceparent: string | null
}

/** Of the call at hand; all `null` in what no call began. */
export const CallOrigin = Context.Reference<CallOrigin>("@beckon/domain/CallOrigin", {
  defaultValue: () => ({ address: null, correlationId: null, traceparent: null })
})

export const correlationHeader = "x-correlation-id"

/** What names the call in the headers of records on the bus. */
export const recordHeaders = ({ correlationId, traceparent }: CallOrigin): Readonly<Record<string, string>> => ({
  ...(correlationId === null ? {} : { [correlationHeader]: correlationId }),
  ...(traceparent === null ? {} : { traceparent })
})

/** The trace of a `traceparent`. */
export const traceIdOf = (traceparent: string | null): string | undefined => traceparent?.slice(3, 35)

/** Drafts that name the call which they come from, on the way to providers; what their sender named himself stands. */
export const correlated = (
  drafts: ReadonlyArray<Draft>,
  { correlationId: id, isOurs = false, traceparent }: CallOrigin
): ReadonlyArray<Draft> => {
  const correlationId = isOurs ? null : id
  return correlationId === null && traceparent === null
    ? drafts
    : drafts.map((draft) => {
        const { options } = draft
        const named = {
          ...(correlationId === null || options?.correlationId !== undefined ? {} : { correlationId }),
          ...(traceparent === null || options?.traceparent !== undefined ? {} : { traceparent })
        }
        return Object.keys(named).length === 0 ? draft : { ...draft, options: { ...options, ...named } }
      })
}
