import type { TenantId } from "@beckon/domain/Identifiers"
import { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { ProviderAccountStore } from "@beckon/domain/ports/ProviderAccountStore"
import { inOrder } from "@beckon/domain/ProviderAccount"
import type { ProviderAccount } from "@beckon/domain/ProviderAccount"
import { Effect, Layer, Option, Redacted } from "effect"
import { createHash } from "node:crypto"

interface Entry {
  readonly account: ProviderAccount
  readonly credentials: Redacted.Redacted
}

const fingerprintOf = (tenantId: TenantId, plain: Redacted.Redacted): string =>
  createHash("sha256")
    .update(`${tenantId}\u0000${Redacted.value(plain)}`)
    .digest("hex")
    .slice(0, 12)

const isNow = (entry: Option.Option<Entry>, version: number | undefined) =>
  Option.filter(entry, ({ account }) => version === undefined || account.version === version)

const make = Effect.sync(() => {
  const entries = new Map<string, Entry>()
  const keyOf = (tenantId: TenantId, id: string) => `${tenantId}\u0000${id}`
  const find = (tenantId: TenantId, id: string) => Option.fromUndefinedOr(entries.get(keyOf(tenantId, id)))

  return ProviderAccountStore.of({
    create: (tenantId, id, { credentials, ...account }, now) =>
      Effect.suspend(() => {
        if (entries.has(keyOf(tenantId, id))) {
          const cause = new Error(`The id ${id} is taken`)
          return Effect.fail(new StoreUnavailable({ operation: "ProviderAccountStore.create", cause }))
        }
        const created: ProviderAccount = {
          ...structuredClone(account),
          id,
          tenantId,
          credentials: { keyId: "memory", fingerprint: fingerprintOf(tenantId, credentials), updatedAt: now },
          version: 1,
          createdAt: now,
          updatedAt: now
        }
        entries.set(keyOf(tenantId, id), { account: created, credentials })
        return Effect.succeed(created)
      }),

    list: (tenantId) =>
      Effect.sync(() =>
        [...entries.values()]
          .map(({ account }) => account)
          .filter((account) => account.tenantId === tenantId)
          .toSorted(inOrder)
      ),

    get: (tenantId, id) => Effect.sync(() => Option.map(find(tenantId, id), ({ account }) => account)),

    update: (tenantId, id, { credentials, ...change }, now, version) =>
      Effect.sync(() =>
        Option.map(isNow(find(tenantId, id), version), ({ account, credentials: former }) => {
          const changed: ProviderAccount = {
            ...account,
            ...structuredClone(change),
            credentials:
              credentials === undefined
                ? account.credentials
                : { keyId: "memory", fingerprint: fingerprintOf(tenantId, credentials), updatedAt: now },
            version: account.version + 1,
            updatedAt: now
          }
          entries.set(keyOf(tenantId, id), { account: changed, credentials: credentials ?? former })
          return changed
        })
      ),

    remove: (tenantId, id) => Effect.sync(() => entries.delete(keyOf(tenantId, id))),

    credentials: (tenantId, id) => Effect.sync(() => Option.map(find(tenantId, id), ({ credentials }) => credentials))
  })
})

/** Accounts with senders in memory. */
export const layer: Layer.Layer<ProviderAccountStore> = Layer.effect(ProviderAccountStore, make)
