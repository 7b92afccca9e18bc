import { DateTime, Result } from "effect"
import { assert, describe, it } from "vitest"
import * as Friendship from "../src/Friendship.ts"
import { FriendshipId, RuleBroken } from "../src/Friendship.ts"
import { TenantId, UserId } from "../src/Identifiers.ts"

const ada = UserId.make("ada")
const bob = UserId.make("bob")
const eve = UserId.make("eve")
const then = DateTime.makeUnsafe("2026-01-31T10:00:00Z")
const now = DateTime.makeUnsafe("2026-01-31T11:00:00Z")

const statuses = ["PENDING", "ACCEPTED", "REJECTED", "CANCELLED"] as const

const request = { tenantId: TenantId.make("t"), id: FriendshipId.make("f"), requesterId: ada, recipientId: bob }

const friendship = (status: Friendship.FriendshipStatus): Friendship.Friendship => ({
  ...request,
  status,
  createdAt: then,
  respondedAt: status === "PENDING" ? null : then
})

const outcome = (result: Result.Result<Friendship.Friendship, RuleBroken>) =>
  Result.match(result, { onFailure: ({ rule }) => rule, onSuccess: ({ status }) => status })

describe("Friendship.send", () => {
  it("starts a pending request", () => {
    assert.deepStrictEqual(Result.getOrThrow(Friendship.send(request, undefined, now)), {
      ...request,
      status: "PENDING",
      createdAt: now,
      respondedAt: null
    })
  })

  it("goes to somebody else", () => {
    assert.strictEqual(outcome(Friendship.send({ ...request, recipientId: ada }, undefined, now)), "not-to-yourself")
  })

  it.each([
    ["PENDING", "already-pending"],
    ["ACCEPTED", "already-friends"],
    ["REJECTED", "PENDING"],
    ["CANCELLED", "PENDING"]
  ] as const)("after a request that is %s: %s, in either direction", (status, expected) => {
    const before = friendship(status)
    assert.strictEqual(outcome(Friendship.send(request, before, now)), expected)
    const other = { ...before, requesterId: bob, recipientId: ada }
    assert.strictEqual(outcome(Friendship.send(request, other, now)), expected)
  })
})

describe("Friendship.respond", () => {
  it.each(statuses)("to a request that is %s: by the recipient, once", (status) => {
    for (const accept of [true, false]) {
      const answered = accept ? "ACCEPTED" : "REJECTED"
      const open = status === "PENDING"
      assert.strictEqual(
        outcome(Friendship.respond(friendship(status), bob, accept, now)),
        open ? answered : "only-once"
      )
      assert.strictEqual(
        outcome(Friendship.respond(friendship(status), ada, accept, now)),
        "only-the-recipient-responds"
      )
      assert.strictEqual(
        outcome(Friendship.respond(friendship(status), eve, accept, now)),
        "only-the-recipient-responds"
      )
    }
  })

  it("keeps who and when it was sent, and says when it was answered", () => {
    assert.deepStrictEqual(Result.getOrThrow(Friendship.respond(friendship("PENDING"), bob, true, now)), {
      ...request,
      status: "ACCEPTED",
      createdAt: then,
      respondedAt: now
    })
  })
})

describe("Friendship.cancel", () => {
  it.each(statuses)("of a request that is %s: by the requester, while it is pending", (status) => {
    const open = status === "PENDING"
    assert.strictEqual(outcome(Friendship.cancel(friendship(status), ada, now)), open ? "CANCELLED" : "only-once")
    assert.strictEqual(outcome(Friendship.cancel(friendship(status), bob, now)), "only-the-requester-cancels")
    assert.strictEqual(outcome(Friendship.cancel(friendship(status), eve, now)), "only-the-requester-cancels")
  })
})

describe("RuleBroken", () => {
  it("names the field of the call that breaks the rule", () => {
    for (const rule of RuleBroken.fields.rule.literals) {
      assert.match(new RuleBroken({ rule }).message, /^(friendshipId|requesterId|recipientId|responderId): /)
    }
  })
})
