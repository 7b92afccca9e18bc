import { expect, it } from "@effect/vitest"
import * as CorrelationId from "../../src/http/CorrelationId.ts"

it("names the call and its place in a trace, as far as they are known", () => {
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
  expect(CorrelationId.headersOf("order 17 ü", traceparent)).toEqual({
    "x-correlation-id": "order%2017%20%C3%BC",
    traceparent
  })
  expect(CorrelationId.headersOf(undefined, null)).toEqual({})
})
