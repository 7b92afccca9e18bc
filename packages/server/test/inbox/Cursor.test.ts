import { Result } from "effect"
import { encode } from "effect/encoding/Base64Url"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { UserId } from "@beckon/domain/Identifiers"
import * as Cursor from "../../src/inbox/Cursor.ts"

describe("Cursor", () => {
  it("comes back as it was given", () => {
    fc.assert(
      fc.property(fc.nat(), (seq) => assert.deepStrictEqual(Cursor.toSeq(Cursor.ofSeq(seq)), Result.succeed(seq)))
    )
    fc.assert(fc.property(fc.uuid(), (id) => assert.deepStrictEqual(Cursor.toId(Cursor.ofId(id)), Result.succeed(id))))
    for (const name of ["ann", "u:", "Ærøskøbing 👩‍🚀", "x".repeat(128), "👋".repeat(64)]) {
      const cursor = Cursor.ofUser(UserId.make(name))
      assert.isAtMost(cursor.length, 1_024)
      assert.deepStrictEqual(Cursor.toUser(cursor), Result.succeed(UserId.make(name)))
    }
  })

  it("refuses what no list gave, and never throws", () => {
    const forged = [
      encode("s:"),
      encode("s:-1"),
      encode("s:1.5"),
      encode("s:9999999999999999"),
      encode("i:"),
      encode("i:a\u0000"),
      encode(`i:${"x".repeat(65)}`),
      "%%%"
    ]
    for (const cursor of forged) {
      assert.isTrue(Result.isFailure(Cursor.toSeq(cursor)), cursor)
      assert.isTrue(Result.isFailure(Cursor.toId(cursor)), cursor)
      assert.isTrue(Result.isFailure(Cursor.toUser(cursor)), cursor)
    }
    assert.isTrue(Result.isFailure(Cursor.toUser(encode(`u:${"x".repeat(129)}`))))
    assert.isTrue(Result.isFailure(Cursor.toSeq(Cursor.ofId("1"))))
    assert.isTrue(Result.isFailure(Cursor.toId(Cursor.ofSeq(1))))
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const seq = Cursor.toSeq(text)
        if (Result.isSuccess(seq)) assert.isTrue(Number.isSafeInteger(seq.success) && seq.success >= 0)
        Cursor.toId(text)
      })
    )
  })
})
