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
  /** The caller's span (W3C Trace Context). */
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

/** Drafts that name the call which they come from, on the way to providers; what their sender named himself stands. */
export const correlated = (drafts: ReadonlyArray<Draft>, correlationId: string | null): ReadonlyArray<Draft> =>
  correlationId === null
    ? drafts
    : drafts.map((draft) =>
        draft.options?.correlationId === undefined ? { ...draft, options: { ...draft.options, correlationId } } : draft
      )
