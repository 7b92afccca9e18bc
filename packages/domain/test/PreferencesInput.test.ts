import { assert, describe, it } from "@effect/vitest"
import { Exit, Schema } from "effect"
import { faultOf, PreferencesInput } from "../src/PreferencesInput.ts"

const decode = Schema.decodeUnknownExit(PreferencesInput)

const refusal = (input: unknown): string => {
  const exit = decode(input)
  return Exit.isFailure(exit) ? JSON.stringify(exit.cause.reasons.map(String)) : "accepted"
}

describe("PreferencesInput", () => {
  it("takes known channels, by type and by category", () => {
    const wishes = {
      channels: { push: false, in_app: true },
      mutedTypes: [],
      types: { order_created: { email: false } },
      categories: { news: { sms: true } }
    }
    assert.deepStrictEqual(decode(wishes), Exit.succeed(wishes))
  })

  it("refuses channels that nobody knows, wherever they stand", () => {
    const known = /only the channels in_app, push, email, sms, whatsapp, webhook/
    assert.match(refusal({ channels: { pigeon: true }, mutedTypes: [] }), known)
    assert.match(refusal({ channels: {}, mutedTypes: [], types: { t: { constructor: true } } }), known)
    assert.match(refusal({ channels: {}, mutedTypes: [], categories: { c: { Push: false } } }), known)
  })

  it("names the field that would switch the inbox off", () => {
    assert.isUndefined(faultOf({ channels: { in_app: true, push: false }, mutedTypes: ["t"] }))
    const offOf = (other: object) => faultOf({ channels: {}, mutedTypes: [], ...other })?.split(":")[0]
    assert.strictEqual(offOf({ channels: { in_app: false } }), "channels.in_app")
    assert.strictEqual(offOf({ types: { a: {}, b: { in_app: false } } }), "types.b.in_app")
    assert.strictEqual(offOf({ categories: { news: { in_app: false } } }), "categories.news.in_app")
  })
})
