import { describe, expect, it } from "@effect/vitest"
import { Clock, DateTime, Effect } from "effect"
import { TestClock } from "effect/testing"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import type { Identity } from "@beckon/domain/Identity"
import { RevocationStore } from "@beckon/domain/ports/RevocationStore"
import type { Revocation } from "@beckon/domain/Revocation"
import { acme, inHours, layerShared, setStatus, startNode } from "./Fixture.ts"
import type { Node } from "./Fixture.ts"

const start = 1_772_366_400_500

const ada: Identity = {
  tenantId: acme,
  userId: UserId.make("ada"),
  roles: ["user"],
  tokenId: "t1",
  issuedAt: start - 500,
  expiresAt: start + 3_600_000
}

const revocation = (other: Partial<Revocation> = {}) =>
  Effect.gen(function* () {
    const before = yield* DateTime.now
    return { tenantId: acme, kind: "user", subject: "ada", before, expiresAt: yield* inHours(1), ...other } as const
  })

const admits = (node: Node, identity: Identity) =>
  Effect.match(node.standing.admit(identity), { onFailure: ({ reason }) => reason, onSuccess: () => "admitted" })

/** The news is on its way for some turns of the scheduler. */
const until = (condition: () => boolean) => Effect.repeat(Effect.yieldNow, { until: condition })

const started = Effect.gen(function* () {
  yield* TestClock.setTime(start)
  return { here: yield* startNode, there: yield* startNode }
})

/** An hour of the clock is many beats and readings of the nodes. */
const slow = 30_000

describe("Standing", () => {
  it.effect(
    "tokens that a user had when they were revoked are refused by every node; those that he gets later are good",
    () =>
      Effect.gen(function* () {
        const { here, there } = yield* started
        expect(yield* admits(here, ada)).toBe("admitted")
        yield* here.revocations.revoke(yield* revocation())
        expect(yield* admits(here, ada)).toBe("token: it was revoked")
        yield* until(() => there.revocations.isRevoked(ada))
        const verdict = yield* there.standing.judge([ada])
        expect(verdict(ada)).toMatchObject({ code: 4502, reason: "token revoked" })
        expect(verdict({ ...ada, issuedAt: start + 500 })).toBeUndefined()
        // Without the time of its issue nobody can tell.
        const { issuedAt: _, ...timeless } = ada
        expect(verdict(timeless)).toMatchObject({ code: 4502 })
        for (const other of [{ userId: UserId.make("bob") }, { tenantId: TenantId.make("other") }, { keyId: "k" }]) {
          expect(there.revocations.isRevoked({ ...ada, ...other })).toBe(false)
        }
      }).pipe(Effect.provide(layerShared))
  )

  it.effect("one token is refused by its id, and the user's others are not", () =>
    Effect.gen(function* () {
      const { here } = yield* started
      yield* here.revocations.revoke(yield* revocation({ kind: "token", subject: "t1" }))
      expect(yield* admits(here, ada)).toBe("token: it was revoked")
      expect(yield* admits(here, { ...ada, tokenId: "t2" })).toBe("admitted")
      expect(yield* admits(here, { ...ada, tenantId: TenantId.make("other") })).toBe("admitted")
    }).pipe(Effect.provide(layerShared))
  )

  it.effect("a node that starts later knows what was revoked, and one that missed the news reads it soon", () =>
    Effect.gen(function* () {
      const { here } = yield* started
      const store = yield* RevocationStore
      // As by a node whose message was lost, and whose clock is behind.
      const now = yield* DateTime.now
      yield* store.save(yield* revocation({ subject: "zoe" }), "2", now)
      yield* TestClock.adjust("5 seconds")
      yield* until(() => here.revocations.isRevoked({ ...ada, userId: UserId.make("zoe") }))
      yield* store.save(yield* revocation(), "1", DateTime.subtract(now, { seconds: 50 }))
      yield* TestClock.adjust("5 seconds")
      yield* until(() => here.revocations.isRevoked(ada))
      const late = yield* startNode
      expect(late.revocations.isRevoked(ada)).toBe(true)
    }).pipe(Effect.provide(layerShared))
  )

  it.effect(
    "what no token can need any more is forgotten, by the nodes and by the store",
    () =>
      Effect.gen(function* () {
        const { here } = yield* started
        const store = yield* RevocationStore
        yield* here.revocations.revoke(yield* revocation())
        yield* here.revocations.revoke(
          yield* revocation({ kind: "token", subject: "t1", expiresAt: yield* inHours(9) })
        )
        yield* TestClock.adjust("1 hour")
        yield* until(() => !here.revocations.isRevoked({ ...ada, tokenId: "t2" }))
        expect(here.revocations.isRevoked(ada)).toBe(true)
        const left = yield* store.changes({ changedAt: DateTime.makeUnsafe(0), id: "" }, 9)
        expect(left.map((one) => one.revocation.kind)).toEqual(["token"])
      }).pipe(Effect.provide(layerShared)),
    slow
  )

  it.effect(
    "a suspended tenant is refused and its sockets have to go, but for who runs the deployment; lifted, it is let in",
    () =>
      Effect.gen(function* () {
        const { here, there } = yield* started
        expect(yield* admits(there, ada)).toBe("admitted")
        yield* setStatus(here, "suspended")
        expect(yield* Effect.flip(here.standing.admit(ada))).toMatchObject({ because: "suspended" })
        const closes = Effect.map(there.standing.judge([ada]), (verdict) => verdict(ada))
        const reason = yield* Effect.repeat(
          Effect.tap(closes, () => Effect.yieldNow),
          { until: (one) => one !== undefined }
        )
        expect(reason).toMatchObject({ code: 4504 })
        const operator: Identity = { ...ada, roles: ["platform"] }
        expect(yield* admits(there, operator)).toBe("admitted")
        expect((yield* there.standing.judge([operator]))(operator)).toBeUndefined()
        const stranger = { ...ada, tenantId: TenantId.make("other") }
        expect((yield* there.standing.judge([ada, stranger]))(stranger)).toBeUndefined()
        yield* setStatus(here, "active")
        expect(yield* admits(here, ada)).toBe("admitted")
        expect(yield* Clock.currentTimeMillis).toBe(start)
      }).pipe(Effect.provide(layerShared))
  )
})
