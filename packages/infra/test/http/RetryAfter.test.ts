import { describe, expect, it } from "@effect/vitest"
import { Duration } from "effect"
import { retryAfterOf } from "../../src/http/RetryAfter.ts"

const now = Date.parse("2026-01-01T00:00:00Z")

describe("RetryAfter", () => {
  it.each([
    ["17", Duration.seconds(17)],
    [" 17 ", Duration.seconds(17)],
    ["Thu, 01 Jan 2026 00:01:30 GMT", Duration.seconds(90)],
    ["99999999999999999999", Duration.days(1)],
    ["Fri, 01 Jan 2027 00:00:00 GMT", Duration.days(1)]
  ])("%s is a wait", (header, wait) => {
    expect(retryAfterOf(header, now)).toEqual(wait)
  })

  it.each([undefined, "", "0", "-5", "soon", "Wed, 31 Dec 2025 23:59:59 GMT", ["17"]])("%s is none", (header) => {
    expect(retryAfterOf(header, now)).toBeUndefined()
  })
})
