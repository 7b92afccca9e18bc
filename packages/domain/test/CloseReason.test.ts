import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as CloseReason from "../src/CloseReason.ts"

const reasons = Object.values(CloseReason).filter((value) => typeof value === "object")

describe("CloseReason", () => {
  it("tells clients to come back unless the same attempt would fail again", () => {
    const answers = new Map(reasons.map(({ code }) => [code, CloseReason.mayReconnect(code)]))
    assert.deepStrictEqual(
      [...answers].toSorted(([one], [other]) => one - other),
      [
        [4000, true],
        [4001, true],
        [4002, true],
        [4003, true],
        [4004, true],
        [4005, true],
        [4500, false],
        [4501, false],
        [4502, false],
        [4503, false],
        [4504, false],
        [4506, false]
      ]
    )
    assert.deepStrictEqual([1000, 1001, 1006, 1009, 1011].map(CloseReason.mayReconnect), [true, true, true, true, true])
    assert.isFalse(CloseReason.mayReconnect(1008))
  })

  it("splits its own codes at 4500", () => {
    fc.assert(
      fc.property(fc.integer({ min: 4000, max: 4999 }), (code) => CloseReason.mayReconnect(code) === code < 4500)
    )
  })

  it("gives reasons that a close frame can carry, each with a code of its own", () => {
    assert.strictEqual(new Set(reasons.map(({ code }) => code)).size, reasons.length)
    for (const { reason } of reasons) assert.isAtMost(new TextEncoder().encode(reason).length, 123)
  })
})
