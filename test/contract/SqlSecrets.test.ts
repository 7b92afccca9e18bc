/**
 * What only a database can get wrong: secrets in its tables, and halves of a change.
 */
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import { EventOutbox } from "@beckon/domain/ports/EventOutbox"
import { FriendshipStore } from "@beckon/domain/ports/FriendshipStore"
import { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import { RoutingPolicyStore } from "@beckon/domain/ports/RoutingPolicyStore"
import { WebhookEndpointStore } from "@beckon/domain/ports/WebhookEndpointStore"
import { expect, layer } from "@effect/vitest"
import { Effect, Logger, Option, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { freshKey, freshTenant, friendshipId, hoursAfterNoon, noon, user } from "./Fixtures.ts"
import { layerPglite } from "./SqlStores.ts"

const token = "device-token-that-nobody-may-read"
const whsec = "whsec_c2VjcmV0LXRoYXQtbm9ib2R5LW1heS1yZWFk"

/** What `effect` logs as warnings, with their annotations. */
const warningsOf = Effect.fnUntraced(function* <E, R>(effect: Effect.Effect<void, E, R>) {
  const lines: Array<string> = []
  const logger = Logger.map(Logger.formatJson, (line) => {
    if (line.includes('"WARN"')) lines.push(line)
  })
  yield* Effect.provide(effect, Logger.layer([logger]))
  return lines
})

layer(layerPglite, { timeout: "60 seconds" })("SQL stores", (it) => {
  it.effect("no column of devices holds a token in the clear, and the same token is never sealed the same", () =>
    Effect.gen(function* () {
      const store = yield* DeviceStore
      const sql = yield* SqlClient
      const [ada, other] = [freshKey("ada"), freshKey("ada")]
      yield* store.register(ada, { platform: "ios", token })
      yield* store.register(other, { platform: "ios", token })
      const rows = yield* sql<{ row: string; sealed: Uint8Array; hash: Uint8Array }>`
        select devices::text as row, token_sealed as sealed, token_hash as hash from devices
        where tenant_id in (${ada.tenantId}, ${other.tenantId})`
      expect(rows).toHaveLength(2)
      const text = rows.map(({ row }) => row).join()
      for (const form of ["utf8", "hex", "base64"] as const) {
        expect(text).not.toContain(Buffer.from(token).toString(form))
      }
      for (const { hash, sealed } of rows) {
        expect(Buffer.from(sealed).includes(Buffer.from(token))).toBe(false)
        expect(hash).toHaveLength(32)
      }
      expect(rows[0]?.hash).not.toEqual(rows[1]?.hash)
      expect(rows[0]?.sealed).not.toEqual(rows[1]?.sealed)
    })
  )

  it.effect("a token that does not open is left out with one warning, and costs nobody else anything", () =>
    Effect.gen(function* () {
      const store = yield* DeviceStore
      const sql = yield* SqlClient
      const ada = freshKey("ada")
      const eve = { ...ada, userId: user("eve") }
      yield* store.register(ada, { platform: "ios", token })
      yield* store.register(ada, { platform: "ios", token: "of another secret" })
      yield* sql`update devices set user_id = ${eve.userId} where tenant_id = ${ada.tenantId}`
      yield* sql`
        update devices set key_id = 'former' where tenant_id = ${ada.tenantId}
          and registration = (select max(registration) from devices where tenant_id = ${ada.tenantId})`
      yield* store.register(eve, { platform: "web", token: "her own" })
      const logged = yield* warningsOf(
        Effect.gen(function* () {
          expect(yield* store.list(eve)).toEqual([{ platform: "web", token: "her own" }])
          for (let times = 0; times < 2; times++) {
            const [found, none] = yield* store.listAll([eve, ada])
            expect(found?.devices.map((device) => device.token)).toEqual(["her own"])
            expect(none?.devices).toEqual([])
          }
        })
      )
      // One for the row that was copied, one for the key id that is not known.
      expect(logged).toHaveLength(2)
      expect(logged.join()).not.toContain(token)
    })
  )

  it.effect("no column of webhook_secrets holds a secret in the clear", () =>
    Effect.gen(function* () {
      const store = yield* WebhookEndpointStore
      const sql = yield* SqlClient
      const tenantId = freshTenant()
      yield* store.create(tenantId, "one", { url: "https://a.example" }, Redacted.make(whsec), noon)
      yield* store.rotate(tenantId, "one", Redacted.make(whsec), noon, noon)
      const rows = yield* sql<{ row: string; sealed: Uint8Array }>`
        select webhook_secrets::text as row, sealed from webhook_secrets where tenant_id = ${tenantId}`
      expect(rows).toHaveLength(2)
      const text = rows.map(({ row }) => row).join()
      for (const form of ["utf8", "hex", "base64"] as const) {
        expect(text).not.toContain(Buffer.from(whsec).toString(form))
      }
      for (const { sealed } of rows) expect(Buffer.from(sealed).includes(Buffer.from(whsec))).toBe(false)
      expect(rows[0]?.sealed).not.toEqual(rows[1]?.sealed)
    })
  )

  it.effect("a former webhook secret that does not open is left out; when none opens, there is an error", () =>
    Effect.gen(function* () {
      const store = yield* WebhookEndpointStore
      const sql = yield* SqlClient
      const tenantId = freshTenant()
      const later = hoursAfterNoon(24)
      yield* store.create(tenantId, "one", { url: "https://a.example" }, Redacted.make(whsec), noon)
      yield* sql`update webhook_secrets set key_id = 'former' where tenant_id = ${tenantId}`
      expect(yield* Effect.flip(store.secrets(tenantId, "one", noon))).toMatchObject({
        operation: "WebhookEndpointStore.secrets",
        cause: { _tag: "TokenNotOpened" }
      })
      yield* store.rotate(tenantId, "one", Redacted.make("whsec_new"), later, noon)
      const logged = yield* warningsOf(
        Effect.gen(function* () {
          for (let times = 0; times < 2; times++) {
            const secrets = yield* store.secrets(tenantId, "one", noon)
            expect(secrets.map(({ secret }) => Redacted.value(secret))).toEqual(["whsec_new"])
          }
        })
      )
      expect(logged).toHaveLength(1)
      // A row that is copied to another endpoint does not sign for it.
      yield* store.create(tenantId, "two", { url: "https://b.example" }, Redacted.make(whsec), noon)
      yield* sql`delete from webhook_secrets where tenant_id = ${tenantId} and endpoint_id = 'two'`
      yield* sql`update webhook_secrets set endpoint_id = 'two' where tenant_id = ${tenantId}`
      expect(yield* Effect.flip(store.secrets(tenantId, "two", noon))).toMatchObject({ _tag: "StoreUnavailable" })
    })
  )

  it.effect("an endpoint that is removed leaves no secret in the table", () =>
    Effect.gen(function* () {
      const store = yield* WebhookEndpointStore
      const sql = yield* SqlClient
      const tenantId = freshTenant()
      yield* store.create(tenantId, "one", { url: "https://a.example" }, Redacted.make(whsec), noon)
      yield* store.rotate(tenantId, "one", Redacted.make(whsec), hoursAfterNoon(1), noon)
      yield* store.remove(tenantId, "one")
      expect(yield* sql`select 1 from webhook_secrets where tenant_id = ${tenantId}`).toEqual([])
    })
  )

  it.effect(
    "saved preferences and policies that do not decode any more count as far as they do, with one warning",
    () =>
      Effect.gen(function* () {
        const [preferences, policies, sql] = [yield* PreferenceStore, yield* RoutingPolicyStore, yield* SqlClient]
        const key = freshKey()
        yield* preferences.set(key, {
          channels: { email: false },
          mutedTypes: ["a"],
          timeZone: "Europe/Berlin",
          language: "de"
        })
        yield* policies.set(key.tenantId, { types: { alarm: { critical: true } }, timeZone: "Europe/Berlin" })
        yield* sql`
        update preferences set preferences = preferences || '{"timeZone":"Mars/Olympus"}' where tenant_id = ${key.tenantId}`
        yield* sql`
        update routing_policies set policy = policy || '{"time_zone":"Mars/Olympus"}' where tenant_id = ${key.tenantId}`
        const logged = yield* warningsOf(
          Effect.gen(function* () {
            for (let times = 0; times < 2; times++) {
              expect(yield* preferences.get(key)).toEqual({
                channels: { email: false },
                mutedTypes: ["a"],
                language: "de"
              })
              expect(yield* policies.get(key.tenantId)).toEqual({
                policy: { types: { alarm: { critical: true } } },
                version: 1
              })
            }
          })
        )
        expect(logged).toHaveLength(2)
      })
  )

  it.effect("a friendship whose event cannot be saved is not saved either, new or changed", () =>
    Effect.gen(function* () {
      const store = yield* FriendshipStore
      const outbox = yield* EventOutbox
      const friendship = {
        tenantId: freshTenant(),
        id: friendshipId(),
        requesterId: user("ada"),
        recipientId: user("bob"),
        status: "PENDING",
        createdAt: noon,
        respondedAt: null
      } as const
      const good = { topic: "topic", key: friendship.id, headers: {}, value: "good" }
      // PostgreSQL's text refuses NUL.
      const bad = { ...good, value: "\u0000" }
      expect(yield* Effect.flip(store.insert(friendship, [good, bad]))).toMatchObject({ _tag: "StoreUnavailable" })
      expect(yield* store.get(friendship.tenantId, friendship.id)).toEqual(Option.none())
      yield* store.insert(friendship, [good])
      expect(yield* Effect.flip(store.update({ ...friendship, status: "ACCEPTED" }, [bad]))).toMatchObject({
        _tag: "StoreUnavailable"
      })
      expect(yield* store.get(friendship.tenantId, friendship.id)).toEqual(Option.some(friendship))
      expect((yield* outbox.peek(10)).map(({ value }) => value)).toEqual(["good"])
    })
  )
})
