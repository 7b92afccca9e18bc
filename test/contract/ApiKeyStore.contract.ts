import type { TenantId } from "@beckon/domain/Identifiers"
import { ApiKeyStore } from "@beckon/domain/ports/ApiKeyStore"
import type { NewApiKey } from "@beckon/domain/ports/ApiKeyStore"
import { expect } from "@effect/vitest"
import type { Vitest } from "@effect/vitest"
import { Array, Effect, Option } from "effect"
import type { DateTime } from "effect"
import { freshTenant, hoursAfterNoon, noon } from "./Fixtures.ts"

let ids = 0

/** Ids that are unique in the deployment and sort by their making. */
const freshId = () => `key-${String(++ids).padStart(4, "0")}`

const hash = (first: number) => new Uint8Array(32).fill(7).with(0, first)

const created = Effect.fnUntraced(function* (tenantId: TenantId = freshTenant(), other: Partial<NewApiKey> = {}) {
  const store = yield* ApiKeyStore
  const key = { id: freshId(), tenantId, name: "shop", role: "service", scopes: null, createdBy: "ada" } as const
  return yield* store.create({ ...key, expiresAt: null, hash: hash(1), ...other }, noon)
})

/** What is known of its secrets: version, first byte of the hash, end. */
const secretsOf = Effect.fnUntraced(function* (id: string) {
  const store = yield* ApiKeyStore
  const { secrets } = Option.getOrThrow(yield* store.find(id))
  return secrets.map((one) => [one.version, one.hash[0], one.until])
})

export const apiKeyStoreContract = (it: Vitest.MethodsNonLive<ApiKeyStore>) => {
  it.effect("a key comes back whole, to its tenant by id, and to anyone who shows its id", () =>
    Effect.gen(function* () {
      const store = yield* ApiKeyStore
      const tenantId = freshTenant()
      const other = { name: "Ø 👋", role: "admin", scopes: ["keys:read", "events:write"], expiresAt: hoursAfterNoon(9) }
      const key = yield* created(tenantId, { ...other, role: "admin" })
      expect(key).toEqual({
        id: key.id,
        tenantId,
        ...other,
        createdBy: "ada",
        createdAt: noon,
        revokedAt: null,
        lastUsedAt: null,
        lastUsedAddress: null,
        rotatedAt: null,
        formerUntil: null
      })
      expect(yield* store.get(tenantId, key.id)).toEqual(Option.some(key))
      expect(yield* store.find(key.id)).toEqual(
        Option.some({ key, secrets: [{ version: 1, hash: hash(1), until: null }] })
      )
      expect(yield* store.get(freshTenant(), key.id)).toEqual(Option.none())
      expect(yield* store.find("none")).toEqual(Option.none())
      const plain = yield* created(tenantId, { scopes: [] })
      expect(yield* store.get(tenantId, plain.id)).toEqual(Option.some(plain))
    })
  )

  it.effect("an id is taken in the whole deployment", () =>
    Effect.gen(function* () {
      const store = yield* ApiKeyStore
      const key = yield* created()
      const error = yield* Effect.flip(created(freshTenant(), { id: key.id, hash: hash(2) }))
      expect(error).toMatchObject({ _tag: "StoreUnavailable" })
      expect(Option.getOrThrow(yield* store.find(key.id)).key).toEqual(key)
    })
  )

  it.effect("the list has the tenant's own, the last first, page by page", () =>
    Effect.gen(function* () {
      const store = yield* ApiKeyStore
      const tenantId = freshTenant()
      const keys = yield* Effect.forEach(Array.range(1, 5), () => created(tenantId))
      yield* created()
      const [first, second, third, fourth, fifth] = keys
      expect(yield* store.list(tenantId, { limit: 2 })).toEqual([fifth, fourth])
      expect(yield* store.list(tenantId, { limit: 2, beforeId: fourth?.id })).toEqual([third, second])
      expect(yield* store.list(tenantId, { limit: 2, beforeId: second?.id })).toEqual([first])
      expect(yield* store.list(freshTenant(), { limit: 2 })).toEqual([])
    })
  )

  it.effect("after a rotation the former secret is good until its end, and the one before it is forgotten", () =>
    Effect.gen(function* () {
      const store = yield* ApiKeyStore
      const key = yield* created()
      const bystander = yield* created(key.tenantId)
      const rotate = (first: number, until: DateTime.Utc) =>
        store.rotate(key.tenantId, key.id, hash(first), until, hoursAfterNoon(first))
      const rotated = { ...key, rotatedAt: hoursAfterNoon(2), formerUntil: hoursAfterNoon(5) }
      expect(yield* rotate(2, hoursAfterNoon(5))).toEqual(Option.some(rotated))
      expect(yield* secretsOf(key.id)).toEqual([
        [2, 2, null],
        [1, 1, hoursAfterNoon(5)]
      ])
      yield* rotate(3, hoursAfterNoon(6))
      expect(yield* secretsOf(key.id)).toEqual([
        [3, 3, null],
        [2, 2, hoursAfterNoon(6)]
      ])
      expect(yield* secretsOf(bystander.id)).toEqual([[1, 1, null]])
      expect(yield* store.rotate(freshTenant(), key.id, hash(9), noon, noon)).toEqual(Option.none())
      expect(yield* store.rotate(key.tenantId, "none", hash(9), noon, noon)).toEqual(Option.none())
      expect(yield* secretsOf(key.id)).toHaveLength(2)
    })
  )

  it.effect("of rotations at the same time each gets a version of its own, and two secrets are left", () =>
    Effect.gen(function* () {
      const store = yield* ApiKeyStore
      const key = yield* created()
      yield* Effect.forEach(
        Array.range(2, 11),
        (first) => store.rotate(key.tenantId, key.id, hash(first), hoursAfterNoon(1), noon),
        { concurrency: "unbounded" }
      )
      const secrets = yield* secretsOf(key.id)
      expect(secrets.map(([version]) => version)).toEqual([11, 10])
      expect(new Set(secrets.map(([, first]) => first)).size).toBe(2)
    })
  )

  it.effect("a key that is revoked stays so, with its first time, and gets no new secret", () =>
    Effect.gen(function* () {
      const store = yield* ApiKeyStore
      const key = yield* created()
      const revoked = Option.some({ ...key, revokedAt: hoursAfterNoon(1) })
      expect(yield* store.revoke(key.tenantId, key.id, hoursAfterNoon(1))).toEqual(revoked)
      expect(yield* store.revoke(key.tenantId, key.id, hoursAfterNoon(2))).toEqual(revoked)
      expect(yield* store.rotate(key.tenantId, key.id, hash(2), noon, noon)).toEqual(Option.none())
      expect(yield* store.get(key.tenantId, key.id)).toEqual(revoked)
      expect(yield* store.revoke(freshTenant(), key.id, noon)).toEqual(Option.none())
      expect(yield* store.revoke(key.tenantId, "none", noon)).toEqual(Option.none())
    })
  )

  it.effect("the last use is the latest, in whatever order uses are noted", () =>
    Effect.gen(function* () {
      const store = yield* ApiKeyStore
      const key = yield* created()
      const lastUse = Effect.map(store.get(key.tenantId, key.id), (found) => {
        const { lastUsedAddress, lastUsedAt } = Option.getOrThrow(found)
        return [lastUsedAt, lastUsedAddress]
      })
      yield* store.noteUse(key.tenantId, key.id, "192.0.2.1", hoursAfterNoon(2))
      expect(yield* lastUse).toEqual([hoursAfterNoon(2), "192.0.2.1"])
      yield* store.noteUse(key.tenantId, key.id, "192.0.2.2", hoursAfterNoon(1))
      expect(yield* lastUse).toEqual([hoursAfterNoon(2), "192.0.2.1"])
      yield* store.noteUse(freshTenant(), key.id, "192.0.2.3", hoursAfterNoon(3))
      expect(yield* lastUse).toEqual([hoursAfterNoon(2), "192.0.2.1"])
      yield* store.noteUse(key.tenantId, key.id, null, hoursAfterNoon(3))
      expect(yield* lastUse).toEqual([hoursAfterNoon(3), null])
      yield* store.noteUse(key.tenantId, "none", null, noon)
    })
  )
}
