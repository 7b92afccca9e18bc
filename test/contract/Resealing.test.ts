/**
 * Keys of secrets at rest: several open, one seals, and one after the other is dropped without losing anything.
 */
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import { ProviderAccountStore } from "@beckon/domain/ports/ProviderAccountStore"
import { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import { layerEmbedded } from "@beckon/infra/postgres/DatabaseClient"
import { migrations } from "@beckon/infra/postgres/Migrations"
import * as SqlDeviceStore from "@beckon/infra/postgres/SqlDeviceStore"
import { runMigrations } from "@beckon/infra/postgres/SqlMigrations"
import * as SqlProviderAccountStore from "@beckon/infra/postgres/SqlProviderAccountStore"
import * as SqlResealing from "@beckon/infra/postgres/SqlResealing"
import * as SqlWebhookEndpointStore from "@beckon/infra/postgres/SqlWebhookEndpointStore"
import { KeyRing } from "@beckon/infra/security/KeyRing"
import type { RingKey } from "@beckon/infra/security/KeyRing"
import { TokenCipher } from "@beckon/infra/security/TokenCipher"
import { expect, layer } from "@effect/vitest"
import { Array, Deferred, Effect, Fiber, Layer, Option, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { freshTenant, noon, user } from "./Fixtures.ts"

const database = Layer.effectDiscard(runMigrations(migrations)).pipe(
  Layer.provideMerge(layerEmbedded({ dataDir: "memory" }))
)

const secret = (byte: number) => Redacted.make(new Uint8Array(32).fill(byte))
const [old, fresh, other]: [RingKey, RingKey, RingKey] = [
  // The single secret of before, which has no name.
  { secret: secret(1) },
  { id: "fresh", secret: secret(2) },
  { id: "other", secret: secret(3) }
]

/** The stores of a server that has these keys. */
const server = (...keys: Array.NonEmptyReadonlyArray<RingKey>) =>
  Effect.provide(
    Layer.mergeAll(SqlDeviceStore.layer, SqlWebhookEndpointStore.layer, SqlProviderAccountStore.layer).pipe(
      Layer.provideMerge(TokenCipher.layerOverRing),
      Layer.provideMerge(KeyRing.layer(keys))
    )
  )

const account = (token: string) => ({
  kind: "twilio" as const,
  name: "sms",
  order: 0,
  enabled: true,
  settings: {},
  rate: null,
  credentials: Redacted.make(token)
})

const keysInUse = Effect.map(SqlResealing.counts, (found) => new Set(found.map(({ keyId }) => keyId)))

const fill = Effect.fnUntraced(function* (count: number) {
  const key = { tenantId: freshTenant(), userId: user("ada") }
  const [devices, endpoints, accounts] = [yield* DeviceStore, yield* WebhookEndpointStore, yield* ProviderAccountStore]
  for (const n of Array.range(1, count)) {
    yield* devices.register(key, { platform: "ios", token: `token-${n}` })
    yield* endpoints.create(key.tenantId, `e${n}`, { url: "https://a.example" }, Redacted.make(`whsec_${n}`), noon)
    yield* accounts.create(key.tenantId, `a${n}`, account(`credential-${n}`), noon)
  }
  return key
})

type Key = Effect.Success<ReturnType<typeof fill>>

const readAll = Effect.fnUntraced(function* ({ tenantId, userId }: Key, count: number) {
  const [devices, endpoints, accounts] = [yield* DeviceStore, yield* WebhookEndpointStore, yield* ProviderAccountStore]
  const tokens = (yield* devices.list({ tenantId, userId })).map(({ token }) => token)
  const numbers = Array.range(1, count)
  const secrets = yield* Effect.forEach(numbers, (n) => endpoints.secrets(tenantId, `e${n}`, noon))
  const credentials = yield* Effect.forEach(numbers, (n) => accounts.credentials(tenantId, `a${n}`))
  return {
    tokens: tokens.toSorted(),
    secrets: secrets.flat().map((one) => Redacted.value(one.secret)),
    credentials: credentials.flatMap((one) => (Option.isSome(one) ? [Redacted.value(one.value)] : []))
  }
})

layer(database, { timeout: "60 seconds" })("keys of secrets at rest", (it) => {
  it.effect("a rotation loses nothing, beside servers that write, and then the former key can be dropped", () =>
    Effect.gen(function* () {
      const key = yield* fill(6).pipe(server(old))
      const [former] = [...(yield* keysInUse)]
      expect(former).toMatch(/^[0-9a-f]{16}$/)
      const before = yield* readAll(key, 6).pipe(server(old))
      expect(yield* readAll(key, 6).pipe(server(fresh, old))).toEqual(before)

      const began = yield* Deferred.make<void>()
      const goOn = yield* Deferred.make<void>()
      const onBatch = () => Effect.andThen(Deferred.succeed(began, undefined), Deferred.await(goOn))
      const rotation = yield* Effect.forkChild(SqlResealing.reseal({ batch: 2, onBatch }).pipe(server(fresh, old)))
      yield* Deferred.await(began)
      // In the middle of it: a known token stays one row, whichever key found it, and an account gets other credentials.
      const again = Effect.gen(function* () {
        const [devices, accounts] = [yield* DeviceStore, yield* ProviderAccountStore]
        yield* devices.register(key, { platform: "android", token: "token-3" })
        expect(yield* devices.unregister(key, "token-4")).toBe(true)
        yield* devices.register(key, { platform: "ios", token: "token-new" })
        yield* accounts.update(key.tenantId, "a6", { credentials: Redacted.make("credential-other") }, noon)
      })
      yield* again.pipe(server(fresh, old))
      yield* Deferred.succeed(goOn, undefined)
      const tables = yield* Fiber.join(rotation)
      expect(tables.every(({ stuck }) => stuck.size === 0)).toBe(true)
      expect(yield* keysInUse).toEqual(new Set(["fresh"]))

      const after = yield* readAll(key, 6).pipe(server(fresh))
      expect(after.tokens).toEqual(["token-1", "token-2", "token-3", "token-5", "token-6", "token-new"])
      expect(after.secrets).toEqual(before.secrets)
      expect(after.credentials).toEqual([...before.credentials.slice(0, 5), "credential-other"])
      // Found by the same hash as before.
      const dead = Effect.flatMap(DeviceStore, (devices) => devices.removeDead(key.tenantId, ["token-1", "token-3"]))
      expect(yield* dead.pipe(server(fresh))).toBe(2)
    })
  )

  it.effect("a rotation that was broken off goes on where it was, and one that has nothing to do changes nothing", () =>
    Effect.gen(function* () {
      const key = yield* fill(4).pipe(server(fresh))
      let batches = 0
      const broken = SqlResealing.reseal({
        batch: 1,
        onBatch: () => ((batches += 1) === 5 ? Effect.die(new Error("killed")) : Effect.void)
      }).pipe(server(other, fresh))
      expect((yield* Effect.exit(broken))._tag).toBe("Failure")
      expect(yield* keysInUse).toEqual(new Set(["fresh", "other"]))
      yield* SqlResealing.reseal().pipe(server(other, fresh))
      expect(yield* keysInUse).toEqual(new Set(["other"]))
      expect((yield* readAll(key, 4).pipe(server(other))).credentials).toHaveLength(4)
      const none = yield* SqlResealing.reseal().pipe(server(other))
      expect(none.reduce((sum, { resealed }) => sum + resealed, 0)).toBe(0)
    })
  )

  it.effect("without its key nothing opens, its id is named, and it opens again when the key is back", () =>
    Effect.gen(function* () {
      yield* SqlResealing.reseal().pipe(server(other, fresh))
      const key = yield* fill(1).pipe(server(other))
      const asked = Effect.gen(function* () {
        const [devices, endpoints, accounts] = [
          yield* DeviceStore,
          yield* WebhookEndpointStore,
          yield* ProviderAccountStore
        ]
        const [found] = yield* devices.listAll([key])
        expect(found).toMatchObject({ devices: [], missingKey: "other" })
        expect(yield* Effect.flip(accounts.credentials(key.tenantId, "a1"))).toMatchObject({
          _tag: "CredentialsNotOpened",
          keyId: "other",
          message: "No secret has the key id other"
        })
        expect(yield* Effect.flip(endpoints.secrets(key.tenantId, "e1", noon))).toMatchObject({
          cause: { _tag: "TokenNotOpened", keyId: "other" }
        })
        const registering = devices.register(key, { platform: "ios", token: "x" })
        expect(yield* Effect.flip(registering)).toMatchObject({ cause: { message: "No secret has the key id other" } })
      })
      yield* asked.pipe(server(old))
      const tables = yield* SqlResealing.reseal().pipe(server(old))
      const stuck = tables.flatMap(({ stuck }) => [...stuck.keys()])
      expect(new Set(stuck)).toEqual(new Set(["other"]))
      expect((yield* readAll(key, 1).pipe(server(old, other))).tokens).toEqual(["token-1"])
    })
  )

  it.effect("credentials that are copied to another account or tenant do not open there", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const key = yield* fill(1).pipe(server(other))
      const stranger = yield* fill(1).pipe(server(other))
      const copied = (tenantId: Key["tenantId"], id: string) =>
        Effect.gen(function* () {
          yield* sql`
            update provider_accounts a set sealed = b.sealed, key_id = b.key_id from provider_accounts b
            where a.tenant_id = ${tenantId} and a.id = ${id} and b.tenant_id = ${key.tenantId} and b.id = 'a1'`
          const accounts = yield* ProviderAccountStore
          return yield* Effect.flip(accounts.credentials(tenantId, id))
        }).pipe(server(other))
      yield* Effect.flatMap(ProviderAccountStore, (accounts) =>
        accounts.create(key.tenantId, "a2", account("its own"), noon)
      ).pipe(server(other))
      for (const error of [yield* copied(stranger.tenantId, "a1"), yield* copied(key.tenantId, "a2")]) {
        expect(error).toMatchObject({
          _tag: "CredentialsNotOpened",
          message: "What was sealed under other did not open"
        })
      }
    })
  )

  it.effect("every table that has a key id is gone through", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const rows = yield* sql<{ readonly name: string }>`
        select table_name::text as name from information_schema.columns
        where column_name = 'key_id' and table_schema = current_schema()`
      expect(rows.map(({ name }) => name).toSorted()).toEqual(SqlResealing.sealedTables.toSorted())
    })
  )
})
