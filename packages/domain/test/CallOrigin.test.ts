import { describe, expect, it } from "@effect/vitest"
import * as CallOrigin from "../src/CallOrigin.ts"
import { TenantId, UserId } from "../src/Identifiers.ts"
import type { Draft } from "../src/Notification.ts"

const draft: Draft = {
  tenantId: TenantId.make("acme"),
  userId: UserId.make("ada"),
  type: "t",
  title: "T",
  message: "M",
  priority: "medium"
}

describe("CallOrigin", () => {
  it("goes into headers of records as far as it is known", () => {
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    expect(CallOrigin.recordHeaders({ address: "::1", correlationId: "c", traceparent })).toEqual({
      "x-correlation-id": "c",
      traceparent
    })
    expect(CallOrigin.recordHeaders({ address: "::1", correlationId: null, traceparent: null })).toEqual({})
  })

  it("names drafts that their sender did not name, and leaves everything else as it is", () => {
    const named: Draft = { ...draft, options: { cancelKey: "k", correlationId: "own" } }
    const keyed: Draft = { ...draft, options: { cancelKey: "k" } }
    const origin = { address: null, correlationId: "c", traceparent: null }
    expect(CallOrigin.correlated([draft, named, keyed], origin)).toEqual([
      { ...draft, options: { correlationId: "c" } },
      named,
      { ...draft, options: { cancelKey: "k", correlationId: "c" } }
    ])
    const drafts = [draft]
    expect(CallOrigin.correlated(drafts, { ...origin, correlationId: null })).toBe(drafts)
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    const traced = CallOrigin.correlated([named], { ...origin, traceparent })
    expect(traced).toEqual([{ ...named, options: { ...named.options, traceparent } }])
    expect(CallOrigin.correlated(traced, { ...origin, traceparent: traceparent.replace("-01", "-00") })).toEqual(traced)
    expect(CallOrigin.traceIdOf(traceparent)).toBe("4bf92f3577b34da6a3ce929d0e0e4736")
  })
})
