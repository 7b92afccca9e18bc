/**
 * Whether a caller whose credential is good may come in, and whether one that is in may stay: nothing was revoked, and his
 * tenant is not suspended.
 *
 * **Gotchas**
 *
 * Who runs the deployment (`platform`) gets in although his tenant is suspended: he could not lift it otherwise. When nobody
 * can tell, a new caller has to try again, and a socket stays open.
 */
import { Context, Effect, Layer } from "effect"
import * as CloseReason from "@beckon/domain/CloseReason"
import type { TenantId } from "@beckon/domain/Identifiers"
import type { Identity } from "@beckon/domain/Identity"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { TokenRefused } from "@beckon/domain/ports/Tokens"
import { Tenants } from "../tenants/Tenants.ts"
import { ApiKeys } from "./ApiKeys.ts"
import { Revocations } from "./Revocations.ts"

/** Questions to the database at a time, where answers are not known. */
const concurrency = 8

export type Verdict = CloseReason.CloseReason | undefined

export class Standing extends Context.Service<
  Standing,
  {
    readonly admit: (identity: Identity) => Effect.Effect<void, TokenRefused>
    /** The same verdict, as far as this node has it in memory: revocations. Never waits. */
    readonly isRevoked: (identity: Identity) => boolean
    /** A verdict for each of these callers: why to close his socket, if at all. May wait for the database. */
    readonly judge: (identities: Iterable<Identity>) => Effect.Effect<(identity: Identity) => Verdict>
  }
>()("@beckon/server/identity/Standing") {
  static readonly layer: Layer.Layer<Standing, never, ApiKeys | Revocations | Tenants> = Layer.effect(
    Standing,
    Effect.gen(function* () {
      const keys = yield* ApiKeys
      const revocations = yield* Revocations
      const tenants = yield* Tenants

      const isSuspended = (tenantId: TenantId) =>
        Effect.map(tenants.get(tenantId), ({ status }) => status === "suspended")

      /** Those of which it is certain. */
      const certain = <A, K>(
        asked: Iterable<A>,
        question: (one: A) => Effect.Effect<boolean, StoreUnavailable>,
        keyOf: (one: A) => K
      ) =>
        Effect.map(
          Effect.filter(asked, (one) => Effect.catch(question(one), () => Effect.succeed(false)), { concurrency }),
          (found) => new Set(found.map(keyOf))
        )

      const nameOf = ({ keyId, tokenId }: Identity) => `${keyId} ${tokenId}`

      return {
        isRevoked: revocations.isRevoked,

        admit: Effect.fn("Standing.admit")(function* (identity) {
          if (revocations.isRevoked(identity)) return yield* new TokenRefused({ reason: "token: it was revoked" })
          if (identity.roles.includes("platform")) return
          const suspended = yield* Effect.mapError(
            isSuspended(identity.tenantId),
            () =>
              new TokenRefused({
                reason: "tenant: it cannot be checked at the moment; try again",
                because: "unavailable"
              })
          )
          if (suspended) return yield* new TokenRefused({ reason: "tenant: it is suspended", because: "suspended" })
        }),

        judge: Effect.fnUntraced(function* (identities) {
          const ids = new Set<TenantId>()
          const byKey = new Map<string, Identity>()
          for (const identity of identities) {
            ids.add(identity.tenantId)
            if (identity.keyId !== undefined) byKey.set(nameOf(identity), identity)
          }
          const suspended = yield* certain(ids, isSuspended, (id) => id)
          const isBad = (identity: Identity) => Effect.map(keys.isGood(identity), (good) => !good)
          const bad = yield* certain(byKey.values(), isBad, nameOf)
          return (identity) => {
            if (revocations.isRevoked(identity)) return CloseReason.tokenRevoked
            if (identity.keyId !== undefined && bad.has(nameOf(identity))) return CloseReason.tokenRevoked
            const isOut = suspended.has(identity.tenantId) && !identity.roles.includes("platform")
            return isOut ? CloseReason.tenantSuspended : undefined
          }
        })
      }
    })
  )
}
