import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Layer, Option, Redacted } from "effect"
import type { Schema } from "effect"
import { FetchHttpClient } from "effect/http"
import * as CircuitBreaker from "effect/persistence/CircuitBreaker"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { ChannelProviders } from "@beckon/domain/ports/ChannelProvider"
import { ProviderAccountStore } from "@beckon/domain/ports/ProviderAccountStore"
import type { ProviderKind } from "@beckon/domain/ProviderAccount"
import * as MemoryAuditLog from "@beckon/infra/memory/MemoryAuditLog"
import * as MemoryProviderAccountStore from "@beckon/infra/memory/MemoryProviderAccountStore"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import { OutboundPost } from "@beckon/infra/webhook/OutboundPost"
import { Audit } from "../../src/audit/Audit.ts"
import { Circuits } from "../../src/delivery/Circuits.ts"
import { DeliverySettings } from "../../src/delivery/DeliverySettings.ts"
import { ProviderAccounts } from "../../src/providers/ProviderAccounts.ts"
import { TenantProviders } from "../../src/providers/TenantProviders.ts"

const acme = TenantId.make("acme")

const boss = {
  tenantId: acme,
  userId: UserId.make("boss"),
  roles: ["admin"],
  issuedAt: 0,
  expiresAt: Number.MAX_SAFE_INTEGER
}

/** Another admin's change that comes between what a change has read and what it writes. */
let between: Effect.Effect<unknown, unknown> = Effect.void

const layerStore = Layer.effect(
  ProviderAccountStore,
  Effect.map(ProviderAccountStore, (store) => ({
    ...store,
    update: (...given: Parameters<typeof store.update>) =>
      Effect.suspend(() => {
        const first = between
        between = Effect.void
        return Effect.andThen(Effect.ignore(first), store.update(...given))
      })
  }))
).pipe(Layer.provide(MemoryProviderAccountStore.layer))

const layer = Layer.unwrap(
  Effect.map(OutboundPost, (outbound) => {
    const outside = { outbound, publicUrl: undefined }
    return ProviderAccounts.layer(outside).pipe(Layer.provide(TenantProviders.layer(outside, () => true)))
  })
).pipe(
  Layer.provide([OutboundPost.layer(), FetchHttpClient.layer, Circuits.layer, Audit.layer]),
  Layer.provide([CircuitBreaker.layerStoreMemory(), RateLimiter.layerStoreMemory, MemoryTopicBus.layer]),
  Layer.provide(MemoryAuditLog.layer),
  Layer.provide(Layer.succeed(ChannelProviders, { push: [], email: [], sms: [], whatsapp: [], webhook: [] })),
  Layer.provide(DeliverySettings.layer()),
  Layer.provideMerge(layerStore)
)

type Fields = Readonly<Record<string, Schema.Json>>

const created = Effect.fnUntraced(function* (kind: ProviderKind, settings: Fields, credentials: Fields) {
  const accounts = yield* ProviderAccounts
  const { id } = yield* accounts.create(acme, { kind, name: kind, settings, credentials: Redacted.make(credentials) })
  const change = (patch: { readonly settings?: Fields; readonly credentials?: Fields }) => {
    const { credentials: given, ...rest } = patch
    return accounts
      .update(acme, id, { ...rest, ...(given && { credentials: Redacted.make(given) }) })
      .pipe(Effect.match({ onFailure: ({ detail }) => detail, onSuccess: () => "changed" }))
  }
  return { id, change }
})

const settingsNow = (id: string) =>
  Effect.flatMap(ProviderAccountStore, (store) =>
    Effect.map(store.get(acme, id), (found) => Option.getOrThrow(found).settings)
  )

const refusal = (field: string) => `credentials: give them too; settings.${field} changes where they are sent`

describe("credentials that are kept", () => {
  it.effect("are not sent elsewhere by a change of settings alone", () =>
    Effect.gen(function* () {
      const base = "https://api.other.example"
      const cases: ReadonlyArray<readonly [ProviderKind, Fields, Fields, Fields]> = [
        ["sendgrid", { from: "a@acme.example" }, { api_key: "k" }, { base_url: base }],
        ["twilio", { account_sid: "AC1", from: "+12025550123" }, { auth_token: "t" }, { base_url: base }],
        ["whatsapp", { phone_number_id: "1" }, { access_token: "t" }, { base_url: base }]
      ]
      const smtp = { from: "a@acme.example", host: "mail.acme.example", port: 587, tls: "starttls", username: "ada" }
      const changes = { host: "mail.other.example", port: 2525, tls: "implicit" }
      const mail = Object.entries(changes).map(
        ([name, value]) => ["smtp", smtp, { password: "p" }, { [name]: value }] as const
      )
      for (const [kind, settings, credentials, other] of [...cases, ...mail]) {
        const [field = ""] = Object.keys(other)
        const { change, id } = yield* created(kind, settings, credentials)
        const elsewhere = { ...settings, ...other }
        assert.strictEqual(yield* change({ settings: elsewhere }), refusal(field))
        assert.deepStrictEqual(yield* settingsNow(id), settings)
        assert.strictEqual(yield* change({ settings: elsewhere, credentials }), "changed")
        // Back to the sender's own address is a change like any other.
        assert.strictEqual(yield* change({ settings }), refusal(field))
        if (kind === "sendgrid" || kind === "smtp") {
          assert.strictEqual(yield* change({ settings: { ...elsewhere, from: "b@acme.example" } }), "changed")
        }
      }
    }).pipe(Effect.provide(layer), Effect.provideService(CurrentIdentity, boss))
  )

  it.effect("are not caught by a change that was checked before they came", () =>
    Effect.gen(function* () {
      const own = { from: "a@acme.example" }
      const theirs = { from: "a@acme.example", base_url: "https://api.other.example" }
      const { change, id } = yield* created("sendgrid", theirs, { api_key: "theirs" })
      const store = yield* ProviderAccountStore
      const mended = { settings: own, credentials: Redacted.make('{"api_key":"real"}') }
      between = Effect.flatMap(DateTime.now, (now) => store.update(acme, id, mended, now))
      assert.strictEqual(yield* change({ settings: theirs }), refusal("base_url"))
      assert.deepStrictEqual(yield* settingsNow(id), own)
    }).pipe(Effect.provide(layer), Effect.provideService(CurrentIdentity, boss))
  )
})
