import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { TenantId } from "@beckon/domain/Identifiers"
import { topicNameOf, topicOf } from "../../src/delivery/TopicNames.ts"

const tenants = fc
  .string({ unit: "binary", minLength: 1, maxLength: 64 })
  .filter((text) => /^[^\u0000-\u001f\u007f]{1,64}$/.test(text) && text.isWellFormed())
const topics = fc.stringMatching(/^[A-Za-z0-9_.%-]{1,200}$/)

describe("topic names", () => {
  it("are what FCM takes, give the tenant's own name back, and are never shared by two tenants", () => {
    fc.assert(
      fc.property(tenants, tenants, topics, topics, (tenant, other, topic, another) => {
        const name = topicNameOf(TenantId.make(tenant), topic)
        assert.match(name, /^[a-zA-Z0-9\-_.~%]+$/)
        assert.isAtMost(name.length, 900)
        assert.strictEqual(topicOf(name), topic)
        if (tenant !== other) assert.notStrictEqual(name, topicNameOf(TenantId.make(other), another))
      })
    )
    assert.strictEqual(topicNameOf(TenantId.make("a~b!"), "news"), "a%7Eb%21~news")
  })
})
