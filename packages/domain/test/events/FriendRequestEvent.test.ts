import { DateTime, Schema } from "effect"
import { assert, describe, it } from "vitest"
import { Event, toDrafts } from "../../src/events/Event.ts"
import { FriendRequestEvent } from "../../src/events/FriendRequestEvent.ts"
import { TenantId } from "../../src/Identifiers.ts"
import { Draft } from "../../src/Notification.ts"

const decode = Schema.decodeUnknownSync(Event)
const decodeExit = Schema.decodeUnknownExit(Event)
const tenantId = TenantId.make("acme")

/** As R0's source writes it. */
const source = {
  eventId: "5f2a",
  eventType: "FRIEND_REQUEST_SENT",
  friendshipId: 77,
  requesterId: 1,
  requesterName: "Ada",
  requesterEmail: "ada@example.com",
  requesterImage: "https://example.com/ada.png",
  recipientId: 2,
  recipientName: "Bob",
  recipientEmail: "bob@example.com",
  recipientImage: null,
  friendshipStatus: "PENDING",
  timestamp: "2026-01-31T10:00:00",
  message: "hello",
  source: "friendship-service",
  notificationPriority: 2
}

const table = [
  [
    "FRIEND_REQUEST_SENT",
    "PENDING",
    "2",
    "FRIEND_REQUEST_RECEIVED",
    "medium",
    "New Friend Request",
    "Ada sent you a friend request"
  ],
  [
    "FRIEND_REQUEST_ACCEPTED",
    "ACCEPTED",
    "1",
    "FRIEND_REQUEST_ACCEPTED",
    "medium",
    "Friend Request Accepted",
    "Bob accepted your friend request!"
  ],
  [
    "FRIEND_REQUEST_REJECTED",
    "REJECTED",
    "1",
    "FRIEND_REQUEST_REJECTED",
    "low",
    "Friend Request Declined",
    "Your friend request was declined"
  ]
] as const

describe("a friend-request event", () => {
  it.each(table)(
    "%s (%s) becomes one notification of R0's table",
    (eventType, friendshipStatus, userId, type, priority, title, message) => {
      const [draft, ...more] = toDrafts(tenantId, decode({ ...source, eventType, friendshipStatus }))
      assert.deepStrictEqual(more, [])
      assert.deepInclude(draft ?? {}, {
        tenantId,
        userId,
        type,
        priority,
        title,
        message,
        dedupeKey: "friend-request:5f2a",
        source: "friend-request-events"
      })
      assert.deepStrictEqual(draft?.data, {
        friendshipId: "77",
        friendshipStatus,
        requesterId: "1",
        requesterName: "Ada",
        requesterImage: "https://example.com/ada.png",
        recipientId: "2",
        recipientName: "Bob",
        recipientImage: null
      })
    }
  )

  it.each([1, 2, 3])("keeps the table's priority whatever the event's own is (%i)", (notificationPriority) => {
    for (const [eventType, , , , priority] of table) {
      const [draft] = toDrafts(tenantId, decode({ ...source, eventType, notificationPriority }))
      assert.strictEqual(draft?.priority, priority)
    }
  })

  it("means the same with integer and with string ids", () => {
    const asStrings = { ...source, friendshipId: "77", requesterId: "1", recipientId: "2" }
    assert.deepStrictEqual(decode(source), decode(asStrings))
    assert.deepStrictEqual(
      toDrafts(tenantId, decode({ ...source, eventId: 9 })),
      toDrafts(tenantId, decode({ ...source, eventId: "9" }))
    )
  })

  it.each([
    ["2026-01-31T10:00:00", "2026-01-31T10:00:00.000Z"],
    ["2026-01-31T10:00", "2026-01-31T10:00:00.000Z"],
    ["2026-01-31T10:00:00.123456789", "2026-01-31T10:00:00.123Z"],
    ["2026-01-31 10:00:00", "2026-01-31T10:00:00.000Z"],
    ["2026-01-31", "2026-01-31T00:00:00.000Z"],
    ["2026-01-31T10:00:00Z", "2026-01-31T10:00:00.000Z"],
    ["2026-01-31T10:00:00+01:00", "2026-01-31T09:00:00.000Z"],
    ["2026-01-31T10:00:00-0530", "2026-01-31T15:30:00.000Z"],
    ["2026-01-31T10:00:00.5+01", "2026-01-31T09:00:00.500Z"]
  ])("reads the time %s as %s, wherever the server runs", (timestamp, expected) => {
    const zone = process.env["TZ"]
    try {
      process.env["TZ"] = "America/New_York"
      assert.strictEqual(DateTime.formatIso(decode({ ...source, timestamp }).timestamp), expected)
    } finally {
      if (zone === undefined) delete process.env["TZ"]
      else process.env["TZ"] = zone
    }
  })

  it.each([
    "",
    "yesterday",
    "31/01/2026",
    "2026-13-01T00:00:00",
    "2026-01-31T25:00:00Z",
    "1769853600",
    "+275760-09-13T00:00:00Z",
    "0000-12-31T00:00:00Z",
    "9999-12-31T23:59:59-01:00",
    "Jan 31 2026"
  ])("refuses %j as a time", (timestamp) => {
    assert.strictEqual(decodeExit({ ...source, timestamp })._tag, "Failure")
  })

  it.each([undefined, null, ""])("names a user by his id when his name is %j", (name) => {
    const { recipientName: _, requesterName: __, ...rest } = source
    const nameless = name === undefined ? rest : { ...rest, requesterName: name, recipientName: name }
    assert.strictEqual(toDrafts(tenantId, decode(nameless))[0]?.message, "1 sent you a friend request")
    const accepted = { ...nameless, eventType: "FRIEND_REQUEST_ACCEPTED" }
    assert.strictEqual(toDrafts(tenantId, decode(accepted))[0]?.message, "2 accepted your friend request!")
  })

  it("makes a draft within the limits even when everything in it is as long as it may be", () => {
    const long = (length: number) => "x".repeat(length)
    const event = decode({
      ...source,
      eventId: long(128),
      friendshipId: long(128),
      requesterId: long(128),
      recipientId: long(128),
      requesterName: long(256),
      recipientName: long(256),
      requesterEmail: long(320),
      requesterImage: long(2_048),
      recipientImage: long(2_048),
      message: long(4_096)
    })
    for (const draft of toDrafts(tenantId, event)) assert.isTrue(Schema.is(Draft)(draft))
  })

  it("comes back from the topic as it was published", () => {
    const event = Schema.decodeUnknownSync(FriendRequestEvent)(source)
    const json = Schema.encodeSync(Schema.fromJsonString(FriendRequestEvent))(event)
    assert.deepStrictEqual(Schema.decodeUnknownSync(Schema.fromJsonString(Event))(json), event)
  })

  it.each([
    "eventId",
    "eventType",
    "friendshipId",
    "requesterId",
    "recipientId",
    "friendshipStatus",
    "timestamp"
  ] as const)("is refused without %s", (field) => {
    const { [field]: _, ...rest } = source
    assert.strictEqual(decodeExit(rest)._tag, "Failure")
  })

  it.each([
    { eventType: "FRIEND_REQUEST_CANCELLED" },
    { friendshipStatus: "pending" },
    { requesterId: 1.5 },
    { recipientId: true },
    { notificationPriority: 4 },
    { requesterName: "a\u0000b" }
  ])("is refused with %j", (wrong) => {
    assert.strictEqual(decodeExit({ ...source, ...wrong })._tag, "Failure")
  })
})
