import { assert, layer } from "@effect/vitest"
import { DateTime, Duration, Effect, Layer } from "effect"
import { HttpApi, HttpApiMiddleware } from "effect/http-api"
import { DeadLetterApi, DeliveryApi } from "@beckon/domain/api/DeliveryApi"
import { PushTopicApi } from "@beckon/domain/api/PushTopicApi"
import type { DeliveryChannel } from "@beckon/domain/Delivery"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { DeadLetters } from "@beckon/domain/ports/DeadLetters"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import * as DeadLetterHandlers from "../../src/api/DeadLetterHandlers.ts"
import * as DeliveryHandlers from "../../src/api/DeliveryHandlers.ts"
import * as PushTopicHandlers from "../../src/api/PushTopicHandlers.ts"
import { tenantId } from "../mailbox/Fixture.ts"
import { layerDeliveries, TopicCalls } from "./NotificationServices.ts"
import type { Answer } from "./ApiServer.ts"
import { call, layerOf } from "./ApiServer.ts"

const api = HttpApi.make("beckon")
  .add(DeliveryApi)
  .add(DeadLetterApi)
  .add(PushTopicApi)
  .middleware(HttpApiMiddleware.ProblemDetails)

const handlers = Layer.mergeAll(DeliveryHandlers.layer, DeadLetterHandlers.layer, PushTopicHandlers.layer)

const served = layerOf(api, handlers).pipe(Layer.provideMerge(layerDeliveries))

const elsewhere = { tenant: "other" }
const deliveriesPath = "/api/v1/deliveries"
const lettersPath = "/api/v1/dead-letters"

/** Deliveries of the tenant `acme`, one for each channel; the ones of `dead` channels have failed for good. */
const make = Effect.fnUntraced(function* (
  user: string,
  channels: ReadonlyArray<DeliveryChannel>,
  dead: ReadonlyArray<DeliveryChannel> = []
) {
  const store = yield* DeliveryStore
  const now = yield* DateTime.now
  const ids = yield* store.add(
    channels.map((channel) => ({
      tenantId,
      userId: UserId.make(user),
      delivery: { channel, target: { _tag: "User" as const }, condition: "always" as const, urgency: 5, dueAt: now },
      content: {}
    })),
    now
  )
  if (dead.length > 0) {
    const claimed = yield* store.claim({ channels: dead, limit: 100, now, lease: Duration.minutes(1), worker: "test" })
    yield* store.report(
      claimed.map(({ attempt, delivery }) => ({
        id: delivery.id,
        attempt,
        attempts: [
          { provider: "smtp", outcome: "permanent", code: "550", detail: "no such user", durationMs: 8, at: now }
        ],
        result: { _tag: "Dead", reason: "550", detail: "no such user" }
      })),
      now
    )
  }
  return ids
})

const idsOf = ({ body }: Answer): ReadonlyArray<string | undefined> =>
  body.data.map(({ id }: { readonly id: string }) => id)

layer(served, { excludeTestServices: true })("deliveries over HTTP", (it) => {
  it.effect("are listed by state, channel and user, page by page", () =>
    Effect.gen(function* () {
      const ann = yield* make("ann", ["email", "push", "sms"], ["email"])
      const bob = yield* make("bob", ["push"])
      const newest = [...bob, ...ann.toReversed()]
      const first = yield* call(`${deliveriesPath}?limit=3`)
      assert.deepStrictEqual(idsOf(first), newest.slice(0, 3))
      const rest = yield* call(`${deliveriesPath}?limit=3&cursor=${first.body.meta.next_cursor}`)
      assert.deepStrictEqual([idsOf(rest), rest.body.meta], [newest.slice(3), { limit: 3, next_cursor: null }])
      assert.deepStrictEqual(idsOf(yield* call(`${deliveriesPath}?state=dead`)), [ann[0]])
      assert.strictEqual(idsOf(yield* call(`${deliveriesPath}?state=dead&state=pending`)).length, 4)
      assert.deepStrictEqual(idsOf(yield* call(`${deliveriesPath}?channel=push&user_id=ann`)), [ann[1]])
      assert.deepStrictEqual(idsOf(yield* call(deliveriesPath, { as: elsewhere })), [])
      for (const query of ["state=lost", "channel=in_app", "limit=101", "limit=0", "cursor="]) {
        assert.strictEqual((yield* call(`${deliveriesPath}?${query}`)).status, 400, query)
      }
      assert.strictEqual((yield* call(`${deliveriesPath}?cursor=AAAA`)).status, 422)
      assert.strictEqual((yield* call(deliveriesPath, { as: { user: "ann" } })).status, 403)
    })
  )

  it.effect("are shown with every try, to their tenant alone", () =>
    Effect.gen(function* () {
      const [id] = yield* make("cid", ["email"], ["email"])
      const shown = (yield* call(`${deliveriesPath}/${id}`)).body.data
      assert.deepInclude(shown, {
        id,
        user_id: "cid",
        channel: "email",
        topic: null,
        endpoint_id: null,
        state: "dead",
        reason: "550",
        detail: "no such user",
        attempts: 1,
        resolution: null
      })
      assert.deepInclude(shown.history[0], { kind: "attempt", outcome: "permanent", code: "550", duration_ms: 8 })
      assert.strictEqual((yield* call(`${deliveriesPath}/${id}`, { as: elsewhere })).status, 404)
      assert.strictEqual((yield* call(`${deliveriesPath}/nothing`)).status, 404)
    })
  )

  it.effect("are counted, and looked through for what is lost", () =>
    Effect.gen(function* () {
      yield* make("dan", ["whatsapp", "whatsapp"])
      const counts = (yield* call(`${deliveriesPath}/counts`)).body.data
      assert.deepInclude(counts, { channel: "whatsapp", state: "pending", count: 2 })
      assert.deepStrictEqual((yield* call(`${deliveriesPath}/counts`, { as: elsewhere })).body, { data: [] })
      const { open, ...wrong } = (yield* call(`${deliveriesPath}/reconciliation`)).body.data
      assert.isAtLeast(open, 2)
      assert.deepStrictEqual(wrong, { unplanned: 0, overdue: 0, stray_items: 0, contradictions: 0 })
    })
  )
})

layer(served, { excludeTestServices: true })("dead letters over HTTP", (it) => {
  it.effect("are replayed once, by id or all of a channel", () =>
    Effect.gen(function* () {
      const [mail, other, message] = yield* make("ann", ["email", "email", "sms"], ["email", "sms"])
      assert.deepStrictEqual(idsOf(yield* call(lettersPath)), [message, other, mail])
      assert.deepStrictEqual(idsOf(yield* call(`${lettersPath}?channel=sms`)), [message])
      assert.strictEqual((yield* call(`${lettersPath}/${mail}`)).body.data.state, "dead")
      assert.strictEqual((yield* call(`${lettersPath}/${mail}`, { as: elsewhere })).status, 404)
      const replay = (body: object, as = {}) => call(`${lettersPath}/replay`, { body, as })
      assert.deepStrictEqual((yield* replay({ ids: [mail] }, elsewhere)).body, { data: [] })
      const [replayed] = (yield* replay({ ids: [mail] })).body.data
      assert.strictEqual(replayed.id, mail)
      assert.deepInclude((yield* call(`${deliveriesPath}/${replayed.replayed_as}`)).body.data, {
        state: "pending",
        replay_of: mail
      })
      // The new one is under way, and none of the dead.
      assert.strictEqual((yield* call(`${lettersPath}/${replayed.replayed_as}`)).status, 404)
      assert.deepStrictEqual((yield* replay({ ids: [mail] })).body, { data: [] })
      assert.deepStrictEqual(
        (yield* replay({ all: true, channel: "sms" })).body.data.map(({ id }: { id: string }) => id),
        [message]
      )
      assert.deepStrictEqual(idsOf(yield* call(lettersPath)), [other])
      assert.strictEqual((yield* replay({ ids: [] })).status, 400)
      assert.strictEqual((yield* replay({ all: true, limit: 10_001 })).status, 400)
      assert.match((yield* replay({ ids: Array.from({ length: 501 }, String) })).text, /at most 500/)
      assert.strictEqual((yield* replay({ all: true }, { user: "ann" })).status, 403)
    })
  )

  it.effect("are discarded for good", () =>
    Effect.gen(function* () {
      const [mail] = yield* make("bob", ["email"], ["email"])
      const discard = (body: object, as = {}) => call(`${lettersPath}/discard`, { body, as })
      assert.deepStrictEqual((yield* discard({ all: true }, elsewhere)).body, { data: { discarded: 0 } })
      assert.deepStrictEqual((yield* discard({ ids: [mail, "nothing"] })).body, { data: { discarded: 1 } })
      assert.deepStrictEqual((yield* discard({ ids: [mail] })).body, { data: { discarded: 0 } })
      assert.strictEqual((yield* call(`${deliveriesPath}/${mail}`)).body.data.resolution, "discarded")
      assert.notInclude(idsOf(yield* call(lettersPath)), mail)
    })
  )

  it.effect("of event sources are the tenant's own", () =>
    Effect.gen(function* () {
      const letters = yield* DeadLetters
      const record = { topic: "order-events", key: "7", value: "{" }
      yield* letters.add({ ...record, headers: { tenant: "acme" } }, "not JSON")
      yield* letters.add({ ...record, headers: { tenant: "other" } }, "not JSON either")
      yield* letters.add({ ...record, headers: {} }, "of the default tenant")
      const reasonsOf = (tenant: string) =>
        Effect.map(call(`${lettersPath}/events`, { as: { tenant } }), ({ body }) =>
          body.data.map(({ reason }: { reason: string }) => reason)
        )
      assert.deepStrictEqual(yield* reasonsOf("acme"), ["not JSON"])
      assert.deepStrictEqual(yield* reasonsOf("other"), ["not JSON either"])
      assert.deepStrictEqual(yield* reasonsOf("default"), ["of the default tenant"])
      assert.strictEqual((yield* call(`${lettersPath}/events?limit=101`)).status, 400)
    })
  )
})

layer(served, { excludeTestServices: true })("push topics over HTTP", (it) => {
  const topics = "/api/v1/push/topics"

  it.effect("are pushed to under a name that no other tenant has", () =>
    Effect.gen(function* () {
      const store = yield* DeliveryStore
      const push = { title: "Goal", message: "1:0", data: { match: "7" }, push_options: { collapse_key: "match-7" } }
      const sent = yield* call(`${topics}/match.7/send`, { body: push })
      assert.strictEqual(sent.status, 202)
      const shown = (yield* call(`${deliveriesPath}/${sent.body.data.delivery_id}`)).body.data
      assert.deepInclude(shown, { topic: "match.7", user_id: null, channel: "push", state: "pending" })
      const [claimed] = yield* store.claim({
        channels: ["push"],
        limit: 1,
        now: yield* DateTime.now,
        lease: Duration.minutes(1),
        worker: "test"
      })
      if (claimed === undefined) return assert.fail()
      assert.deepStrictEqual(claimed.delivery.target, { _tag: "Topic", topic: "acme~match.7" })
      assert.deepStrictEqual(claimed.content, {
        title: "Goal",
        message: "1:0",
        data: { match: "7" },
        push: { collapseKey: "match-7" }
      })
    })
  )

  it.effect("are refused with the field and its limit", () =>
    Effect.gen(function* () {
      const send = (topic: string, other: object = {}) =>
        call(`${topics}/${topic}/send`, { body: { title: "t", message: "", ...other } })
      assert.strictEqual((yield* send("a~b")).status, 400)
      assert.strictEqual((yield* send("x".repeat(201))).status, 400)
      const large = yield* send("news", { data: { a: "x".repeat(4_096) } })
      assert.deepStrictEqual(
        [large.status, large.body.detail],
        [422, "data: the push data has 4097 bytes, and the limit is 4096"]
      )
      assert.match((yield* send("news", { data: { from: "me" } })).body.detail, /^data: .* from /)
      assert.strictEqual((yield* send("news", { data: { count: 7 } })).status, 400)
    })
  )

  it.effect("get the devices of the users that are named", () =>
    Effect.gen(function* () {
      const devices = yield* DeviceStore
      const calls = yield* TopicCalls
      const keyOf = (user: string, tenant = "acme") => ({
        tenantId: TenantId.make(tenant),
        userId: UserId.make(user)
      })
      yield* devices.register(keyOf("ann"), { platform: "ios", token: "ann-1" })
      yield* devices.register(keyOf("ann"), { platform: "web", token: '{"endpoint":"https://push.example.com"}' })
      yield* devices.register(keyOf("bob"), { platform: "android", token: "bob-1" })
      yield* devices.register(keyOf("cid", "other"), { platform: "android", token: "cid-1" })
      const change = (verb: string, user_ids: ReadonlyArray<string>) =>
        call(`${topics}/news/${verb}`, { body: { user_ids } })
      const answer = yield* change("subscribe", ["ann", "bob", "ann", "cid", "nobody"])
      assert.deepStrictEqual([answer.status, answer.body], [200, { data: { devices: 2, failed: 0 } }])
      assert.deepStrictEqual((yield* change("unsubscribe", ["bob"])).body, { data: { devices: 1, failed: 0 } })
      assert.deepStrictEqual(calls, [
        { verb: "subscribe", topic: "acme~news", tokens: ["ann-1", "bob-1"] },
        { verb: "unsubscribe", topic: "acme~news", tokens: ["bob-1"] }
      ])
      assert.match((yield* change("subscribe", Array.from({ length: 501 }, String))).text, /at most 500/)
    })
  )
})
