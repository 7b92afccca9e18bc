import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Exit, Layer, Option, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { DeliveryId } from "@beckon/domain/Delivery"
import { TenantId } from "@beckon/domain/Identifiers"
import { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import * as MemoryWebhookEndpointStore from "@beckon/infra/memory/MemoryWebhookEndpointStore"
import { OutboundPost } from "@beckon/infra/webhook/OutboundPost"
import * as WebhookProvider from "@beckon/infra/webhook/WebhookProvider"
import { Endpoints, maxEndpoints } from "../../src/delivery/Endpoints.ts"
import { Nudges } from "../../src/delivery/Nudges.ts"
import { FakeDeliveries, layer as fakeDeliveries } from "./FakeDeliveries.ts"
import { acme, delivery } from "./Fixture.ts"
import { signatureReceiver } from "./SignatureReceiver.ts"

const globex = TenantId.make("globex")
const url = "https://hooks.example.com/beckon"

const layer = Endpoints.layer.pipe(
  Layer.provideMerge([
    MemoryWebhookEndpointStore.layer,
    fakeDeliveries,
    Nudges.layer,
    OutboundPost.layer({ allowInsecure: true, allowedNetworks: ["127.0.0.0/8"] })
  ])
)

const problemOf = <A, E extends { readonly status: number; readonly detail?: string | undefined }, R>(
  effect: Effect.Effect<A, E, R>
) =>
  Effect.map(Effect.exit(effect), (exit) =>
    Option.getOrUndefined(
      Option.map(Exit.findErrorOption(exit), ({ detail, status }) => [status, detail?.split(":")[0]])
    )
  )

describe("Endpoints", () => {
  it.effect("gives a secret once, of 32 random bytes", () =>
    Effect.gen(function* () {
      const endpoints = yield* Endpoints
      const { endpoint, secret } = yield* endpoints.create(acme, { url: "https://HOOKS.example.com:443/beckon" })
      assert.deepInclude(endpoint, { url, enabled: true, events: ["notification.created"], types: null })
      const other = yield* endpoints.create(acme, { url })
      assert.notStrictEqual(Redacted.value(secret), Redacted.value(other.secret))
      for (const made of [secret, other.secret]) {
        assert.match(Redacted.value(made), /^whsec_[A-Za-z0-9+/]{43}=$/)
        assert.notInclude(JSON.stringify({ made }), "whsec_")
      }
      assert.deepStrictEqual(yield* endpoints.get(acme, endpoint.id), endpoint)
      assert.deepStrictEqual(
        yield* endpoints.list(acme),
        [endpoint, other.endpoint].toSorted((a, b) => (a.id < b.id ? -1 : 1))
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("refuses URLs that may not be called, when made and when changed", () =>
    Effect.gen(function* () {
      const endpoints = yield* Endpoints
      const { endpoint } = yield* endpoints.create(acme, { url })
      for (const wrong of [
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://user@example.com/",
        "ftp://example.com/",
        "https://example.com:22/",
        "nonsense"
      ]) {
        assert.deepStrictEqual(yield* problemOf(endpoints.create(acme, { url: wrong })), [422, "url"], wrong)
        const changing = endpoints.update(acme, endpoint.id, { url: wrong })
        assert.deepStrictEqual(yield* problemOf(changing), [422, "url"], wrong)
      }
      assert.strictEqual((yield* endpoints.get(acme, endpoint.id)).url, url)
      const changed = yield* endpoints.update(acme, endpoint.id, {
        url: "https://hooks.example.org/",
        description: "orders",
        types: ["order_created"],
        enabled: false
      })
      assert.deepInclude(changed, { url: "https://hooks.example.org/", description: "orders", enabled: false })
    }).pipe(Effect.provide(layer))
  )

  it.effect("keeps tenants apart", () =>
    Effect.gen(function* () {
      const endpoints = yield* Endpoints
      const { endpoint } = yield* endpoints.create(acme, { url })
      const missing = [404, "id"]
      const calls = [
        endpoints.get(globex, endpoint.id),
        endpoints.update(globex, endpoint.id, { enabled: false }),
        endpoints.remove(globex, endpoint.id),
        endpoints.rotate(globex, endpoint.id),
        endpoints.test(globex, endpoint.id),
        endpoints.deliveries(globex, endpoint.id, { limit: 20 })
      ]
      for (const call of calls)
        assert.deepStrictEqual(yield* problemOf<unknown, { readonly status: number }, never>(call), missing)
      assert.deepStrictEqual(yield* endpoints.list(globex), [])
      assert.deepStrictEqual(yield* endpoints.get(acme, endpoint.id), endpoint)
      yield* endpoints.remove(acme, endpoint.id)
      assert.deepStrictEqual(yield* problemOf(endpoints.get(acme, endpoint.id)), missing)
    }).pipe(Effect.provide(layer))
  )

  it.effect("makes no more than a tenant may have", () =>
    Effect.gen(function* () {
      const endpoints = yield* Endpoints
      yield* Effect.forEach(Array.from({ length: maxEndpoints }), () => endpoints.create(acme, { url }))
      assert.strictEqual((yield* problemOf(endpoints.create(acme, { url })))?.[0], 409)
      yield* endpoints.create(globex, { url })
    }).pipe(Effect.provide(layer))
  )

  it.effect("signs with both secrets for a day after a rotation, then with the new one alone", () =>
    Effect.gen(function* () {
      const endpoints = yield* Endpoints
      const store = yield* WebhookEndpointStore
      const provider = yield* WebhookProvider.make
      const receiver = yield* signatureReceiver
      const { endpoint, secret: first } = yield* endpoints.create(acme, { url: receiver.url })
      /** Which of the secrets a receiver that has only this one finds genuine. */
      const genuine = Effect.fnUntraced(function* (...secrets: ReadonlyArray<Redacted.Redacted>) {
        const signing = yield* store.secrets(acme, endpoint.id, yield* DateTime.now)
        const outcomes = yield* provider.send([
          {
            tenantId: acme,
            deliveryId: DeliveryId.make("d-1"),
            correlationId: undefined,
            message: {
              endpointId: endpoint.id,
              url: endpoint.url,
              secrets: signing.map(({ secret }) => secret),
              id: "msg_1",
              body: { type: "ping" }
            }
          }
        ])
        assert.strictEqual(outcomes[0]?._tag, "Sent")
        return yield* receiver.verify(secrets)
      })
      assert.deepStrictEqual(yield* genuine(first), [true])
      const { formerUntil, secret: second } = yield* endpoints.rotate(acme, endpoint.id)
      assert.deepStrictEqual(formerUntil, DateTime.addDuration(yield* DateTime.now, Duration.days(1)))
      assert.deepStrictEqual(yield* genuine(first, second), [true, true])
      yield* TestClock.adjust("23 hours")
      assert.deepStrictEqual(yield* genuine(first, second), [true, true])
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(yield* genuine(first, second), [false, true])
      const { secret: third } = yield* endpoints.rotate(acme, endpoint.id, Duration.zero)
      assert.deepStrictEqual(yield* genuine(second, third), [false, true])
    }).pipe(Effect.provide(layer))
  )

  it.effect("lets no more than five secrets sign, unless all the former ones end", () =>
    Effect.gen(function* () {
      const endpoints = yield* Endpoints
      const { endpoint } = yield* endpoints.create(acme, { url })
      yield* Effect.forEach(Array.from({ length: 4 }), () => endpoints.rotate(acme, endpoint.id))
      assert.strictEqual((yield* problemOf(endpoints.rotate(acme, endpoint.id)))?.[0], 409)
      yield* endpoints.rotate(acme, endpoint.id, Duration.zero)
      yield* endpoints.rotate(acme, endpoint.id)
    }).pipe(Effect.provide(layer))
  )

  it.effect("sends a ping and wakes a worker, unless the endpoint is switched off", () =>
    Effect.gen(function* () {
      const endpoints = yield* Endpoints
      const { added } = yield* FakeDeliveries
      const nudges = yield* Nudges
      yield* nudges.send.wait(Duration.zero)
      const { endpoint } = yield* endpoints.create(acme, { url })
      const id = yield* endpoints.test(acme, endpoint.id)
      yield* nudges.send.wait(Duration.infinity)
      const now = yield* DateTime.now
      assert.deepStrictEqual(added, [
        {
          tenantId: acme,
          userId: null,
          delivery: {
            channel: "webhook",
            target: { _tag: "Endpoint", endpointId: endpoint.id },
            condition: "always",
            urgency: 8,
            dueAt: now
          },
          content: { type: "ping", timestamp: DateTime.formatIso(now), data: { endpoint_id: endpoint.id } }
        }
      ])
      const page = yield* endpoints.deliveries(acme, endpoint.id, { limit: 20 })
      assert.deepStrictEqual([page.deliveries.map((one) => one.id), page.next], [[id], undefined])
      yield* endpoints.update(acme, endpoint.id, { enabled: false })
      assert.deepStrictEqual(yield* problemOf(endpoints.test(acme, endpoint.id)), [409, "enabled"])
      assert.strictEqual(added.length, 1)
    }).pipe(Effect.provide(layer))
  )

  it.effect("finds an endpoint's own deliveries among those of others, each once, page by page", () =>
    Effect.gen(function* () {
      const endpoints = yield* Endpoints
      const { asked, rows } = yield* FakeDeliveries
      const { endpoint } = yield* endpoints.create(acme, { url })
      const total = 5_000
      const isMine = (index: number) => (index >= 4_000 && index % 7 === 0) || index < 30
      for (let index = 0; index < total; index++) {
        const endpointId = isMine(index) ? endpoint.id : "another"
        rows.push(
          delivery({
            id: DeliveryId.make(`d-${String(index).padStart(6, "0")}`),
            channel: "webhook",
            target: { _tag: "Endpoint", endpointId },
            state: index % 2 === 0 ? "sent" : "dead"
          })
        )
      }
      const walk = Effect.fnUntraced(function* (limit: number, states?: ReadonlyArray<"dead">) {
        const ids: Array<string> = []
        let before: DeliveryId | undefined
        do {
          const scans = asked()
          const page = yield* endpoints.deliveries(acme, endpoint.id, { limit, states, before })
          assert.isAtMost(page.deliveries.length, limit)
          assert.strictEqual(asked() - scans, 1)
          ids.push(...page.deliveries.map(({ id }) => id))
          before = page.next
        } while (before !== undefined)
        return ids
      })
      const mine = rows.filter((_, index) => isMine(index)).toReversed()
      assert.deepStrictEqual(
        yield* walk(100),
        mine.map(({ id }) => id)
      )
      assert.deepStrictEqual(
        yield* walk(7, ["dead"]),
        mine.filter(({ state }) => state === "dead").map(({ id }) => id)
      )
    }).pipe(Effect.provide(layer))
  )
})
