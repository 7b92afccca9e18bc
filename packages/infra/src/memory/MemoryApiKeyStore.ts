import type { ApiKey, ApiKeySecret, KnownApiKey } from "@beckon/domain/ApiKey"
import type { TenantId } from "@beckon/domain/Identifiers"
import { ApiKeyStore } from "@beckon/domain/ports/ApiKeyStore"
import { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { DateTime, Effect, Layer, Option } from "effect"
import { byBytes } from "./ByteOrder.ts"

const make = Effect.sync(() => {
  const known = new Map<string, KnownApiKey>()

  const find = (tenantId: TenantId, id: string) =>
    Option.filter(Option.fromUndefinedOr(known.get(id)), ({ key }) => key.tenantId === tenantId)
  const save = (key: ApiKey, secrets: ReadonlyArray<ApiKeySecret>): ApiKey => {
    known.set(key.id, { key, secrets })
    return key
  }

  return ApiKeyStore.of({
    create: ({ hash, ...key }, now) =>
      Effect.suspend(() => {
        if (known.has(key.id)) {
          const cause = new Error(`The id ${key.id} is taken`)
          return Effect.fail(new StoreUnavailable({ operation: "ApiKeyStore.create", cause }))
        }
        const unused = { revokedAt: null, lastUsedAt: null, lastUsedAddress: null, rotatedAt: null, formerUntil: null }
        return Effect.succeed(
          save({ ...key, ...unused, createdAt: now }, [{ version: 1, hash: hash.slice(), until: null }])
        )
      }),

    list: (tenantId, { beforeId, limit }) =>
      Effect.sync(() =>
        [...known.values()]
          .map(({ key }) => key)
          .filter((key) => key.tenantId === tenantId && (beforeId === undefined || byBytes(key.id, beforeId) < 0))
          .toSorted((left, right) => byBytes(right.id, left.id))
          .slice(0, limit)
      ),

    get: (tenantId, id) => Effect.sync(() => Option.map(find(tenantId, id), ({ key }) => key)),

    find: (id) => Effect.sync(() => Option.fromUndefinedOr(known.get(id))),

    rotate: (tenantId, id, hash, formerUntil, now) =>
      Effect.sync(() =>
        find(tenantId, id).pipe(
          Option.filter(({ key }) => key.revokedAt === null),
          Option.map(({ key, secrets: [newest] }) => {
            const former = newest === undefined ? [] : [{ ...newest, until: formerUntil }]
            const version = (newest?.version ?? 0) + 1
            return save({ ...key, rotatedAt: now, formerUntil }, [
              { version, hash: hash.slice(), until: null },
              ...former
            ])
          })
        )
      ),

    revoke: (tenantId, id, now) =>
      Effect.sync(() =>
        Option.map(find(tenantId, id), ({ key, secrets }) => save({ ...key, revokedAt: key.revokedAt ?? now }, secrets))
      ),

    noteUse: (tenantId, id, address, at) =>
      Effect.sync(() => {
        const found = find(tenantId, id)
        if (Option.isNone(found)) return
        const { key, secrets } = found.value
        if (key.lastUsedAt !== null && DateTime.isGreaterThanOrEqualTo(key.lastUsedAt, at)) return
        save({ ...key, lastUsedAt: at, lastUsedAddress: address }, secrets)
      })
  })
})

/** API keys in memory. */
export const layer: Layer.Layer<ApiKeyStore> = Layer.effect(ApiKeyStore, make)
