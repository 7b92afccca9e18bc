/**
 * Topics over real sockets: who may watch and publish, what comes, and when it ends.
 */
import { assert, describe, expect, layer } from "@effect/vitest"
import { Effect, Queue } from "effect"
import type { Scope } from "effect"
import { http, Road, service, socketOf, token } from "./Road.ts"
import type { BareSocket, Closed, TokenOptions } from "./Road.ts"

const locationOf = (latitude: number) => ({ latitude, longitude: 13.4, heading: 90 })

let events = 0
const orderEvent = (orderId: string, eventType: string, other: Record<string, unknown>, as = service) =>
  http("/api/v1/events", {
    token: as,
    body: {
      eventId: `topics-${++events}`,
      eventType,
      orderId,
      timestamp: new Date().toISOString(),
      ...other
    }
  })

const nextTopic = (socket: BareSocket, tag = "Topic") =>
  Effect.repeat(Queue.take(socket.messages), { until: (message) => message._tag === tag })

/** Everything of topics that had come before a message that is published now. */
const topicsUntilNow = Effect.fnUntraced(function* (socket: BareSocket, publisher: BareSocket, mark: string) {
  expect((yield* socket.rpc("Watch", { topic: "app:marks" }))._tag).toBe("Success")
  expect((yield* publisher.rpc("Publish", { topic: "app:marks", data: mark }))._tag).toBe("Success")
  const seen: Array<{ readonly topic: string; readonly data: unknown }> = []
  while (true) {
    const message = yield* nextTopic(socket)
    if (message.topic === "app:marks" && message.data === mark) return seen
    seen.push({ topic: message.topic, data: message.data })
  }
})

const people = (
  ...options: ReadonlyArray<TokenOptions>
): Effect.Effect<Array<BareSocket>, Closed, Road | Scope.Scope> => Effect.forEach(options, socketOf)

const success = (value: unknown = null) => ({ _tag: "Success", value })
const statusOf = (exit: { readonly cause?: ReadonlyArray<{ readonly error: { readonly status: number } }> }) =>
  exit.cause?.[0]?.error.status

layer(Road.layer, { timeout: "60 seconds", excludeTestServices: true })("topics", (it) => {
  describe("a driver's location", () => {
    it.effect("reaches the customer of an active order, and nobody else", () =>
      Effect.gen(function* () {
        const [driver, customer, stranger, namesake, otherDriver, admin] = yield* people(
          { sub: "d1", roles: ["driver"] },
          { sub: "c1", roles: ["customer"] },
          { sub: "c2", roles: ["customer"] },
          { sub: "c1", roles: ["customer"], tenant: "other" },
          { sub: "d2", roles: ["driver"] },
          { sub: "boss", roles: ["admin"] }
        )
        assert(driver && customer && stranger && namesake && otherDriver && admin)
        const topic = "tracking:driver:d1"
        expect(statusOf(yield* customer.rpc("Watch", { topic }))).toBe(403)
        yield* orderEvent("o1", "driver_assigned", { customerId: "c1", driverId: "d1" })
        expect(yield* customer.rpc("Watch", { topic })).toEqual(success({ snapshot: null }))
        expect(yield* admin.rpc("Watch", { topic })).toEqual(success({ snapshot: null }))
        for (const other of [stranger, namesake, otherDriver]) {
          expect(statusOf(yield* other.rpc("Watch", { topic }))).toBe(403)
        }
        for (const other of [stranger, customer, otherDriver, admin]) {
          expect(statusOf(yield* other.rpc("Publish", { topic, data: locationOf(1) }))).toBe(403)
        }
        expect((yield* driver.rpc("Publish", { topic, data: locationOf(52.5) }))._tag).toBe("Success")
        const message = yield* nextTopic(customer)
        expect(message).toMatchObject({ _tag: "Topic", topic, data: locationOf(52.5) })
        expect((yield* nextTopic(admin)).data).toEqual(message.data)
        // Whoever comes later begins with the last one.
        expect(yield* driver.rpc("Watch", { topic })).toEqual(success({ snapshot: message.data }))
        const [publisher] = yield* people({ sub: "shop", roles: ["service"] })
        assert(publisher)
        expect(yield* topicsUntilNow(stranger, publisher, "stranger")).toEqual([])
      })
    )

    it.effect("comes no more when the order is delivered, and the follower is told", () =>
      Effect.gen(function* () {
        const [driver, customer, other, shop] = yield* people(
          { sub: "d3", roles: ["driver"] },
          { sub: "c3", roles: ["customer"] },
          { sub: "c4", roles: ["customer"] },
          { sub: "shop", roles: ["service"] }
        )
        assert(driver && customer && other && shop)
        const topic = "tracking:driver:d3"
        yield* orderEvent("o3", "order_accepted", { customerId: "c3", driverId: "d3" })
        yield* orderEvent("o4", "order_accepted", { customerId: "c4", driverId: "d3" })
        for (const socket of [customer, other]) expect((yield* socket.rpc("Watch", { topic }))._tag).toBe("Success")
        yield* orderEvent("o3", "order_delivered", { customerId: "c3" })
        expect(yield* nextTopic(customer, "TopicEnd")).toEqual({
          _tag: "TopicEnd",
          topic,
          reason: "topic: no active order of yours is with this driver"
        })
        yield* driver.rpc("Publish", { topic, data: locationOf(3) })
        expect((yield* nextTopic(other)).data.latitude).toBe(3)
        expect(yield* topicsUntilNow(customer, shop, "after")).toEqual([])
        expect(statusOf(yield* customer.rpc("Watch", { topic }))).toBe(403)
        // An event that comes late opens nothing again.
        yield* orderEvent("o3", "driver_nearby", { customerId: "c3", driverId: "d3" })
        expect(statusOf(yield* customer.rpc("Watch", { topic }))).toBe(403)
      })
    )

    it.effect("is told over HTTP too, at most twice in a second, and the newest is the last", () =>
      Effect.gen(function* () {
        const [driver] = yield* people({ sub: "d5", roles: ["driver"] })
        assert(driver)
        yield* driver.rpc("Watch", { topic: "tracking:driver:d5" })
        const tell = (body: unknown, roles = ["driver"]) =>
          http("/api/v1/users/me/location", { token: token({ sub: "d5", roles }), body })
        for (const latitude of [1, 2, 3, 4]) expect((yield* tell({ latitude, longitude: 0 })).status).toBe(204)
        expect((yield* nextTopic(driver)).data.latitude).toBe(1)
        expect((yield* nextTopic(driver)).data.latitude).toBe(4)
        expect((yield* tell({ latitude: 91, longitude: 0 })).status).toBe(400)
        expect((yield* tell({ latitude: 9, longitude: 0 }, ["customer"])).status).toBe(403)
        const bad = yield* driver.rpc("Publish", { topic: "tracking:driver:d5", data: { latitude: 9 } })
        expect(bad.cause[0].error).toMatchObject({ status: 422 })
        expect(bad.cause[0].error.detail).toContain("longitude")
      })
    )
  })

  describe("topics of apps", () => {
    it.effect("reach the users of their tenant only, until they unwatch", () =>
      Effect.gen(function* () {
        const [shop, ada, bob, foreign, foreignShop] = yield* people(
          { sub: "shop", roles: ["service"] },
          { sub: "ada" },
          { sub: "bob" },
          { sub: "ada", tenant: "other" },
          { sub: "shop", roles: ["service"], tenant: "other" }
        )
        assert(shop && ada && bob && foreign && foreignShop)
        for (const socket of [ada, bob, foreign]) {
          expect(yield* socket.rpc("Watch", { topic: "app:news" })).toEqual(success({ snapshot: null }))
        }
        expect(statusOf(yield* ada.rpc("Publish", { topic: "app:news", data: 1 }))).toBe(403)
        yield* foreignShop.rpc("Publish", { topic: "app:news", data: "theirs" })
        for (let count = 0; count < 20; count++) yield* shop.rpc("Publish", { topic: "app:news", data: { count } })
        for (const socket of [ada, bob]) {
          for (let count = 0; count < 20; count++) expect((yield* nextTopic(socket)).data).toEqual({ count })
        }
        expect((yield* nextTopic(foreign)).data).toBe("theirs")
        yield* bob.rpc("Unwatch", { topic: "app:news" })
        yield* shop.rpc("Publish", { topic: "app:news", data: "more" })
        expect((yield* nextTopic(ada)).data).toBe("more")
        expect(yield* topicsUntilNow(bob, shop, "bob")).toEqual([])
      })
    )

    it.effect("have limits that name themselves", () =>
      Effect.gen(function* () {
        const [shop, ada] = yield* people({ sub: "shop", roles: ["service"] }, { sub: "ada" })
        assert(shop && ada)
        for (const topic of ["nonsense", "weather:berlin", "tracking:driver:", "batch:", "app:"]) {
          const answer = yield* ada.rpc("Watch", { topic })
          expect(JSON.stringify(answer)).toMatch(/"Failure".*topic/i)
        }
        const long = yield* ada.rpc("Watch", { topic: `app:${"x".repeat(253)}` })
        expect(JSON.stringify(long)).toContain("256")
        const big = yield* shop.rpc("Publish", { topic: "app:big", data: "x".repeat(5_000) })
        expect(JSON.stringify(big)).toContain("4096")
        for (let index = 0; index < 100; index++) {
          expect((yield* ada.rpc("Watch", { topic: `app:many-${index}` }))._tag).toBe("Success")
        }
        const refused = yield* ada.rpc("Watch", { topic: "app:too-many" })
        expect(refused.cause[0].error.detail).toBe("topic: a socket watches at most 100 topics")
        // One that is watched already is no more.
        expect((yield* ada.rpc("Watch", { topic: "app:many-0" }))._tag).toBe("Success")
      })
    )
  })

  describe("presence", () => {
    // A tenant of its own: others come and go too.
    const shopToken = token({ tenant: "presence", sub: "shop", roles: ["service"] })
    const befriend = Effect.fnUntraced(function* (one: string, other: string) {
      const request = yield* http("/api/friendships/send-request", {
        token: token({ tenant: "presence", sub: one }),
        body: { requesterId: one, recipientId: other }
      })
      const id = request.body.friendshipId
      const answer = yield* http("/api/friendships/respond", {
        token: token({ tenant: "presence", sub: other }),
        body: { friendshipId: id, responderId: other, accept: true }
      })
      expect(answer.status).toBeLessThan(300)
    })

    it.effect("is shown to friends, services and admins, and to nobody else", () =>
      Effect.gen(function* () {
        yield* befriend("anna", "ben")
        const [anna, carl, shop] = yield* people(
          { tenant: "presence", sub: "anna" },
          { tenant: "presence", sub: "carl" },
          { tenant: "presence", sub: "shop", roles: ["service"] }
        )
        assert(anna && carl && shop)
        const as = {
          anna: token({ tenant: "presence", sub: "anna" }),
          carl: token({ tenant: "presence", sub: "carl" })
        }
        const topic = "presence:ben"
        expect(yield* anna.rpc("Watch", { topic })).toEqual(
          success({ snapshot: { user_id: "ben", online: false, since: null } })
        )
        expect((yield* shop.rpc("Watch", { topic: "presence" }))._tag).toBe("Success")
        expect(statusOf(yield* carl.rpc("Watch", { topic }))).toBe(403)
        expect(statusOf(yield* anna.rpc("Watch", { topic: "presence" }))).toBe(403)
        expect((yield* http("/api/v1/presence/ben", { token: as.carl })).status).toBe(403)
        expect((yield* http("/api/v1/presence/ben", { token: as.anna })).body.data.online).toBe(false)

        const [first, second] = yield* people({ tenant: "presence", sub: "ben" }, { tenant: "presence", sub: "ben" })
        assert(first && second)
        expect((yield* nextTopic(anna)).data).toMatchObject({ user_id: "ben", online: true })
        expect((yield* nextTopic(shop)).data).toMatchObject({ user_id: "ben", online: true })
        const now = yield* http("/api/v1/presence/ben", { token: as.anna })
        expect(now.body.data).toMatchObject({ user_id: "ben", online: true })
        expect(new Date(now.body.data.since).getTime()).toBeGreaterThan(Date.now() - 60_000)
        const query = (user_ids: ReadonlyArray<string>, by: string) =>
          http("/api/v1/presence/query", { token: by, body: { user_ids } })
        expect((yield* query(["ben", "nobody"], shopToken)).body.data).toEqual([
          { user_id: "ben", online: true },
          { user_id: "nobody", online: false }
        ])
        expect((yield* query(["ben", "anna"], as.anna)).status).toBe(200)
        expect((yield* query(["ben", "carl"], as.anna)).status).toBe(403)
        expect(
          (yield* query(
            Array.from({ length: 501 }, (_, n) => `u${n}`),
            service
          )).status
        ).toBe(400)

        // One of two sockets is not the end, and a quick return is no news.
        first.end()
        yield* first.closed
        second.end()
        yield* second.closed
        const [third] = yield* people({ tenant: "presence", sub: "ben" })
        assert(third)
        third.end()
        yield* third.closed
        expect((yield* nextTopic(anna)).data).toMatchObject({ user_id: "ben", online: false })
        expect((yield* nextTopic(shop)).data).toMatchObject({ user_id: "ben", online: false })
      })
    )
  })
})
