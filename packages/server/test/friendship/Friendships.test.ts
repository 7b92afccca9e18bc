import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Option, Queue, Schema } from "effect"
import { CallOrigin } from "@beckon/domain/CallOrigin"
import { Event } from "@beckon/domain/events/Event"
import { FriendshipId } from "@beckon/domain/Friendship"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import type { Identity } from "@beckon/domain/Identity"
import { EventBus } from "@beckon/domain/ports/EventBus"
import type { EventRecord } from "@beckon/domain/ports/EventBus"
import { FriendshipChanged, FriendshipStore } from "@beckon/domain/ports/FriendshipStore"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import * as InProcessEventBus from "@beckon/infra/memory/InProcessEventBus"
import * as MemoryFriendshipStore from "@beckon/infra/memory/MemoryFriendshipStore"
import * as MemoryUserDirectory from "@beckon/infra/memory/MemoryUserDirectory"
import { Friendships } from "../../src/friendship/Friendships.ts"
import { OutboxRelay } from "../../src/ingest/OutboxRelay.ts"

const tenantId = TenantId.make("acme")
const ada = UserId.make("ada")
const bob = UserId.make("bob")
const as = (userId: UserId, roles: ReadonlyArray<string> = ["user"], tenant = tenantId): Identity => ({
  tenantId: tenant,
  userId,
  roles,
  expiresAt: 2 ** 45
})

type Store = FriendshipStore["Service"]

const layer = (change: (store: Store) => Partial<Store> = () => ({})) =>
  Friendships.layer.pipe(
    Layer.provideMerge(OutboxRelay.layer),
    Layer.provideMerge(
      Layer.effect(
        FriendshipStore,
        Effect.map(FriendshipStore, (store) => ({ ...store, ...change(store) }))
      )
    ),
    Layer.provideMerge([MemoryFriendshipStore.layer, MemoryUserDirectory.layer, InProcessEventBus.layer])
  )

const problemOf = <A, E extends { readonly status: number; readonly detail?: string | undefined }>(
  effect: Effect.Effect<A, E>
) =>
  Effect.map(Effect.exit(effect), (exit) =>
    Option.getOrUndefined(
      Option.map(Exit.findErrorOption(exit), ({ detail, status }) => [status, detail?.split(":")[0]])
    )
  )

/** What the relay publishes, in order. */
const published = Effect.gen(function* () {
  const bus = yield* EventBus
  const records = yield* Queue.unbounded<EventRecord>()
  yield* bus.consume("friend-request-events", "test", (batch) => Queue.offerAll(records, batch))
  return records
})

describe("Friendships", () => {
  it.live("publishes R0's event of each change, keyed by the friendship, with the names of both", () =>
    Effect.gen(function* () {
      const records = yield* published
      const friendships = yield* Friendships
      const directory = yield* UserDirectory
      yield* directory.remember(tenantId, { userId: ada, name: "Ada", email: "ada@example.com", image: null })
      const { id } = yield* friendships.send(as(ada), ada, bob)
      yield* friendships.respond(as(bob), id, bob, true)
      const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Event))
      const sent = yield* Queue.take(records)
      const accepted = yield* Queue.take(records)
      assert.deepInclude(sent, { topic: "friend-request-events", key: id, headers: { tenant: "acme" } })
      assert.deepInclude(JSON.parse(sent.value), {
        eventType: "FRIEND_REQUEST_SENT",
        friendshipId: id,
        requesterId: "ada",
        requesterName: "Ada",
        requesterEmail: "ada@example.com",
        requesterImage: null,
        recipientId: "bob",
        recipientName: null,
        friendshipStatus: "PENDING",
        source: "friendship-service",
        notificationPriority: 2
      })
      assert.deepInclude(JSON.parse(accepted.value), {
        eventType: "FRIEND_REQUEST_ACCEPTED",
        friendshipStatus: "ACCEPTED"
      })
      assert.notStrictEqual(decode(sent.value).eventId, decode(accepted.value).eventId)
    }).pipe(Effect.scoped, Effect.provide(layer()))
  )

  it.live("lets one act for oneself, a service for anyone, and nobody in another tenant", () =>
    Effect.gen(function* () {
      const friendships = yield* Friendships
      assert.deepStrictEqual(yield* problemOf(friendships.send(as(bob), ada, bob)), [403, "requesterId"])
      assert.deepStrictEqual(yield* problemOf(friendships.send(as(ada), ada, ada)), [422, "recipientId"])
      const { id } = yield* friendships.send(as(UserId.make("shop"), ["service"]), ada, bob)
      assert.deepStrictEqual(yield* problemOf(friendships.send(as(ada), ada, bob)), [409, "recipientId"])
      assert.deepStrictEqual(yield* problemOf(friendships.send(as(bob), bob, ada)), [409, "recipientId"])
      assert.deepStrictEqual(yield* problemOf(friendships.respond(as(ada), id, bob, true)), [403, "responderId"])
      assert.deepStrictEqual(yield* problemOf(friendships.respond(as(ada), id, ada, true)), [403, "responderId"])
      const elsewhere = as(bob, ["admin"], TenantId.make("other"))
      assert.deepStrictEqual(yield* problemOf(friendships.respond(elsewhere, id, bob, true)), [404, "friendshipId"])
      assert.deepStrictEqual(yield* problemOf(friendships.cancel(as(bob), id, bob)), [403, "requesterId"])
      assert.strictEqual((yield* friendships.cancel(as(ada), id, ada)).status, "CANCELLED")
      assert.deepStrictEqual(yield* problemOf(friendships.respond(as(bob), id, bob, true)), [409, "friendshipId"])
      assert.deepStrictEqual(yield* problemOf(friendships.cancel(as(ada), FriendshipId.make("nothing"), ada)), [
        404,
        "friendshipId"
      ])
      assert.deepStrictEqual(yield* friendships.list(elsewhere, { limit: 10 }), [])
      assert.deepStrictEqual(
        (yield* friendships.list(as(bob), { limit: 10 })).map(({ status }) => status),
        ["CANCELLED"]
      )
    }).pipe(Effect.provide(layer()))
  )

  it.live("makes one of many requests at once, from both sides", () =>
    Effect.gen(function* () {
      const friendships = yield* Friendships
      const exits = yield* Effect.forEach(
        Array.from({ length: 20 }),
        (_, index) =>
          Effect.exit(index % 2 === 0 ? friendships.send(as(ada), ada, bob) : friendships.send(as(bob), bob, ada)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(exits.filter(Exit.isSuccess).length, 1)
      const [request] = yield* friendships.list(as(ada), { limit: 10 })
      if (request === undefined) return assert.fail()
      const answers = yield* Effect.forEach(
        Array.from({ length: 20 }),
        (_, index) =>
          Effect.exit(friendships.respond(as(request.recipientId), request.id, request.recipientId, index % 2 === 0)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(answers.filter(Exit.isSuccess).length, 1)
    }).pipe(Effect.provide(layer()))
  )

  it.live("decides anew when somebody else was faster, and gives up politely", () => {
    let races = 2
    return Effect.gen(function* () {
      const friendships = yield* Friendships
      assert.strictEqual((yield* friendships.send(as(ada), ada, bob)).status, "PENDING")
      races = 100
      assert.deepStrictEqual(yield* problemOf(friendships.send(as(ada), ada, UserId.make("cid"))), [
        503,
        "The friend request changes at this moment; try again."
      ])
    }).pipe(
      Effect.provide(
        layer((store) => ({
          insert: (friendship, events) =>
            races-- > 0 ? Effect.fail(new FriendshipChanged()) : store.insert(friendship, events)
        }))
      )
    )
  })

  it.live("says in the headers of the event which call it comes from", () =>
    Effect.gen(function* () {
      const records = yield* published
      const friendships = yield* Friendships
      const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
      yield* Effect.provideService(friendships.send(as(ada), ada, bob), CallOrigin, {
        address: "::1",
        correlationId: "c-1",
        traceparent
      })
      const { headers } = yield* Queue.take(records)
      assert.deepStrictEqual(headers, { tenant: "acme", "x-correlation-id": "c-1", traceparent })
    }).pipe(Effect.provide(layer()))
  )
})
