import { DateTime, Option } from "effect"
import { assert, describe, it } from "vitest"
import { TenantId } from "@beckon/domain/Identifiers"
import type { TemplateVersion } from "@beckon/domain/Template"
import * as TemplateCache from "../../src/templates/TemplateCache.ts"

const acme = TenantId.make("acme")
const other = TenantId.make("other")

const templateOf = (code: string, length: number, version = 1): Option.Option<TemplateVersion> =>
  Option.some({
    code,
    version,
    description: null,
    texts: { default: { title: "x".repeat(length), message: "" } },
    variables: null,
    createdAt: DateTime.makeUnsafe(0)
  })

describe("the memory of templates", () => {
  it("stays below its weight, and gives up what was asked for longest ago", () => {
    const cache = TemplateCache.make(10_000)
    for (const code of ["a", "b", "c"]) cache.keep(acme, code, "active", templateOf(code, 3_000), 10)
    cache.find(acme, "a", "active", 0)
    cache.keep(acme, "d", "active", templateOf("d", 3_000), 10)
    assert.deepStrictEqual(
      ["a", "b", "c", "d"].filter((code) => cache.find(acme, code, "active", 0) !== undefined),
      ["a", "c", "d"]
    )
    for (let number = 0; number < 1_000; number++) {
      cache.keep(acme, `e${number % 7}`, number, templateOf("e", number * 11, number), 10)
      cache.keep(acme, `none${number}`, "active", Option.none(), 10)
      assert.isAtMost(cache.weight(), 10_000)
    }
    cache.keep(acme, "huge", "active", templateOf("huge", 20_000), 10)
    assert.strictEqual(cache.weight(), 0)
  })

  it("counts what it replaces and forgets", () => {
    const cache = TemplateCache.make(10_000)
    cache.keep(acme, "a", "active", templateOf("a", 100), 10)
    const weight = cache.weight()
    cache.keep(acme, "a", "active", templateOf("a", 100), 10)
    assert.strictEqual(cache.weight(), weight)
    cache.keep(acme, "a", 1, templateOf("a", 100), 10)
    cache.keep(other, "a", 1, templateOf("a", 100), 10)
    cache.forget(acme, "a")
    assert.strictEqual(cache.weight(), weight)
    assert.isUndefined(cache.find(acme, "a", 1, 0))
    assert.isDefined(cache.find(other, "a", 1, 0))
    assert.isUndefined(cache.find(other, "a", 1, 10))
    cache.forgetAll()
    assert.strictEqual(cache.weight(), 0)
  })
})
