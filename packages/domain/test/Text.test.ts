import { Schema } from "effect"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { SourceId, UserId } from "../src/Identifiers.ts"
import { limits, NotificationData } from "../src/Notification.ts"
import { identifierOf, nonEmptyTextOf, textOf } from "../src/Text.ts"

const isText = Schema.is(textOf(10))
const isNonEmpty = Schema.is(nonEmptyTextOf(10))
const isIdentifier = Schema.is(identifierOf(10))

describe("Text", () => {
  it("takes text up to its limit, which counts UTF-16 code units", () => {
    assert.isTrue(isText(""))
    assert.isFalse(isNonEmpty(""))
    assert.isFalse(isIdentifier(""))
    for (const is of [isText, isNonEmpty, isIdentifier]) {
      assert.isTrue(is("x".repeat(10)))
      assert.isFalse(is("x".repeat(11)))
      assert.isTrue(is("😀".repeat(5)))
      assert.isFalse(is("😀".repeat(6)))
    }
  })

  it("takes exactly what PostgreSQL and UTF-8 can keep", () => {
    const unit = fc.oneof(
      fc.constantFrom("\u0000", "\ud800", "\udfff", "\u001f", "\u007f", "\n", " ", "😀"),
      fc.string({ minLength: 1, maxLength: 1, unit: "binary" })
    )
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 6 }), (units) => {
        const text = units.join("")
        const storable = !text.includes("\u0000") && new TextDecoder().decode(new TextEncoder().encode(text)) === text
        const fits = text.length <= 10
        assert.strictEqual(isText(text), storable && fits)
        assert.strictEqual(isNonEmpty(text), storable && fits && text !== "")
        assert.strictEqual(isIdentifier(text), storable && fits && text !== "" && !/[\u0000-\u001f\u007f]/.test(text))
      }),
      { numRuns: 500 }
    )
  })

  it("says what is wrong with a text", () => {
    const message = (schema: Schema.Codec<string>, text: string) => {
      const exit = Schema.decodeUnknownExit(schema)(text)
      return exit._tag === "Failure" ? String(exit.cause) : ""
    }
    assert.include(message(textOf(10), "a\u0000b"), "without NUL")
    assert.include(message(textOf(10), "\ud800"), "lone surrogates")
    assert.include(message(identifierOf(10), "a\nb"), "control characters")
    assert.include(message(textOf(10), "x".repeat(11)), "10")
  })
})

describe("SourceId", () => {
  const decode = Schema.decodeUnknownExit(SourceId)
  it("reads integers and strings as the same string", () => {
    fc.assert(fc.property(fc.maxSafeInteger(), (id) => assert.deepStrictEqual(decode(id), decode(String(id)))))
    for (const bad of [1.5, Number.NaN, 2 ** 53, "", null, true, {}, "x".repeat(129), "a\u0000"]) {
      assert.strictEqual(decode(bad)._tag, "Failure", JSON.stringify(bad))
    }
  })

  it("fits a user id of its whole length", () => {
    assert.strictEqual(UserId.make("x".repeat(128)).length, 128)
  })
})

describe("NotificationData", () => {
  const isData = Schema.is(NotificationData)
  const filled = (unit: string, bytes: number) => {
    const frame = new TextEncoder().encode(JSON.stringify({ a: "" })).length
    return { a: unit.repeat(Math.floor((bytes - frame) / new TextEncoder().encode(unit).length)) }
  }

  it("takes 16,384 bytes of JSON and not one more, whatever the script", () => {
    assert.isTrue(isData(filled("x", limits.dataBytes)))
    assert.isFalse(isData(filled("x", limits.dataBytes + 1)))
    assert.isTrue(isData(filled("€", limits.dataBytes)))
    assert.isFalse(isData(filled("€", limits.dataBytes + 3)))
    assert.isFalse(isData(filled("😀", limits.dataBytes + 4)))
  })

  it("refuses NUL and lone surrogates anywhere, and takes text that only spells them", () => {
    for (const bad of ["\u0000", "\ud800", "a\udfffb"]) {
      assert.isFalse(isData({ a: bad }), JSON.stringify(bad))
      assert.isFalse(isData({ a: [{ b: bad }] }), JSON.stringify(bad))
      assert.isFalse(isData({ [bad]: 1 }), JSON.stringify(bad))
    }
    assert.isTrue(isData({ a: String.raw`C:\u0000\ud800`, "😀": "\n\u0001" }))
  })

  it("refuses what is not a JSON object", () => {
    for (const bad of [
      null,
      [],
      "text",
      1,
      { a: undefined },
      { a: Number.NaN },
      { a: Infinity },
      { a: 1n },
      { a: () => 1 }
    ]) {
      assert.isFalse(isData(bad))
    }
  })

  it("answers for data that is nested beyond any use, instead of dying of it", () => {
    let deep: unknown = 1
    for (let level = 0; level < 8_000; level++) deep = [deep]
    assert.isFalse(isData({ deep }))
  })
})
