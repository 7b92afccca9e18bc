import type { Friendship } from "@beckon/domain/Friendship"
import type { TenantId } from "@beckon/domain/Identifiers"
import type { EventRecord } from "@beckon/domain/ports/EventBus"
import { EventOutbox } from "@beckon/domain/ports/EventOutbox"
import { FriendshipStore } from "@beckon/domain/ports/FriendshipStore"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option } from "effect"
import { freshTenant, friendshipId, hoursAfterNoon, noon, user } from "./Fixtures.ts"

const request = (tenantId: TenantId, requester: string, recipient: string): Friendship => ({
  tenantId,
  id: friendshipId(),
  requesterId: user(requester),
  recipientId: user(recipient),
  status: "PENDING",
  createdAt: noon,
  respondedAt: null
})

const event = (friendship: Friendship, value: string): EventRecord => ({
  topic: "friend-request-events",
  key: friendship.id,
  headers: { tenant: friendship.tenantId, "content-type": "application/json" },
  value
})

const tagOf = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.match(effect, { onFailure: (error): string => error._tag, onSuccess: () => "done" })

/** The values of the outbox's entries about these friendships, in order: suites share the outbox. */
const outboxOf = Effect.fnUntraced(function* (...friendships: ReadonlyArray<Friendship>) {
  const outbox = yield* EventOutbox
  const entries = yield* outbox.peek(10_000)
  const ids = new Set<string>(friendships.map(({ id }) => id))
  return entries.filter(({ key }) => ids.has(key)).map(({ value }) => value)
})

export const friendshipStoreContract = (it: Vitest.MethodsNonLive<FriendshipStore | EventOutbox>) => {
  it.effect("a friendship comes back as it was, by id and by its two users in either order", () =>
    Effect.gen(function* () {
      const store = yield* FriendshipStore
      const tenantId = freshTenant()
      const friendship = request(tenantId, "ada 👩‍🚀", "Bob")
      yield* store.insert(friendship, [])
      const saved = Option.some(friendship)
      expect(yield* store.get(tenantId, friendship.id)).toEqual(saved)
      expect(yield* store.between(tenantId, friendship.requesterId, friendship.recipientId)).toEqual(saved)
      expect(yield* store.between(tenantId, friendship.recipientId, friendship.requesterId)).toEqual(saved)
      expect(yield* store.between(tenantId, friendship.recipientId, user("eve"))).toEqual(Option.none())
      expect(yield* store.get(freshTenant(), friendship.id)).toEqual(Option.none())
      expect(yield* store.between(freshTenant(), friendship.requesterId, friendship.recipientId)).toEqual(Option.none())
    })
  )

  it.effect("between gives the newest of the two's friendships", () =>
    Effect.gen(function* () {
      const store = yield* FriendshipStore
      const tenantId = freshTenant()
      const [old, next] = [request(tenantId, "ada", "bob"), request(tenantId, "bob", "ada")]
      yield* store.insert(old, [])
      yield* store.update({ ...old, status: "REJECTED", respondedAt: hoursAfterNoon(1) }, [])
      yield* store.insert(next, [])
      expect(yield* store.between(tenantId, user("ada"), user("bob"))).toEqual(Option.some(next))
    })
  )

  it.effect("two users have one open friendship, in whichever direction, pending or accepted", () =>
    Effect.gen(function* () {
      const store = yield* FriendshipStore
      const tenantId = freshTenant()
      const first = request(tenantId, "ada", "bob")
      yield* store.insert(first, [event(first, "sent")])
      const rival = request(tenantId, "bob", "ada")
      expect(yield* tagOf(store.insert(rival, [event(rival, "never")]))).toBe("FriendshipChanged")
      yield* store.update({ ...first, status: "ACCEPTED", respondedAt: noon }, [event(first, "accepted")])
      expect(yield* tagOf(store.insert(rival, [event(rival, "never")]))).toBe("FriendshipChanged")
      expect(yield* store.get(tenantId, rival.id)).toEqual(Option.none())
      expect(yield* outboxOf(first, rival)).toEqual(["sent", "accepted"])
      yield* store.insert(request(freshTenant(), "ada", "bob"), [])
    })
  )

  it.effect.each([
    ["ada", "bob"],
    ["bob", "ada"]
  ])("of two requests at the same time, one is FriendshipChanged", ([one, other]) =>
    Effect.gen(function* () {
      const store = yield* FriendshipStore
      const tenantId = freshTenant()
      const rivals = [request(tenantId, "ada", "bob"), request(tenantId, one ?? "", other ?? "")]
      const tags = yield* Effect.forEach(rivals, (rival) => tagOf(store.insert(rival, [event(rival, rival.id)])), {
        concurrency: "unbounded"
      })
      expect(tags.toSorted()).toEqual(["FriendshipChanged", "done"])
      expect(yield* outboxOf(...rivals)).toEqual(
        rivals.filter((_, index) => tags[index] === "done").map(({ id }) => id)
      )
    })
  )

  it.effect("of many answers at the same time, one is saved with its event", () =>
    Effect.gen(function* () {
      const store = yield* FriendshipStore
      const friendship = request(freshTenant(), "ada", "bob")
      yield* store.insert(friendship, [event(friendship, "sent")])
      const answers = (["ACCEPTED", "REJECTED", "CANCELLED", "ACCEPTED"] as const).map((status, index) => ({
        ...friendship,
        status,
        respondedAt: hoursAfterNoon(index)
      }))
      const tags = yield* Effect.forEach(
        answers,
        (answer) => tagOf(store.update(answer, [event(answer, answer.status)])),
        {
          concurrency: "unbounded"
        }
      )
      expect(tags.filter((tag) => tag === "done")).toHaveLength(1)
      expect(tags.filter((tag) => tag === "FriendshipChanged")).toHaveLength(3)
      const saved = Option.getOrThrow(yield* store.get(friendship.tenantId, friendship.id))
      expect(saved).toEqual(answers[tags.indexOf("done")])
      expect(yield* outboxOf(friendship)).toEqual(["sent", saved.status])
    })
  )

  it.effect("an unknown friendship cannot be changed, and publishes nothing", () =>
    Effect.gen(function* () {
      const store = yield* FriendshipStore
      const friendship = request(freshTenant(), "ada", "bob")
      expect(yield* tagOf(store.update({ ...friendship, status: "ACCEPTED" }, [event(friendship, "never")]))).toBe(
        "FriendshipChanged"
      )
      expect(yield* outboxOf(friendship)).toEqual([])
    })
  )

  it.effect("a friendship that cannot be saved publishes nothing", () =>
    Effect.gen(function* () {
      const store = yield* FriendshipStore
      const friendship = request(freshTenant(), "ada", "bob")
      yield* store.insert(friendship, [event(friendship, "sent")])
      const taken = { ...request(friendship.tenantId, "cleo", "dan"), id: friendship.id }
      expect(yield* tagOf(store.insert(taken, [event(friendship, "never")]))).toBe("StoreUnavailable")
      expect(yield* outboxOf(friendship)).toEqual(["sent"])
    })
  )

  it.effect("list gives both directions, newest first, by status and before a cursor", () =>
    Effect.gen(function* () {
      const store = yield* FriendshipStore
      const tenantId = freshTenant()
      const all = ["bob", "cleo", "dan", "eve", "fay"].map((other, index) =>
        index % 2 === 0 ? request(tenantId, "ada", other) : request(tenantId, other, "ada")
      )
      for (const friendship of all) yield* store.insert(friendship, [])
      yield* store.insert(request(tenantId, "bob", "cleo"), [])
      const [first, second, third, fourth, fifth] = all
      if (!first || !second || !third || !fourth || !fifth) throw new Error("five friendships")
      yield* store.update({ ...second, status: "ACCEPTED", respondedAt: noon }, [])
      const list = (filter: object) =>
        Effect.map(store.list(tenantId, { userId: user("ada"), limit: 10, ...filter }), (found) =>
          found.map(({ id }) => id)
        )
      expect(yield* list({})).toEqual([fifth, fourth, third, second, first].map(({ id }) => id))
      expect(yield* list({ limit: 2 })).toEqual([fifth.id, fourth.id])
      const listed = yield* store.list(tenantId, { userId: user("ada"), limit: 10 })
      const placeOf = (one: Friendship) => listed.find(({ id }) => id === one.id)?.ordinal
      expect(yield* list({ limit: 2, before: placeOf(fourth) })).toEqual([third.id, second.id])
      expect(yield* list({ status: "PENDING", before: placeOf(third) })).toEqual([first.id])
      expect(yield* list({ status: "ACCEPTED" })).toEqual([second.id])
      expect(yield* list({ before: placeOf(first) })).toEqual([])
      expect(yield* store.list(freshTenant(), { userId: user("ada"), limit: 10 })).toEqual([])
    })
  )

  it.effect("only one at a time has the outbox for itself, and what it removed stays removed when it fails", () =>
    Effect.gen(function* () {
      const outbox = yield* EventOutbox
      const has = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const first = yield* Effect.forkChild(
        outbox.exclusively(Effect.andThen(Deferred.succeed(has, undefined), Deferred.await(go)))
      )
      yield* Deferred.await(has)
      expect(yield* outbox.exclusively(Effect.succeed("second"))).toEqual(Option.none())
      yield* Deferred.succeed(go, undefined)
      expect(Option.isSome(yield* Fiber.join(first))).toBe(true)
      expect(yield* outbox.exclusively(Effect.succeed("third"))).toEqual(Option.some("third"))
      expect(yield* Effect.flip(outbox.exclusively(Effect.fail("no")))).toBe("no")
      expect(yield* outbox.exclusively(Effect.succeed("fourth"))).toEqual(Option.some("fourth"))
    })
  )

  it.effect("the outbox keeps entries in order, whole, until they are removed", () =>
    Effect.gen(function* () {
      const store = yield* FriendshipStore
      const outbox = yield* EventOutbox
      yield* outbox.remove((yield* outbox.peek(10_000)).map(({ id }) => id))
      const friendship = request(freshTenant(), "ada", "bob")
      const values = Array.from({ length: 12 }, (_, index) => JSON.stringify({ index, name: "Zoë \u0000 👋" }))
      yield* store.insert(
        friendship,
        values.map((value) => event(friendship, value))
      )
      yield* store.update({ ...friendship, status: "CANCELLED", respondedAt: noon }, [event(friendship, "last")])
      const entries = yield* outbox.peek(100)
      expect(entries.map(({ value }) => value)).toEqual([...values, "last"])
      expect(entries[0]).toEqual({ ...event(friendship, values[0] ?? ""), id: entries[0]?.id })
      expect(yield* outbox.peek(100)).toEqual(entries)
      expect(yield* outbox.peek(3)).toEqual(entries.slice(0, 3))
      yield* outbox.remove([entries[0]?.id ?? "", entries[2]?.id ?? ""])
      yield* outbox.remove([])
      expect(yield* outbox.peek(2)).toEqual([entries[1], entries[3]])
    })
  )
}
