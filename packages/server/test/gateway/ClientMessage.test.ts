import { Result } from "effect"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as ClientMessage from "../../src/gateway/ClientMessage.ts"

const parsed = (value: unknown) => ClientMessage.parse(JSON.stringify(value))
const messagesOf = (value: unknown) => Result.getOrThrow(parsed(value))
const faultOf = (value: unknown) => Result.match(parsed(value), { onFailure: (fault) => fault, onSuccess: () => "" })

const requestId = fc.oneof(fc.integer(), fc.string({ maxLength: 64 }))
const headers = fc.array(fc.tuple(fc.string(), fc.string()), { maxLength: 5 })
const message = fc.oneof(
  fc.record(
    { _tag: fc.constant("Request"), id: requestId, tag: fc.string(), payload: fc.jsonValue(), headers },
    { requiredKeys: ["_tag", "id", "tag"] }
  ),
  fc.record({ _tag: fc.constantFrom("Ack", "Interrupt"), requestId }),
  fc.record({ _tag: fc.constantFrom("Ping", "Eof") })
)

describe("ClientMessage.parse", () => {
  it("reads one message or an array of them", () => {
    const request = { _tag: "Request" as const, id: 7, tag: "List", payload: { limit: 1 }, headers: [] }
    assert.deepStrictEqual(messagesOf(request), [request])
    assert.deepStrictEqual(messagesOf([request, { _tag: "Ping" }]), [request, { _tag: "Ping" }])
    assert.deepStrictEqual(messagesOf([]), [])
    assert.deepStrictEqual(messagesOf({ _tag: "Interrupt", requestId: "7" }), [{ _tag: "Interrupt", requestId: "7" }])
    assert.deepStrictEqual(messagesOf({ _tag: "Eof", more: 1 }), [{ _tag: "Eof" }])
  })

  it("leaves out acknowledgements of chunks, and what a client says in headers", () => {
    assert.deepStrictEqual(messagesOf({ _tag: "Ack", requestId: "7" }), [])
    const request = { _tag: "Request", id: "1", tag: "List", headers: [["authorization", "of another"]] }
    assert.deepStrictEqual(messagesOf(request), [
      { _tag: "Request", id: "1", tag: "List", payload: undefined, headers: [] }
    ])
  })

  it("reads every valid frame, and only valid frames", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 10 }), (messages) => {
        const read = messagesOf(messages)
        assert.deepStrictEqual(
          read.map(({ _tag }) => _tag),
          messages.map(({ _tag }) => _tag)
        )
      })
    )
  })

  it.each([
    [[[]], "a message is a JSON object"],
    [null, "a message is a JSON object"],
    ["Ping", "a message is a JSON object"],
    [{}, "_tag: one of Request, Ack, Interrupt, Ping, Eof"],
    [{ _tag: "Chunk" }, "_tag: one of Request, Ack, Interrupt, Ping, Eof"],
    [{ _tag: "Request", tag: "List" }, "id: a number, or a string of at most 64 characters"],
    [{ _tag: "Request", id: "x".repeat(65), tag: "List" }, "id: a number, or a string of at most 64 characters"],
    [{ _tag: "Request", id: { toString: 1 }, tag: "List" }, "id: a number, or a string of at most 64 characters"],
    [{ _tag: "Request", id: 1, tag: ["List"] }, "tag: the name of a call"],
    [{ _tag: "Request", id: 1, tag: "List", headers: { a: "b" } }, "headers: at most 64 pairs of strings"],
    [
      { _tag: "Request", id: 1, tag: "List", headers: Array.from({ length: 65 }, () => ["a", "b"]) },
      "headers: at most 64 pairs of strings"
    ],
    [{ _tag: "Interrupt" }, "requestId: a number, or a string of at most 64 characters"],
    [Array.from({ length: 101 }, () => ({ _tag: "Ping" })), "a frame holds at most 100 messages"],
    [[{ _tag: "Ping" }, 1], "a message is a JSON object"]
  ])("says what is wrong with %j", (value, fault) => {
    assert.strictEqual(faultOf(value), fault)
  })

  it("never throws, whatever the text", () => {
    const anything = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc
        .anything()
        .map(
          (value) =>
            JSON.stringify(value, (_, item: unknown) => (typeof item === "bigint" ? String(item) : item)) ?? "undefined"
        ),
      fc
        .tuple(
          message.map((one) => JSON.stringify(one)),
          fc.nat(200),
          fc.string({ maxLength: 3 })
        )
        .map(([text, at, junk]) => text.slice(0, at) + junk + text.slice(at + 1)),
      fc
        .tuple(fc.constantFrom("[", '{"a":', '[{"_tag":"Request","payload":'), fc.nat(20_000))
        .map(([unit, count]) => unit.repeat(count))
    )
    fc.assert(
      fc.property(anything, (text) => {
        const result = ClientMessage.parse(text)
        if (Result.isFailure(result)) assert.notStrictEqual(result.failure, "")
        else assert.isAtMost(result.success.length, ClientMessage.maxMessages)
      }),
      { numRuns: 2_000 }
    )
  })
})
