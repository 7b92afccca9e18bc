import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import type { Condition } from "@beckon/domain/Delivery"
import { UserId } from "@beckon/domain/Identifiers"
import type { PushMessage } from "@beckon/domain/ports/ChannelProvider"
import type { Claimed } from "@beckon/domain/ports/DeliveryStore"
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import * as MemoryDeviceStore from "@beckon/infra/memory/MemoryDeviceStore"
import * as MemoryTemplateStore from "@beckon/infra/memory/MemoryTemplateStore"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import * as MemoryUserDirectory from "@beckon/infra/memory/MemoryUserDirectory"
import * as MemoryWebhookEndpointStore from "@beckon/infra/memory/MemoryWebhookEndpointStore"
import * as LiquidRenderer from "@beckon/infra/templates/LiquidRenderer"
import { Composer, obstacle } from "../../src/delivery/Composer.ts"
import type { Composed } from "../../src/delivery/Composer.ts"
import { Receipts } from "../../src/delivery/Receipts.ts"
import { Words } from "../../src/delivery/Words.ts"
import { Templates } from "../../src/templates/Templates.ts"
import { Recipients } from "../../src/users/Recipients.ts"
import { acme, claimed, notification, now } from "./Fixture.ts"

const layer = Composer.layer.pipe(
  Layer.provide(Words.layer),
  Layer.provide(Templates.layer),
  Layer.provide([LiquidRenderer.layer, MemoryTemplateStore.layer, MemoryTopicBus.layer]),
  Layer.provide(Layer.succeed(Receipts, { of: (id) => Effect.succeed(`receipt of ${id}`) })),
  Layer.provide(Recipients.layerDirectory),
  Layer.provideMerge(
    Layer.mergeAll(MemoryDeviceStore.layer, MemoryUserDirectory.layer, MemoryWebhookEndpointStore.layer)
  )
)

const ada = UserId.make("ada")
const key = { tenantId: acme, userId: ada }

const compose = (...claims: ReadonlyArray<Claimed>) => Effect.flatMap(Composer, (composer) => composer.compose(claims))

const partsOf = (composed: Composed | undefined) => (composed?._tag === "Parts" ? composed.parts : [])

const isPush = (message: unknown): message is PushMessage =>
  typeof message === "object" && message !== null && "body" in message && "urgent" in message

describe("obstacle", () => {
  it("says why a delivery is not wanted any more, by its condition", () => {
    const table: ReadonlyArray<readonly [Condition, boolean, boolean, string | undefined]> = [
      ["always", true, true, undefined],
      ["unacknowledged", false, false, undefined],
      ["unacknowledged", true, false, "acknowledged"],
      ["unacknowledged", true, true, "seen"],
      ["unseen", true, false, undefined],
      ["unseen", false, true, "seen"]
    ]
    for (const [condition, acknowledged, seen, reason] of table) {
      assert.strictEqual(obstacle(condition, { acknowledged, seen }), reason, `${condition} ${acknowledged} ${seen}`)
    }
  })
})

describe("Composer", () => {
  it.effect("a push goes to every device that does not have it yet, with a receipt", () =>
    Effect.gen(function* () {
      const devices = yield* DeviceStore
      yield* devices.register(key, { platform: "ios", token: "first" })
      yield* devices.register(key, { platform: "android", token: "second" })
      const [one] = yield* compose(claimed({ notifications: [notification({ data: { orderId: "7" } })] }))
      const parts = partsOf(one)
      const tokens = parts.map(({ message }) =>
        isPush(message) && message.to._tag === "Device" ? Redacted.value(message.to.token) : ""
      )
      assert.sameMembers(tokens, ["first", "second"])
      const message = parts[0]?.message
      assert.isTrue(isPush(message))
      if (!isPush(message)) return
      assert.deepStrictEqual([message.title, message.body, message.urgent], ["New Order", "Accept now!", false])
      assert.deepStrictEqual(message.data, {
        delivery_id: "d-1",
        receipt: "receipt of d-1",
        notification_id: "n-1",
        seq: "1",
        type: "order_created",
        data: '{"orderId":"7"}'
      })
      assert.deepStrictEqual(message.options, {})
      const progress = [parts[0]?.device?.hash ?? ""]
      const [rest] = yield* compose(claimed({ progress }))
      assert.deepStrictEqual(
        partsOf(rest).map(({ device }) => device?.hash),
        [parts[1]?.device?.hash]
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("data that is too large for a push is left to the inbox, and the push says so", () =>
    Effect.gen(function* () {
      yield* (yield* DeviceStore).register(key, { platform: "ios", token: "first" })
      const large = notification({ data: { text: "x".repeat(5_000) } })
      const [one] = yield* compose(claimed({ notifications: [large] }))
      const message = partsOf(one)[0]?.message
      assert.isTrue(isPush(message) && message.data["data"] === undefined && message.data["data_omitted"] === "true")
    }).pipe(Effect.provide(layer))
  )

  it.effect("a user without a device or an address is unreachable; one of the sender's stands above his own", () =>
    Effect.gen(function* () {
      const email = { delivery: { channel: "email" as const } }
      const sms = { delivery: { channel: "sms" as const } }
      const none = yield* compose(claimed(), claimed(email), claimed(sms))
      assert.deepStrictEqual(none, [
        { _tag: "Unreachable", reason: "no_device" },
        { _tag: "Unreachable", reason: "no_address" },
        { _tag: "Unreachable", reason: "no_address" }
      ])
      yield* (yield* UserDirectory).create(acme, ada, { email: "ada@example.com", phone: "+15550100" }, now)
      const options = { to: { email: "other@example.com" } }
      const [own, other, text] = yield* compose(claimed(email), claimed({ ...email, options }), claimed(sms))
      const to = [own, other, text].map((one) => {
        const message = partsOf(one)[0]?.message
        return message !== undefined && "to" in message ? message.to : undefined
      })
      assert.deepStrictEqual(to, ["ada@example.com", "other@example.com", "+15550100"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("a template speaks the user's language on each channel, one that is gone makes a dead letter", () =>
    Effect.gen(function* () {
      yield* (yield* UserDirectory).create(acme, ada, { email: "ada@example.com", language: "de-AT" }, now)
      const email = { delivery: { channel: "email" as const } }
      const template = { code: "welcome", variables: { name: "<Ada>" } }
      const [one, gone] = yield* compose(
        claimed({ ...email, options: { template } }),
        claimed({ ...email, options: { template: { code: "never-was", variables: {} } } })
      )
      const message = partsOf(one)[0]?.message
      if (message === undefined || !("subject" in message)) return assert.fail("no mail")
      assert.include(message.subject, "Willkommen")
      assert.include(message.text, "<Ada>")
      assert.include(message.html ?? "", "&lt;Ada&gt;")
      assert.deepInclude(gone, { _tag: "Dead", reason: "template" })
    }).pipe(Effect.provide(layer))
  )

  it.effect("a digest tells of all its items, and of none when all are seen", () =>
    Effect.gen(function* () {
      yield* (yield* UserDirectory).create(acme, ada, { email: "ada@example.com" }, now)
      const email = { channel: "email" as const, items: 12, notificationId: null, condition: "unseen" as const }
      const notifications = Array.from({ length: 12 }, (_, index) =>
        notification({ seq: index + 1, title: `Title ${index + 1}` })
      )
      const [one, seen, gone] = yield* compose(
        claimed({ delivery: email, notifications }),
        claimed({ delivery: { ...email, condition: "always" }, notifications: [], seen: true }),
        claimed({ delivery: email, notifications: [] })
      )
      const message = partsOf(one)[0]?.message
      if (message === undefined || !("subject" in message)) return assert.fail("no mail")
      assert.include(message.subject, "12")
      assert.include(message.text, "Title 1")
      assert.deepStrictEqual(seen, { _tag: "Skip", reason: "seen" })
      assert.deepInclude(gone, { _tag: "Dead", reason: "gone" })
    }).pipe(Effect.provide(layer))
  )

  it.effect(
    "a webhook carries the same id in every try, and an endpoint that is off keeps what it missed as dead letters",
    () =>
      Effect.gen(function* () {
        const store = yield* WebhookEndpointStore
        const secret = Redacted.make("whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cywgdGhpcnR5")
        yield* store.create(acme, "w1", { url: "https://example.com/hook" }, secret, now)
        const of = { channel: "webhook" as const, target: { _tag: "Endpoint" as const, endpointId: "w1" } }
        const [one, replay, unknown] = yield* compose(
          claimed({ delivery: of }),
          claimed({ delivery: { ...of, replayOf: claimed().delivery.id }, attempt: 3 }),
          claimed({ delivery: { ...of, target: { _tag: "Endpoint", endpointId: "w2" } } })
        )
        const ids = [one, replay].map((composed) => {
          const message = partsOf(composed)[0]?.message
          return message !== undefined && "body" in message && "id" in message ? message.id : undefined
        })
        assert.deepStrictEqual(ids, ["msg_n-1", "msg_n-1"])
        assert.deepStrictEqual(unknown, { _tag: "Skip", reason: "no_endpoint" })
        yield* store.update(acme, "w1", { enabled: false })
        const [off] = yield* compose(claimed({ delivery: of }))
        assert.deepInclude(off, { _tag: "Dead", reason: "endpoint_disabled" })
      }).pipe(Effect.provide(layer))
  )
})
