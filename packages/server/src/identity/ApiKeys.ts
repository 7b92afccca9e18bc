/**
 * API keys: made, given new secrets, revoked, and checked when one is shown.
 *
 * **Details**
 *
 * Every node keeps the keys that it has seen, and forgets one that has changed (`FreshCache`): a key that is revoked is refused by
 * all nodes within moments.
 *
 * **Gotchas**
 *
 * Nobody gets a secret of a key that may do more than he may himself: neither by making the key nor by rotating it.
 */
import { Context, DateTime, Duration, Effect, Layer, Option, Redacted } from "effect"
import { beyond, powersOf } from "@beckon/domain/ApiKey"
import type { ApiKey, ApiKeyRole, ApiKeySecret, KnownApiKey } from "@beckon/domain/ApiKey"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { CurrentIdentity } from "@beckon/domain/Identity"
import type { Identity } from "@beckon/domain/Identity"
import { ApiKeyStore } from "@beckon/domain/ports/ApiKeyStore"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { asSystem } from "@beckon/domain/ports/RowAccess"
import { TokenRefused } from "@beckon/domain/ports/Tokens"
import { Forbidden, NotFound, Unprocessable } from "@beckon/domain/Problem"
import type { Unavailable } from "@beckon/domain/Problem"
import * as ApiKeyFormat from "@beckon/infra/security/ApiKeySecret"
import { Audit } from "../audit/Audit.ts"
import * as FreshCache from "../caches/FreshCache.ts"
import { storeToProblem } from "../inbox/Inbox.ts"
import * as ApiKeyUse from "./ApiKeyUse.ts"

export const defaultOverlap = Duration.days(1)

/** When a key is shown it is not known whose it is: in the cache all belong to nobody. */
const anyTenant = TenantId.make("*")

/** The end of the year 9999: no schema of a time refuses it. */
const never = 253_402_300_799_999

export interface ApiKeyInput {
  readonly name: string
  readonly role: ApiKeyRole
  readonly scopes?: ReadonlyArray<string> | undefined
  readonly expiresAt?: DateTime.Utc | undefined
}

/** The only time that the key is known. */
export interface ShownApiKey {
  readonly key: ApiKey
  readonly secret: Redacted.Redacted
}

const unknown = new NotFound({ detail: "id: no API key of your tenant has this id" })

const notAKey = new TokenRefused({ reason: "key: not an API key of this server" })

const noAnswer = new TokenRefused({
  reason: "key: it cannot be checked at the moment; try again",
  because: "unavailable"
})

/** What of it is kept in the audit log. */
const summary = ({ expiresAt, name, role, scopes }: ApiKey) => ({
  name,
  role,
  scopes: scopes === null ? null : [...scopes],
  expires_at: expiresAt === null ? null : DateTime.formatIso(expiresAt)
})

const hasPassed = (time: DateTime.Utc | null, now: DateTime.Utc): boolean =>
  time !== null && DateTime.isLessThanOrEqualTo(time, now)

/** Why a secret of the key is not good any more. */
const endOf = ({ key }: KnownApiKey, secret: ApiKeySecret, now: DateTime.Utc): string | undefined => {
  if (key.revokedAt !== null) return "key: it was revoked"
  if (hasPassed(key.expiresAt, now)) return "key: it has expired"
  return hasPassed(secret.until, now) ? "key: it was replaced by a new one" : undefined
}

const toIdentity = ({ key }: KnownApiKey, { until, version }: ApiKeySecret): Identity => ({
  tenantId: key.tenantId,
  userId: UserId.make(`key:${key.id}`),
  ...powersOf(key),
  keyId: key.id,
  tokenId: String(version),
  expiresAt: Math.min(key.expiresAt?.epochMilliseconds ?? never, until?.epochMilliseconds ?? never)
})

const mayGive = (key: Pick<ApiKey, "role" | "scopes">) =>
  Effect.flatMap(CurrentIdentity, (caller) => {
    const more = beyond(key, caller)
    return more.length === 0
      ? Effect.void
      : Effect.fail(new Forbidden({ detail: `scopes: the key may not do what you may not: ${more.join(", ")}` }))
  })

export class ApiKeys extends Context.Service<
  ApiKeys,
  {
    readonly verify: (token: string) => Effect.Effect<Identity, TokenRefused>
    /** Whether the key that let this caller in still would. */
    readonly isGood: (identity: Identity) => Effect.Effect<boolean, StoreUnavailable>
    readonly create: (
      input: ApiKeyInput
    ) => Effect.Effect<ShownApiKey, Forbidden | Unprocessable | Unavailable, CurrentIdentity>
    /** The last made first. */
    readonly list: (
      tenantId: TenantId,
      options: { readonly beforeId?: string | undefined; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<ApiKey>, Unavailable>
    readonly get: (tenantId: TenantId, id: string) => Effect.Effect<ApiKey, NotFound | Unavailable>
    /** The secret before is good for `overlap` more; the one before that no longer. */
    readonly rotate: (
      id: string,
      overlap: Duration.Duration
    ) => Effect.Effect<ShownApiKey, Forbidden | NotFound | Unprocessable | Unavailable, CurrentIdentity>
    readonly revoke: (id: string) => Effect.Effect<ApiKey, NotFound | Unavailable, CurrentIdentity>
  }
>()("@beckon/server/identity/ApiKeys") {
  static readonly layer = Layer.effect(
    ApiKeys,
    Effect.gen(function* () {
      const store = yield* ApiKeyStore
      const audit = yield* Audit
      const use = yield* ApiKeyUse.make
      const cache = yield* FreshCache.make({
        topic: "api-keys",
        lookup: (_, id) => asSystem(store.find(id)),
        keptFor: "1 minute",
        capacity: 10_000,
        isAbsent: Option.isNone
      })

      const verify = Effect.fn("ApiKeys.verify")(function* (token: string) {
        const id = ApiKeyFormat.idOf(token)
        if (id === undefined) return yield* notAKey
        const known = Option.getOrUndefined(yield* Effect.mapError(cache.get(anyTenant, id), () => noAnswer))
        if (known === undefined) return yield* notAKey
        const hash = ApiKeyFormat.hashOf(token)
        const secret = known.secrets.find((one) => ApiKeyFormat.isSame(one.hash, hash))
        // Only who has the secret is told what became of the key.
        const reason = secret === undefined ? notAKey.reason : endOf(known, secret, yield* DateTime.now)
        if (secret === undefined || reason !== undefined) {
          yield* use.refused(known, reason ?? notAKey.reason)
          return yield* new TokenRefused({ reason: reason ?? notAKey.reason })
        }
        yield* use.used(known)
        return toIdentity(known, secret)
      })

      const isGood = Effect.fnUntraced(function* ({ keyId = "", tokenId }: Identity) {
        const known = Option.getOrUndefined(yield* cache.get(anyTenant, keyId))
        const secret = known?.secrets.find(({ version }) => String(version) === tokenId)
        return known !== undefined && secret !== undefined && endOf(known, secret, yield* DateTime.now) === undefined
      })

      const find = Effect.fnUntraced(function* (tenantId: TenantId, id: string) {
        const found = yield* Effect.catch(store.get(tenantId, id), storeToProblem)
        return Option.isSome(found) ? found.value : yield* unknown
      })

      return {
        verify,
        isGood,

        create: Effect.fn("ApiKeys.create")(function* ({ expiresAt, name, role, scopes }) {
          const caller = yield* CurrentIdentity
          const now = yield* DateTime.now
          if (hasPassed(expiresAt ?? null, now)) {
            return yield* new Unprocessable({ detail: "expires_at: it must be in the future" })
          }
          const wanted = { role, scopes: scopes === undefined ? null : [...new Set(scopes)] }
          yield* mayGive(wanted)
          const id = ApiKeyFormat.newId()
          const secret = ApiKeyFormat.newKey(id)
          const stored = store.create(
            {
              ...wanted,
              id,
              tenantId: caller.tenantId,
              name,
              createdBy: caller.userId,
              expiresAt: expiresAt ?? null,
              hash: ApiKeyFormat.hashOf(Redacted.value(secret))
            },
            now
          )
          const key = yield* Effect.catch(stored, storeToProblem)
          yield* audit.record({ action: "api_key.create", target: `api_key/${id}`, after: summary(key) })
          return { key, secret }
        }),

        list: (tenantId, options) => Effect.catch(store.list(tenantId, options), storeToProblem),

        get: find,

        rotate: Effect.fn("ApiKeys.rotate")(function* (id, overlap) {
          const { tenantId } = yield* CurrentIdentity
          const now = yield* DateTime.now
          const before = yield* find(tenantId, id)
          yield* mayGive(before)
          if (hasPassed(before.expiresAt, now)) {
            return yield* new Unprocessable({ detail: "id: the key has expired; make a new one" })
          }
          const secret = ApiKeyFormat.newKey(id)
          const hash = ApiKeyFormat.hashOf(Redacted.value(secret))
          const rotated = store.rotate(tenantId, id, hash, DateTime.addDuration(now, overlap), now)
          const key = Option.getOrUndefined(yield* Effect.catch(rotated, storeToProblem))
          if (key === undefined) return yield* new Unprocessable({ detail: "id: the key was revoked; make a new one" })
          yield* cache.changed(anyTenant, id)
          const until = key.formerUntil === null ? null : DateTime.formatIso(key.formerUntil)
          yield* audit.record({ action: "api_key.rotate", target: `api_key/${id}`, after: { former_until: until } })
          return { key, secret }
        }),

        revoke: Effect.fn("ApiKeys.revoke")(function* (id) {
          const { tenantId } = yield* CurrentIdentity
          const now = yield* DateTime.now
          const key = Option.getOrUndefined(yield* Effect.catch(store.revoke(tenantId, id, now), storeToProblem))
          if (key === undefined) return yield* unknown
          yield* cache.changed(anyTenant, id)
          yield* audit.record({ action: "api_key.revoke", target: `api_key/${id}`, before: summary(key) })
          return key
        })
      }
    })
  )
}
