import { describe, expect, it } from "@effect/vitest"
import { Redacted } from "effect"
import fc from "fast-check"
import * as ApiKeySecret from "../../src/security/ApiKeySecret.ts"

const made = (id = ApiKeySecret.newId()) => Redacted.value(ApiKeySecret.newKey(id))

describe("ApiKeySecret", () => {
  it("a key says its id, and is never the same twice", () => {
    const id = ApiKeySecret.newId()
    const keys = Array.from({ length: 200 }, () => made(id))
    expect(new Set(keys).size).toBe(200)
    for (const key of keys) {
      expect(key).toMatch(/^bk_[0-9A-Za-z]{22}_[0-9A-Za-z]{38}$/)
      expect(ApiKeySecret.isApiKey(key)).toBe(true)
      expect(ApiKeySecret.idOf(key)).toBe(id)
    }
  })

  it("every digit of base62 is as likely as the others in a secret", () => {
    const counts = new Map<string, number>()
    for (let round = 0; round < 2_000; round++) {
      for (const digit of made().slice(26, 58)) counts.set(digit, (counts.get(digit) ?? 0) + 1)
    }
    const expected = (2_000 * 32) / 62
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
    expect(counts.size).toBe(62)
    // 61 degrees of freedom: a fair choice is above this once in ten million runs.
    expect(chiSquare).toBeLessThan(135)
  })

  it("ids sort by the time of their making", () => {
    const ids = Array.from({ length: 1_000 }, ApiKeySecret.newId)
    expect(ids.toSorted()).toEqual(ids)
  })

  it("a key with a typing mistake is none", () => {
    fc.assert(
      fc.property(fc.nat({ max: 63 }), fc.constantFrom("a", "Z", "0", "9", "_", "-"), (index, digit) => {
        const key = made()
        const wrong = key.slice(0, index) + digit + key.slice(index + 1)
        return wrong === key || ApiKeySecret.idOf(wrong) === undefined
      })
    )
    for (const text of ["", "bk_", "bk__", "bk_a_b", made().slice(1), `${made()} `, `${made()}x`]) {
      expect(ApiKeySecret.idOf(text)).toBeUndefined()
    }
  })

  it("a hash is of the whole key", () => {
    const key = made()
    expect(ApiKeySecret.hashOf(key)).toHaveLength(32)
    expect(ApiKeySecret.isSame(ApiKeySecret.hashOf(key), ApiKeySecret.hashOf(key))).toBe(true)
    expect(ApiKeySecret.isSame(ApiKeySecret.hashOf(key), ApiKeySecret.hashOf(made()))).toBe(false)
    expect(ApiKeySecret.isSame(ApiKeySecret.hashOf(key), new Uint8Array(0))).toBe(false)
  })
})
