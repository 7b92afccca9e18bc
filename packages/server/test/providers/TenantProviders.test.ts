import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Layer, Option, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { DeliveryId } from "@beckon/domain/Delivery"
import { TenantId } from "@beckon/domain/Identifiers"
import type { ChannelProvider } from "@beckon/domain/ports/ChannelProvider"
import { ChannelProviders } from "@beckon/domain/ports/ChannelProvider"
import { CredentialsNotOpened, ProviderAccountStore } from "@beckon/domain/ports/ProviderAccountStore"
import type { NewProviderAccount } from "@beckon/domain/ProviderAccount"
import * as MemoryProviderAccountStore from "@beckon/infra/memory/MemoryProviderAccountStore"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import { OutboundPost } from "@beckon/infra/webhook/OutboundPost"
import { Circuits } from "../../src/delivery/Circuits.ts"
import { DeliverySettings } from "../../src/delivery/DeliverySettings.ts"
import { Sending } from "../../src/delivery/Sending.ts"
import { TenantProviders } from "../../src/providers/TenantProviders.ts"

const [acme, globex] = [TenantId.make("acme"), TenantId.make("globex")]

const shared: ChannelProvider<"sms"> = {
  id: "twilio",
  channel: "sms",
  maxBatch: 1,
  concurrency: 10,
  rate: undefined,
  accepts: () => true,
  send: (batch) => Effect.succeed(batch.map(() => ({ _tag: "Sent" as const, providerMessageId: "m" })))
}

const stores = {
  good: MemoryProviderAccountStore.layer,
  /** Keeps accounts, and has lost the key of their credentials. */
  keyless: Layer.effect(
    ProviderAccountStore,
    Effect.map(ProviderAccountStore, (store) => ({
      ...store,
      credentials: () =>
        Effect.fail(new CredentialsNotOpened({ keyId: "gone", reason: "No secret has the key id gone" }))
    }))
  ).pipe(Layer.provide(MemoryProviderAccountStore.layer))
}

const layer = (store: keyof typeof stores = "good", isShared: (tenantId: TenantId) => boolean = () => true) =>
  Sending.layer.pipe(
    Layer.provideMerge(
      Layer.unwrap(
        Effect.map(OutboundPost, (outbound) => TenantProviders.layer({ outbound, publicUrl: undefined }, isShared))
      )
    ),
    Layer.provide([OutboundPost.layer(), FetchHttpClient.layer, MemoryTopicBus.layer, Circuits.layer]),
    Layer.provide([CircuitBreaker.layerStoreMemory(), RateLimiter.layerStoreMemory]),
    Layer.provide(Layer.succeed(ChannelProviders, { push: [], email: [], sms: [shared], whatsapp: [], webhook: [] })),
    Layer.provide(DeliverySettings.layer()),
    Layer.provideMerge(stores[store])
  )

const sms: NewProviderAccount = {
  kind: "twilio",
  name: "sms",
  order: 0,
  enabled: true,
  settings: { account_sid: "AC1", from: "+12025550123" },
  rate: null,
  credentials: Redacted.make('{"auth_token":"t"}')
}

const create = Effect.fnUntraced(function* (tenantId: TenantId, id: string, other: Partial<NewProviderAccount> = {}) {
  const store = yield* ProviderAccountStore
  yield* store.create(tenantId, id, { ...sms, ...other }, yield* DateTime.now)
  yield* Effect.flatMap(TenantProviders, (providers) => providers.changed(tenantId))
})

const idsOf = (tenantId: TenantId, channel: "sms" | "push" = "sms") =>
  Effect.scoped(
    Effect.flatMap(TenantProviders, (providers) =>
      Effect.map(providers.of(tenantId, channel), (list) => list.map(({ id }) => id))
    )
  )

const channelsOf = (tenantId: TenantId) =>
  Effect.flatMap(TenantProviders, (providers) => Effect.map(providers.channels(tenantId), (found) => [...found]))

describe("the accounts of tenants", () => {
  it.effect("stand before those of the deployment, in their order, and only for their tenant", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* idsOf(acme), ["twilio"])
      yield* create(acme, "b", { order: 2 })
      yield* create(acme, "a", { order: 1 })
      assert.deepStrictEqual(yield* idsOf(acme), ["twilio:a", "twilio:b"])
      assert.deepStrictEqual(yield* idsOf(globex), ["twilio"])
      yield* create(acme, "log", { kind: "log", settings: {}, credentials: Redacted.make("{}") })
      assert.deepStrictEqual(yield* idsOf(acme, "push"), ["log:log"])
      assert.deepStrictEqual([yield* channelsOf(acme), yield* channelsOf(globex)], [["push", "sms"], ["sms"]])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("that are switched off do not bring those of the deployment back", () =>
    Effect.gen(function* () {
      yield* create(acme, "a", { enabled: false })
      assert.deepStrictEqual(yield* idsOf(acme), [])
      assert.deepStrictEqual(yield* channelsOf(acme), [])
    }).pipe(Effect.provide(layer()))
  )

  it.effect("are all that a tenant has whom the deployment's are not shared with", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual([yield* idsOf(acme), yield* idsOf(globex)], [[], ["twilio"]])
      yield* create(acme, "a")
      assert.deepStrictEqual(yield* idsOf(acme), ["twilio:a"])
    }).pipe(Effect.provide(layer("good", (tenantId) => tenantId === globex)))
  )

  it.effect("are built anew when they are changed, and else used again", () =>
    Effect.gen(function* () {
      yield* create(acme, "a")
      const [store, providers] = [yield* ProviderAccountStore, yield* TenantProviders]
      const first = () => Effect.scoped(Effect.map(providers.of(acme, "sms"), ([one]) => one))
      const before = yield* first()
      assert.strictEqual(yield* first(), before)
      Option.getOrThrow(yield* store.update(acme, "a", { rate: 7 }, yield* DateTime.now))
      yield* providers.changed(acme)
      const after = yield* first()
      assert.notStrictEqual(after, before)
      assert.deepStrictEqual(after?.rate, { limit: 7, window: Duration.seconds(1) })
    }).pipe(Effect.provide(layer()))
  )

  it.effect("whose key is missing hold their own deliveries, say which key, and touch nobody else", () =>
    Effect.gen(function* () {
      yield* create(acme, "a")
      const sending = yield* Sending
      const send = (tenantId: TenantId, id: string) =>
        sending.send(
          "sms",
          tenantId,
          [
            {
              tenantId,
              deliveryId: DeliveryId.make(id),
              correlationId: undefined,
              message: { to: "+1", text: "Hello" }
            }
          ],
          () => true
        )
      const [first] = yield* send(acme, "1")
      const outcome = first?.tries[0]?.outcome
      assert.deepInclude(outcome, {
        class: "credentials",
        code: "key_missing",
        detail: "No secret has the key id gone"
      })
      const [second] = yield* send(acme, "2")
      assert.deepStrictEqual([second?.tries, second?.notAsked?.reason], [[], "credentials"])
      const [other] = yield* send(globex, "3")
      assert.strictEqual(other?.tries[0]?.outcome._tag, "Sent")
    }).pipe(Effect.provide(layer("keyless")))
  )
})
