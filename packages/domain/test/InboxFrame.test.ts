import { DateTime, Schema } from "effect"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { NotificationId } from "../src/Identifiers.ts"
import * as InboxFrame from "../src/InboxFrame.ts"

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(InboxFrame.InboxFrame))

const seq = fc.maxSafeNat()
const text = fc.string({ unit: "grapheme", maxLength: 30 })
const time = fc
  .date({ min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true })
  .map((date) => DateTime.fromDateUnsafe(date))
const readAt = fc.option(time)
const id = fc.uuid().map((text) => NotificationId.make(text))
const position = fc
  .record({ epoch: fc.uuid(), seq, rev: fc.option(seq, { nil: undefined }) })
  .map(({ epoch, rev, seq }) => ({ epoch, seq, ...(rev === undefined ? {} : { rev }) }))
const data = fc.option(fc.dictionary(text, fc.jsonValue({ maxDepth: 3 })), { nil: undefined })

const notification = fc
  .record({
    id,
    seq,
    type: fc.constantFrom("order_created", "anything else"),
    title: text,
    message: text,
    priority: fc.constantFrom("high", "medium", "low"),
    createdAt: time,
    readAt,
    data
  })
  .map(({ data, ...rest }) => ({ ...rest, ...(data === undefined ? {} : { data: JSON.parse(JSON.stringify(data)) }) }))

const change = fc.record({ id, seq, readAt, deleted: fc.boolean() })

const frames: fc.Arbitrary<InboxFrame.InboxFrame> = fc.oneof(
  fc.record({ _tag: fc.constant("Subscribed"), recovered: fc.boolean(), head: position, unread: seq }),
  fc.record({ _tag: fc.constant("Notification"), notification, unread: seq }),
  fc.record({ _tag: fc.constant("Changed"), rev: seq, unread: seq, changes: fc.array(change, { maxLength: 5 }) }),
  fc.record({ _tag: fc.constant("AllRead"), rev: seq, unread: seq, upToSeq: seq, readAt: time }),
  fc.record({ _tag: fc.constant("CaughtUp"), position })
)

describe("InboxFrame", () => {
  it("comes back from the wire as it was", () => {
    fc.assert(
      fc.property(frames, (frame) => {
        assert.deepStrictEqual(decode(InboxFrame.encode(frame)), frame)
      }),
      { numRuns: 300 }
    )
  })

  it("writes times in ISO 8601, UTC, and no field of the server's own", () => {
    const at = DateTime.makeUnsafe("2026-01-31T11:00:00+01:00")
    const stored = {
      id: NotificationId.make("n"),
      seq: 1,
      type: "order_created",
      title: "t",
      message: "m",
      priority: "low" as const,
      createdAt: at,
      readAt: null,
      tenantId: "secret tenant",
      dedupeKey: "secret key",
      source: "secret source"
    }
    const json = InboxFrame.encode({ _tag: "Notification", notification: stored, unread: 1 })
    assert.include(json, '"createdAt":"2026-01-31T10:00:00.000Z"')
    assert.notInclude(json, "secret")
  })
})
