import { IdempotencyStore } from "@beckon/domain/ports/IdempotencyStore"
import type { Answer, IdempotencyScope } from "@beckon/domain/ports/IdempotencyStore"
import { DateTime, Effect, Layer } from "effect"

interface Kept {
  readonly fingerprint: string
  readonly claim: string
  readonly answer: Answer | undefined
  readonly expiresAt: DateTime.Utc
}

const make = Effect.sync(() => {
  const kept = new Map<string, Kept>()
  const nameOf = ({ caller, key, tenantId }: IdempotencyScope) => `${tenantId}\u0000${caller}\u0000${key}`

  /** Runs `change` on what the claim holds; false when it holds nothing. */
  const ifHeld = (scope: IdempotencyScope, claim: string, change: (name: string, held: Kept) => void) =>
    Effect.sync(() => {
      const name = nameOf(scope)
      const held = kept.get(name)
      if (held === undefined || held.claim !== claim || held.answer !== undefined) return false
      change(name, held)
      return true
    })

  return IdempotencyStore.of({
    claim: (scope, { claim, fingerprint, now, until }) =>
      Effect.sync(() => {
        const name = nameOf(scope)
        const found = kept.get(name)
        if (found === undefined || DateTime.isLessThanOrEqualTo(found.expiresAt, now)) {
          kept.set(name, { fingerprint, claim, answer: undefined, expiresAt: until })
          return { _tag: "Claimed" as const }
        }
        if (found.fingerprint !== fingerprint) return { _tag: "OtherCall" as const }
        return found.answer === undefined
          ? { _tag: "InProgress" as const, until: found.expiresAt }
          : { _tag: "Answered" as const, answer: found.answer }
      }),

    extend: (scope, claim, until) =>
      ifHeld(scope, claim, (name, held) => void kept.set(name, { ...held, expiresAt: until })),

    answer: (scope, claim, answer, keptUntil) =>
      ifHeld(scope, claim, (name, held) => void kept.set(name, { ...held, answer, expiresAt: keptUntil })),

    release: (scope, claim) => Effect.asVoid(ifHeld(scope, claim, (name) => void kept.delete(name))),

    removeExpired: (now, limit) =>
      Effect.sync(() => {
        let removed = 0
        for (const [name, { expiresAt }] of kept) {
          if (removed >= limit) break
          if (DateTime.isGreaterThan(expiresAt, now)) continue
          kept.delete(name)
          removed += 1
        }
        return removed
      })
  })
})

/** Idempotency keys in memory. */
export const layer: Layer.Layer<IdempotencyStore> = Layer.effect(IdempotencyStore, make)
