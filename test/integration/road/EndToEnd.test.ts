import { assert, layer } from "@effect/vitest"
import { Effect, Queue, Stream, SubscriptionRef } from "effect"
import { OpenApi } from "effect/http-api"
import { InboxClient } from "@beckon/client/InboxClient"
import type { InboxEvent } from "@beckon/client/InboxClient"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { bareSocket, http, Road, send, service, socketOf, token } from "./Road.ts"

/** A connected client of a user, with its events; it has everything up to now. */
const clientOf = Effect.fnUntraced(function* (user: string, other: { readonly name?: string } = {}) {
  const { url } = yield* Road
  const client = yield* InboxClient.make({ url, token: token({ sub: user, ...other }) })
  const events = yield* Queue.unbounded<InboxEvent>()
  yield* Effect.forkScoped(Stream.runForEach(client.frames, (event) => Queue.offer(events, event)))
  const until = <A extends InboxEvent>(is: (event: InboxEvent) => event is A) =>
    Effect.gen(function* () {
      while (true) {
        const event = yield* Queue.take(events)
        if (is(event)) return event
      }
    })
  yield* until((event) => event._tag === "CaughtUp")
  const notification = until((event) => event._tag === "Notification")
  const unread = Effect.map(SubscriptionRef.get(client.state), ({ unread }) => unread)
  return { client, events, until, notification, unread }
})

layer(Road.layer, { timeout: "60 seconds", excludeTestServices: true })("the road", (it) => {
  it.effect("leads from a service's call to every device of the user", () =>
    Effect.gen(function* () {
      const phone = yield* clientOf("ada")
      const laptop = yield* clientOf("ada")
      const answer = yield* http("/api/v1/services/notifications/send", {
        token: service,
        body: {
          user_id: "ada",
          type: "order_created",
          title: "New Order",
          message: "2.4km away",
          priority: "high",
          data: { orderId: "42" },
          dedupe_key: "k"
        }
      })
      assert.strictEqual(answer.status, 202)
      assert.deepInclude(answer.body.data, { user_id: "ada", seq: 1, duplicate: false })
      for (const device of [phone, laptop]) {
        const { notification, unread } = yield* device.notification
        assert.deepInclude(notification, {
          id: answer.body.data.id,
          seq: 1,
          title: "New Order",
          message: "2.4km away",
          priority: "high",
          readAt: null
        })
        assert.deepStrictEqual(notification.data, { orderId: "42" })
        assert.strictEqual(unread, 1)
      }
      const again = yield* send("ada", { dedupe_key: "k" })
      assert.deepInclude(again, { id: answer.body.data.id, seq: 1, duplicate: true })
      const other = yield* send("ada")
      assert.strictEqual((yield* phone.notification).notification.id, other.id)
    })
  )

  it.effect("leads a friend request to the recipient, and the answer to the requester", () =>
    Effect.gen(function* () {
      const ann = yield* clientOf("ann", { name: "Ann" })
      const ben = yield* clientOf("ben", { name: "Ben" })
      const asAnn = token({ sub: "ann", name: "Ann" })
      const asBen = token({ sub: "ben", name: "Ben" })
      const ask = (body: unknown, as = asAnn) => http("/api/friendships/send-request", { token: as, body })
      const answerTo = (body: unknown, as = asBen) => http("/api/friendships/respond", { token: as, body })

      const asked = yield* ask({ requesterId: "ann", recipientId: "ben" })
      assert.strictEqual(asked.status, 201)
      assert.deepInclude(asked.body, { requesterId: "ann", recipientId: "ben", status: "PENDING", respondedAt: null })
      const received = yield* ben.notification
      assert.deepInclude(received.notification, {
        type: "FRIEND_REQUEST_RECEIVED",
        title: "New Friend Request",
        message: "Ann sent you a friend request",
        priority: "medium"
      })
      assert.strictEqual(received.unread, 1)
      assert.strictEqual(yield* ben.unread, 1)
      const { friendshipId } = asked.body

      assert.strictEqual((yield* ask({ requesterId: "ann", recipientId: "ben" })).status, 409)
      assert.strictEqual((yield* ask({ requesterId: "ben", recipientId: "ann" }, asBen)).status, 409)
      assert.strictEqual((yield* ask({ requesterId: "ann", recipientId: "ann" })).status, 422)
      assert.strictEqual((yield* ask({ requesterId: "ben", recipientId: "cid" })).status, 403)
      assert.strictEqual((yield* answerTo({ friendshipId, responderId: "ann", accept: true }, asAnn)).status, 403)
      assert.strictEqual((yield* answerTo({ friendshipId: "nothing", responderId: "ben", accept: true })).status, 404)

      const accepted = yield* answerTo({ friendshipId, responderId: "ben", accept: true })
      assert.deepInclude(accepted.body, { friendshipId, status: "ACCEPTED" })
      const told = yield* ann.notification
      assert.deepInclude(told.notification, {
        type: "FRIEND_REQUEST_ACCEPTED",
        title: "Friend Request Accepted",
        message: "Ben accepted your friend request!"
      })
      assert.strictEqual((yield* answerTo({ friendshipId, responderId: "ben", accept: false })).status, 409)

      const second = yield* ask({ requesterId: "ann", recipientId: "cid" })
      const declined = yield* answerTo(
        { friendshipId: second.body.friendshipId, responderId: "cid", accept: false },
        token({ sub: "cid" })
      )
      assert.strictEqual(declined.body.status, "REJECTED")
      assert.deepInclude((yield* ann.notification).notification, {
        type: "FRIEND_REQUEST_REJECTED",
        title: "Friend Request Declined",
        message: "Your friend request was declined",
        priority: "low"
      })

      const third = yield* ask({ requesterId: "ann", recipientId: "cid" })
      const withdraw = { friendshipId: third.body.friendshipId, requesterId: "ann" }
      assert.strictEqual(
        (yield* http("/api/friendships/cancel", { token: asAnn, body: withdraw })).body.status,
        "CANCELLED"
      )
      assert.strictEqual((yield* http("/api/friendships/cancel", { token: asAnn, body: withdraw })).status, 409)

      const first = yield* http("/api/friendships?limit=2", { token: asAnn })
      const rest = yield* http(`/api/friendships?limit=2&cursor=${first.body.meta.nextCursor}`, { token: asAnn })
      assert.deepStrictEqual(
        [...first.body.data, ...rest.body.data].map(({ status }: { status: string }) => status),
        ["CANCELLED", "REJECTED", "ACCEPTED"]
      )
      assert.strictEqual(rest.body.meta.nextCursor, null)
      const open = yield* http("/api/friendships?status=ACCEPTED", { token: asBen })
      assert.deepStrictEqual(
        open.body.data.map((one: { friendshipId: string }) => one.friendshipId),
        [friendshipId]
      )
    })
  )

  it.effect("leads a friend request with integer ids, and with a name as long as a token may carry", () =>
    Effect.gen(function* () {
      const name = "N".repeat(256)
      yield* socketOf({ sub: "501", name })
      const eve = yield* clientOf("502")
      const asked = yield* http("/api/friendships/send-request", {
        token: token({ sub: "501", name }),
        body: { requesterId: 501, recipientId: 502 }
      })
      assert.strictEqual(asked.status, 201)
      assert.strictEqual((yield* eve.notification).notification.message, `${name} sent you a friend request`)
      const { friendshipId } = asked.body
      const accepted = yield* http("/api/friendships/respond", {
        token: token({ sub: "502" }),
        body: { friendshipId, responderId: 502, accept: true }
      })
      assert.strictEqual(accepted.status, 200)
    })
  )

  it.effect("leads events, plain, many, as CloudEvents, once however often they come; or none of them", () =>
    Effect.gen(function* () {
      const ingest = (body: unknown, contentType?: string) =>
        http("/api/v1/events", { token: service, body, ...(contentType === undefined ? {} : { contentType }) })
      const driver = yield* clientOf("d1")
      const order = {
        eventId: "o1",
        eventType: "order_created",
        orderId: 42,
        customerId: "c1",
        nearbyDrivers: [
          { driverId: "d1", distanceKm: 2.44 },
          { driverId: "d2", distanceKm: 1 }
        ],
        timestamp: "2026-01-31T10:00:00"
      }
      const first = yield* ingest(order)
      assert.strictEqual(first.status, 202)
      assert.deepStrictEqual(
        first.body.data.map(({ event_id, notifications }: Record<string, Array<Record<string, unknown>>>) => [
          event_id,
          notifications?.map(({ user_id }) => user_id)
        ]),
        [["o1", ["d1", "d2"]]]
      )
      assert.strictEqual((yield* driver.notification).notification.message, "Order #42 is 2.4km away. Accept now!")
      const again = yield* ingest(order)
      assert.isTrue(again.body.data[0].notifications.every(({ duplicate }: { duplicate: boolean }) => duplicate))
      assert.deepStrictEqual(again.body.data[0].notifications[0].id, first.body.data[0].notifications[0].id)

      const change = { ...order, eventId: "o2", eventType: "order_delivered" }
      const data = { orderId: 42, customerId: "c1" }
      const cloud = {
        specversion: "1.0",
        id: "ce1",
        source: "/shop",
        type: "com.example.driver_nearby",
        time: "2026-01-31T10:00:00Z",
        data
      }
      const many = yield* ingest([change, cloud])
      assert.deepStrictEqual(
        many.body.data.map(({ event_id }: { event_id: string }) => event_id),
        ["o2", "ce1"]
      )
      assert.isTrue((yield* ingest(cloud, "application/cloudevents+json")).body.data[0].notifications[0].duplicate)
      const batch = yield* ingest(
        [
          { ...cloud, id: "ce2" },
          { ...cloud, id: "ce3" }
        ],
        "application/cloudevents-batch+json"
      )
      assert.strictEqual(batch.body.data.length, 2)

      const before = yield* http("/api/v1/users/me/unread-count", { token: token({ sub: "c1" }) })
      for (const bad of [
        [{ ...change, eventId: "o9" }, { nonsense: true }],
        [],
        {},
        { ...change, timestamp: "soon" },
        Array.from({ length: 501 }, () => change)
      ]) {
        const refused = yield* ingest(bad)
        assert.strictEqual(refused.status, 400)
        assert.match(refused.type, /^application\/problem\+json/)
      }
      assert.deepStrictEqual(
        (yield* http("/api/v1/users/me/unread-count", { token: token({ sub: "c1" }) })).body,
        before.body
      )
      assert.strictEqual(before.body.data.unread, 4)
      assert.strictEqual((yield* http("/api/v1/events", { token: token({ sub: "c1" }), body: change })).status, 403)
    })
  )

  const me = (path: string, user: string, body?: unknown) =>
    http(`/api/v1/users/me${path}`, { token: token({ sub: user }), ...(body === undefined ? {} : { body }) })

  it.effect("an inbox that is read on one device is read on all, over either protocol", () =>
    Effect.gen(function* () {
      const phone = yield* clientOf("mia")
      const laptop = yield* clientOf("mia")
      const ids: Array<string> = []
      for (let seq = 1; seq <= 4; seq++) ids.push((yield* send("mia")).id)
      const [one, two, three, four] = ids
      const changed = (device: typeof phone) => device.until((event) => event._tag === "Changed")

      const read = yield* phone.client.markRead([one ?? ""])
      assert.deepStrictEqual(read, { changed: 1, unread: 3 })
      const told = yield* changed(laptop)
      assert.deepStrictEqual(
        told.changes.map(({ deleted, id, readAt }) => [id, deleted, readAt !== null]),
        [[one, false, true]]
      )
      assert.strictEqual(yield* laptop.unread, 3)

      assert.deepStrictEqual((yield* me("/notifications/unread", "mia", { ids: [one] })).body, {
        data: { changed: 1, unread: 4 }
      })
      assert.strictEqual((yield* changed(laptop)).unread, 4)
      assert.deepStrictEqual((yield* me("/notifications/bulk-delete", "mia", { ids: [two] })).body, {
        data: { changed: 1, unread: 3 }
      })
      assert.isTrue((yield* changed(laptop)).changes[0]?.deleted)
      assert.strictEqual((yield* me(`/notifications/${two}`, "mia")).status, 404)
      assert.strictEqual((yield* me(`/notifications/${three}`, "mia")).body.data.seq, 3)

      assert.deepStrictEqual((yield* me("/notifications/read", "mia", { all: true })).body, {
        data: { changed: 3, unread: 0 }
      })
      const all = yield* laptop.until((event) => event._tag === "AllRead")
      assert.deepInclude(all, { unread: 0, upToSeq: 4 })
      assert.deepStrictEqual((yield* me("/unread-count", "mia")).body, { data: { unread: 0 } })

      // Another user's ids change nothing, whoever asks and however.
      for (const path of ["/notifications/unread", "/notifications/read", "/notifications/bulk-delete"]) {
        assert.deepStrictEqual((yield* me(path, "eve", { ids: [three, four] })).body, {
          data: { changed: 0, unread: 0 }
        })
      }
      assert.strictEqual((yield* me(`/notifications/${three}`, "eve")).status, 404)
      const eve = yield* socketOf({ sub: "eve" })
      assert.deepStrictEqual(yield* eve.rpc("Delete", { ids: [three, four] }), {
        _tag: "Success",
        value: { changed: 0, unread: 0 }
      })
      const sameNameElsewhere = yield* http(`/api/v1/users/me/notifications/${three}`, {
        token: token({ sub: "mia", tenant: "other" })
      })
      assert.strictEqual(sameNameElsewhere.status, 404)
      assert.strictEqual((yield* me(`/notifications/${three}`, "mia")).body.data.id, three)
    })
  )

  it.effect("an inbox lists newest first, by pages and filters", () =>
    Effect.gen(function* () {
      for (let seq = 1; seq <= 12; seq++) {
        yield* send("lou", {
          type: seq % 3 === 0 ? "payment_received" : "order_created",
          priority: seq % 2 === 0 ? "high" : "low"
        })
      }
      const seqsOf = ({ body }: { body: { data: ReadonlyArray<{ seq: number }> } }) => body.data.map(({ seq }) => seq)
      const page = yield* me("/notifications?limit=5", "lou")
      assert.deepStrictEqual(seqsOf(page), [12, 11, 10, 9, 8])
      assert.deepInclude(page.body.meta, { limit: 5, unread: 12 })
      assert.hasAllKeys(page.body.data[0], [
        "id",
        "seq",
        "type",
        "title",
        "message",
        "priority",
        "created_at",
        "read_at"
      ])
      const next = yield* me(`/notifications?limit=5&cursor=${page.body.meta.next_cursor}`, "lou")
      assert.deepStrictEqual(seqsOf(next), [7, 6, 5, 4, 3])
      const last = yield* me(`/notifications?limit=5&cursor=${next.body.meta.next_cursor}`, "lou")
      assert.deepStrictEqual([seqsOf(last), last.body.meta.next_cursor], [[2, 1], null])

      assert.deepStrictEqual(seqsOf(yield* me("/notifications?type=payment_received", "lou")), [12, 9, 6, 3])
      assert.deepStrictEqual(seqsOf(yield* me("/notifications?type=payment_received&priority=high", "lou")), [12, 6])
      assert.strictEqual(seqsOf(yield* me("/notifications?type=payment_received&type=order_created", "lou")).length, 12)
      yield* me("/notifications/read", "lou", { ids: page.body.data.map(({ id }: { id: string }) => id) })
      assert.deepStrictEqual(seqsOf(yield* me("/notifications?status=read", "lou")), [12, 11, 10, 9, 8])
      assert.deepStrictEqual(seqsOf(yield* me("/notifications?status=unread&limit=2", "lou")), [7, 6])
      const third: string = next.body.data.at(-1).created_at
      assert.isAbove(seqsOf(yield* me(`/notifications?since=${encodeURIComponent(third)}`, "lou")).length, 9)
      assert.deepStrictEqual(seqsOf(yield* me("/notifications?until=2020-01-01T00:00:00Z", "lou")), [])

      const lou = yield* socketOf({ sub: "lou" })
      const listed = yield* lou.rpc("List", { limit: 3, status: "unread", types: ["order_created"] })
      assert.deepStrictEqual(
        listed.value.items.map(({ seq }: { seq: number }) => seq),
        [7, 5, 4]
      )
      assert.strictEqual(listed.value.unread, 7)

      for (const query of [
        "limit=0",
        "limit=101",
        "limit=x",
        "status=new",
        "since=soon",
        "until=%2B275760-01-01T00:00:00Z",
        "cursor="
      ]) {
        assert.strictEqual((yield* me(`/notifications?${query}`, "lou")).status, 400, query)
      }
      for (const cursor of [
        "AAAA",
        "nonsense",
        Buffer.from("s:-1").toString("base64url"),
        Buffer.from("s:9999999999999999999").toString("base64url")
      ]) {
        assert.strictEqual((yield* me(`/notifications?cursor=${cursor}`, "lou")).status, 422, cursor)
      }
      for (const id of ["\u0000", "x".repeat(65), "a\nb"]) {
        const cursor = Buffer.from(`i:${id}`).toString("base64url")
        const answer = yield* http(`/api/friendships?cursor=${cursor}`, { token: token({ sub: "lou" }) })
        assert.strictEqual(answer.status, 422, JSON.stringify(id))
      }
    })
  )

  it.effect("an inbox keeps devices and preferences", () =>
    Effect.gen(function* () {
      const ada = yield* socketOf({ sub: "ada" })
      const ok = { _tag: "Success" }
      assert.deepInclude(yield* ada.rpc("RegisterDevice", { platform: "ios", token: "t1" }), ok)
      assert.deepInclude(yield* ada.rpc("UnregisterDevice", { token: "t1" }), ok)
      const unknown = yield* ada.rpc("UnregisterDevice", { token: "t1" })
      assert.strictEqual(unknown.cause[0].error.status, 404)
      assert.deepStrictEqual((yield* ada.rpc("GetPreferences")).value, { channels: {}, mutedTypes: [] })
      const wishes = { channels: { push: false }, mutedTypes: ["order_created"] }
      assert.deepInclude(yield* ada.rpc("SetPreferences", wishes), ok)
      assert.deepStrictEqual((yield* ada.rpc("GetPreferences")).value, wishes)
      const inboxOff = yield* ada.rpc("SetPreferences", { channels: { in_app: false }, mutedTypes: [] })
      assert.deepInclude(inboxOff.cause[0].error, {
        status: 422,
        detail: "channels.in_app: the inbox keeps everything and cannot be switched off"
      })
      const eve = yield* socketOf({ sub: "eve" })
      assert.deepStrictEqual((yield* eve.rpc("GetPreferences")).value, { channels: {}, mutedTypes: [] })
      for (const wrong of [
        { channels: { push: "yes" }, mutedTypes: [] },
        { channels: {}, mutedTypes: ["\n"] },
        { channels: { pigeon: true }, mutedTypes: [] },
        { platform: "palm", token: "t" }
      ]) {
        assert.strictEqual(
          (yield* ada.rpc("platform" in wrong ? "RegisterDevice" : "SetPreferences", wrong))._tag,
          "Failure"
        )
      }
    })
  )

  it.effect("the socket sends for a service, and for nobody else", () =>
    Effect.gen(function* () {
      const shop = yield* socketOf({ sub: "shop", roles: ["service"] })
      const notifications = ["sue", "sam", "sue"].map((userId) => ({ userId, type: "t", title: "x", message: "" }))
      const sent = yield* shop.rpc("SendNotifications", { notifications })
      assert.deepStrictEqual(
        sent.value.map(({ seq }: { seq: number }) => seq),
        [1, 1, 2]
      )
      const ada = yield* socketOf({ sub: "ada" })
      assert.strictEqual((yield* ada.rpc("SendNotifications", { notifications })).cause[0].error.status, 403)
      const refused = yield* http("/api/v1/services/notifications/send", {
        token: token({ sub: "ada" }),
        body: { user_id: "bob", type: "t", title: "x", message: "" }
      })
      assert.deepStrictEqual([refused.status, refused.body.type], [403, "urn:beckon:problem:forbidden"])
    })
  )

  const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds

  it.effect("a token that expires closes its socket with 4002, unless a new one of the same user came in time", () =>
    Effect.gen(function* () {
      const expiring = yield* socketOf({ sub: "ada", exp: inSeconds(2) })
      const renewed = yield* socketOf({ sub: "ada", exp: inSeconds(2) })
      const foreign = yield* renewed.rpc("RefreshToken", { token: token({ sub: "eve" }) })
      assert.strictEqual(foreign.cause[0].error.status, 403)
      const forged = yield* renewed.rpc("RefreshToken", {
        token: token({ sub: "ada", secret: "another secret of 32 bytes or more" })
      })
      assert.strictEqual(forged.cause[0].error.status, 401)
      const refreshed = yield* renewed.rpc("RefreshToken", { token: token({ sub: "ada" }) })
      assert.strictEqual(refreshed._tag, "Success")
      assert.strictEqual((yield* expiring.closed).code, 4002)
      assert.deepStrictEqual((yield* renewed.rpc("UnreadCount"))._tag, "Success")
      assert.isFalse(renewed.isClosed())
    })
  )

  it.effect("a token is needed, and must be ours, in time and whole", () =>
    Effect.gen(function* () {
      const bad = [
        undefined,
        "",
        "nonsense",
        token({ sub: "ada", exp: inSeconds(-60) }),
        token({ sub: "ada", secret: "another secret of 32 bytes or more" }),
        token({ sub: "ada", algorithm: "none" }),
        token({ sub: "" }),
        token({ sub: "a\u0000b" }),
        token({ sub: "ada", tenant: "" }),
        `${token({ sub: "ada" })}x`
      ]
      for (const one of bad) {
        const answer = yield* http("/api/v1/users/me/unread-count", one === undefined ? {} : { token: one })
        assert.strictEqual(answer.status, 401, one)
        assert.match(answer.type, /^application\/problem\+json/)
        assert.strictEqual(answer.body.type, "urn:beckon:problem:unauthorized")
        const { url } = yield* Road
        if (one === undefined || one === "") continue
        const refused = yield* Effect.flip(Effect.scoped(Effect.asVoid(bareSocket(url, one))))
        assert.strictEqual(refused.code, 1006)
      }
    })
  )

  it.effect("the API says that it lives and is ready", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* http("/health/live")).body, { status: "live" })
      const ready = yield* http("/health/ready")
      assert.strictEqual(ready.status, 200)
      assert.strictEqual(ready.body.database.kind, "pglite")
      assert.isAtLeast(ready.body.database.table_count, 8)
      assert.isAtLeast(ready.body.database.latency_ms, 0)
    })
  )

  it.effect("the API documents every path", () =>
    Effect.gen(function* () {
      const { body, status } = yield* http("/openapi.json")
      assert.strictEqual(status, 200)
      assert.match(body.openapi, /^3\.1/)
      const operations = Object.entries<Record<string, { responses: object; security?: object }>>(body.paths).flatMap(
        ([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`)
      )
      assert.deepStrictEqual(
        operations.toSorted(),
        Object.entries(OpenApi.fromApi(BeckonApi).paths)
          .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`))
          .toSorted()
      )
      assert.includeMembers(operations, [
        "post /api/friendships/respond",
        "post /api/friendships/send-request",
        "post /api/v1/events",
        "get /api/v1/notifications/{id}",
        "post /api/v1/notifications",
        "get /api/v1/users/me/notifications",
        "get /api/v1/users/me/unread-count",
        "post /api/v1/users/me/notifications/bulk-delete",
        "put /api/v1/users/me/preferences",
        "post /api/v1/users/me/location",
        "get /api/v1/presence/{userId}",
        "post /api/v1/presence/query",
        "post /api/v1/services/notifications/send",
        "post /api/v1/services/notifications/send-batch",
        "post /api/v1/services/notifications/send-chunk",
        "post /api/v1/services/notifications/bulk/csv",
        "get /api/v1/services/batches",
        "get /api/v1/services/batches/{id}",
        "get /api/v1/services/batches/{id}/errors",
        "get /api/v1/services/batches/{id}/errors.csv",
        "post /api/v1/services/batches/{id}/cancel",
        "post /api/v1/services/batches/{id}/pause",
        "post /api/v1/services/batches/{id}/resume",
        "get /api/v1/admin/templates",
        "post /api/v1/admin/api-keys",
        "post /api/v1/admin/api-keys/{id}/rotate",
        "post /api/v1/admin/revocations",
        "put /api/v1/admin/routing-policy",
        "get /health/ready"
      ])
      // Every reference leads somewhere.
      const references = [...JSON.stringify(body).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = ""]) => path)
      for (const reference of references) {
        const target = reference
          .split("/")
          .reduce(
            (node: Record<string, never> | undefined, name) => node?.[decodeURIComponent(name).replaceAll("~1", "/")],
            body
          )
        assert.isDefined(target, reference)
      }
    })
  )

  it.effect("the API answers every error as a problem document", () =>
    Effect.gen(function* () {
      const ada = token({ sub: "ada" })
      const cases = [
        [401, "/api/v1/users/me/notifications", {}],
        [
          403,
          "/api/v1/services/notifications/send",
          { token: ada, body: { user_id: "bob", type: "t", title: "x", message: "" } }
        ],
        [404, "/api/v1/users/me/notifications/nothing", { token: ada }],
        [404, "/nothing", {}],
        [400, "/api/v1/services/notifications/send", { token: service, body: {} }],
        [400, "/api/v1/services/notifications/send", { token: service, body: "{" }],
        [422, "/api/v1/users/me/notifications?cursor=AAAA", { token: ada }],
        [422, "/api/friendships/send-request", { token: ada, body: { requesterId: "ada", recipientId: "ada" } }]
      ] as const
      for (const [status, path, options] of cases) {
        const answer = yield* http(path, options)
        assert.strictEqual(answer.status, status, path)
        assert.match(answer.type, /^application\/problem\+json/, path)
        assert.strictEqual(answer.body.status, status, path)
        assert.isString(answer.body.title, path)
      }
      const limits = yield* http("/api/v1/services/notifications/send", {
        token: service,
        body: { user_id: "ada", type: "t", title: "x".repeat(257), message: "" }
      })
      assert.deepStrictEqual(limits.body.errors, [
        { path: ["payload", "title"], message: "Expected a value with a length of at most 256" }
      ])
    })
  )
})
