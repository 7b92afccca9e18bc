import { DateTime } from "effect"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { NotificationId, TenantId, UserId } from "../src/Identifiers.ts"
import * as MailboxState from "../src/MailboxState.ts"
import type { Draft } from "../src/Notification.ts"
import type { Position } from "../src/Position.ts"

const tenantId = TenantId.make("t")
const userId = UserId.make("u")
const now = DateTime.makeUnsafe("2026-01-31T10:00:00Z")

const draftWith = (dedupeKey: string | undefined, title = "title"): Draft => ({
  tenantId,
  userId,
  type: "order_created",
  title,
  message: "",
  priority: "medium",
  ...(dedupeKey === undefined ? {} : { dedupeKey })
})

const counter = () => {
  let ids = 0
  return () => NotificationId.make(`n-${++ids}`)
}

const states: fc.Arbitrary<MailboxState.MailboxState> = fc
  .tuple(fc.nat(1_000), fc.nat(1_000), fc.nat(1_000), fc.nat(1_000), fc.nat(1_000))
  .map(([seq, floor, rev, unread, acknowledged]) => ({
    epoch: "e",
    seq,
    floor: Math.min(floor, seq),
    rev,
    unread: Math.min(unread, seq),
    acknowledged: Math.min(acknowledged, seq)
  }))

/** Few keys, so that they meet within a batch, between batches and with what is known. */
const keys = fc.option(fc.constantFrom("a", "b", "c", "d", "e"), { nil: undefined })
const batches = fc.array(fc.array(keys, { maxLength: 12 }), { maxLength: 8 })

describe("MailboxState.accept", () => {
  it("numbers accepted notifications one by one, and answers each draft in its place", () => {
    fc.assert(
      fc.property(states, batches, (start, all) => {
        const nextId = counter()
        const known = new Map<string, MailboxState.Known>()
        let state = start
        for (const batch of all) {
          const drafts = batch.map((key, index) => draftWith(key, `title ${index}`))
          const [next, { answers, rows }] = MailboxState.accept(state, drafts, known, now, nextId)
          assert.strictEqual(answers.length, drafts.length)
          assert.deepStrictEqual(
            rows.map(({ seq }) => seq),
            rows.map((_, index) => state.seq + 1 + index)
          )
          assert.strictEqual(next.seq, state.seq + rows.length)
          assert.strictEqual(next.unread, state.unread + rows.length)
          assert.strictEqual(next.rev, state.rev)
          assert.strictEqual(next.acknowledged, state.acknowledged)
          const made = answers.flatMap((answer, index) => (answer.duplicate ? [] : [{ answer, draft: drafts[index] }]))
          assert.deepStrictEqual(
            made.map(({ answer, draft }) => [answer.notificationId, answer.seq, draft?.title]),
            rows.map(({ id, seq, title }) => [id, seq, title])
          )
          for (const row of rows)
            if (row.dedupeKey !== null) known.set(row.dedupeKey, { notificationId: row.id, seq: row.seq })
          state = next
        }
      })
    )
  })

  it("makes one row for a dedupe key, however often it comes, and always answers the first", () => {
    fc.assert(
      fc.property(states, batches, (start, all) => {
        const nextId = counter()
        const known = new Map<string, MailboxState.Known>()
        const first = new Map<string, string>()
        let state = start
        for (const batch of all) {
          const [next, { answers, rows }] = MailboxState.accept(
            state,
            batch.map((key) => draftWith(key)),
            known,
            now,
            nextId
          )
          batch.forEach((key, index) => {
            const answer = answers[index]
            if (answer === undefined) return assert.fail("an answer is missing")
            if (key === undefined) return assert.isFalse(answer.duplicate)
            assert.strictEqual(answer.duplicate, first.has(key))
            if (!first.has(key)) first.set(key, answer.notificationId)
            assert.strictEqual(answer.notificationId, first.get(key))
          })
          for (const { dedupeKey, id, seq } of rows) {
            if (dedupeKey !== null) known.set(dedupeKey, { notificationId: id, seq })
          }
          state = next
        }
        const keyed = all.flat().filter((key) => key !== undefined)
        assert.strictEqual(first.size, new Set(keyed).size)
      })
    )
  })

  it("saves what the draft says, unread, with the defaults of what it leaves out", () => {
    const draft: Draft = { ...draftWith("k"), data: { a: [1, null] }, push: "never", source: "test" }
    const start = { epoch: "e", seq: 4, floor: 0, rev: 0, unread: 2, acknowledged: 0 }
    const [, { rows }] = MailboxState.accept(start, [draft, draftWith(undefined)], new Map(), now, counter())
    assert.deepStrictEqual(rows, [
      {
        ...draft,
        id: NotificationId.make("n-1"),
        seq: 5,
        createdAt: now,
        readAt: null,
        push: "never",
        dedupeKey: "k",
        source: "test",
        urgency: 5,
        options: null,
        hidden: false,
        planAt: null,
        fallbackAt: now
      },
      {
        ...draftWith(undefined),
        id: NotificationId.make("n-2"),
        seq: 6,
        createdAt: now,
        readAt: null,
        push: "fallback",
        dedupeKey: null,
        source: null,
        urgency: 5,
        options: null,
        hidden: false,
        planAt: null,
        fallbackAt: now
      }
    ])
  })

  it("gives a number, and no place among the unread, to a notification for other channels only", () => {
    const start = { epoch: "e", seq: 4, floor: 0, rev: 0, unread: 2, acknowledged: 0 }
    const hidden: Draft = {
      ...draftWith(undefined),
      id: NotificationId.make("promised"),
      options: { channels: ["email"] }
    }
    const shown: Draft = { ...draftWith(undefined), options: { channels: ["email", "in_app"] }, priority: "high" }
    const planAt = DateTime.add(now, { seconds: 7 })
    const [next, { rows }] = MailboxState.accept(start, [hidden, shown], new Map(), now, counter(), () => ({
      planAt,
      fallbackAt: planAt
    }))
    assert.deepStrictEqual(
      rows.map(({ hidden: isHidden, id, planAt: at, seq, urgency }) => ({ isHidden, id, at, seq, urgency })),
      [
        { isHidden: true, id: NotificationId.make("promised"), at: planAt, seq: 5, urgency: 5 },
        { isHidden: false, id: NotificationId.make("n-1"), at: planAt, seq: 6, urgency: 8 }
      ]
    )
    assert.deepStrictEqual([next.seq, next.unread], [6, 3])
  })
})

const positions: fc.Arbitrary<Position> = fc
  .record({
    epoch: fc.constantFrom("e", "e", "e", "other"),
    seq: fc.nat(1_100),
    rev: fc.option(fc.nat(1_100), { nil: undefined })
  })
  .map(({ epoch, rev, seq }) => ({ epoch, seq, ...(rev === undefined ? {} : { rev }) }))

describe("MailboxState.resume", () => {
  it("recovers exactly when everything after the position is there", () => {
    fc.assert(
      fc.property(states, positions, (state, position) => {
        const plan = MailboxState.resume(state, position)
        const isTrue =
          position.epoch === state.epoch &&
          position.seq >= state.floor &&
          position.seq <= state.seq &&
          (position.rev ?? 0) <= state.rev
        assert.deepStrictEqual(
          plan,
          isTrue ? { _tag: "Recover", afterSeq: position.seq, afterRev: position.rev } : { _tag: "StartFresh" }
        )
      }),
      { numRuns: 1_000 }
    )
  })

  it("recovers nothing from its own head, and starts fresh without a position", () => {
    fc.assert(
      fc.property(states, (state) => {
        assert.deepStrictEqual(MailboxState.resume(state, MailboxState.head(state)), {
          _tag: "Recover",
          afterSeq: state.seq,
          afterRev: state.rev
        })
        assert.deepStrictEqual(MailboxState.resume(state, undefined), { _tag: "StartFresh" })
      })
    )
  })
})

describe("MailboxState.acknowledge", () => {
  it("never falls, never passes seq, and changes nothing else", () => {
    fc.assert(
      fc.property(states, fc.array(positions, { maxLength: 20 }), (start, all) => {
        let state = start
        for (const position of all) {
          const next = MailboxState.acknowledge(state, position)
          assert.isAtLeast(next.acknowledged, state.acknowledged)
          assert.isAtMost(next.acknowledged, next.seq)
          assert.deepStrictEqual({ ...next, acknowledged: 0 }, { ...state, acknowledged: 0 })
          const isOurs = position.epoch === state.epoch && position.seq <= state.seq
          if (isOurs) assert.isAtLeast(next.acknowledged, position.seq)
          else assert.strictEqual(next, state)
          state = next
        }
      })
    )
  })
})
