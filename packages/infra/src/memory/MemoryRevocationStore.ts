import type { PlacedRevocation, RevocationPlace } from "@beckon/domain/ports/RevocationStore"
import { RevocationStore } from "@beckon/domain/ports/RevocationStore"
import type { Revocation } from "@beckon/domain/Revocation"
import { DateTime, Effect, Layer } from "effect"
import { byBytes } from "./ByteOrder.ts"

const byPlace = (left: RevocationPlace, right: RevocationPlace): number =>
  left.changedAt.epochMilliseconds - right.changedAt.epochMilliseconds || byBytes(left.id, right.id)

const make = Effect.sync(() => {
  const all = new Map<string, PlacedRevocation>()
  const keyOf = ({ kind, subject, tenantId }: Revocation) => `${tenantId}\u0000${kind}\u0000${subject}`

  return RevocationStore.of({
    save: (revocation, id, now) =>
      Effect.sync(() => {
        const former = all.get(keyOf(revocation))
        const saved = {
          ...revocation,
          before: DateTime.max(revocation.before, former?.revocation.before ?? revocation.before),
          expiresAt: DateTime.max(revocation.expiresAt, former?.revocation.expiresAt ?? revocation.expiresAt)
        }
        all.set(keyOf(revocation), {
          revocation: saved,
          id,
          changedAt: DateTime.max(now, former?.changedAt ?? now)
        })
        return saved
      }),

    changes: (after, limit) =>
      Effect.sync(() =>
        [...all.values()]
          .filter((one) => byPlace(one, after) > 0)
          .toSorted(byPlace)
          .slice(0, limit)
      ),

    forget: (now, limit) =>
      Effect.sync(() => {
        const expired = [...all]
          .filter(([, { revocation }]) => DateTime.isLessThanOrEqualTo(revocation.expiresAt, now))
          .toSorted(
            ([, left], [, right]) =>
              left.revocation.expiresAt.epochMilliseconds - right.revocation.expiresAt.epochMilliseconds
          )
          .slice(0, limit)
        for (const [key] of expired) all.delete(key)
        return expired.length
      })
  })
})

/** Revocations in memory. */
export const layer: Layer.Layer<RevocationStore> = Layer.effect(RevocationStore, make)
