import type { AuditEntry } from "@beckon/domain/AuditEntry"
import { AuditLog } from "@beckon/domain/ports/AuditLog"
import { DateTime, Effect, Layer } from "effect"
import { byBytes } from "./ByteOrder.ts"

const make = Effect.sync(() => {
  const log = new Map<string, AuditEntry>()

  return AuditLog.of({
    append: (entries) =>
      Effect.sync(() => {
        for (const entry of entries) {
          const key = `${entry.tenantId}\u0000${entry.id}`
          if (log.has(key)) continue
          log.set(key, { ...entry, before: structuredClone(entry.before), after: structuredClone(entry.after) })
        }
      }),

    list: (tenantId, { action, actorId, beforeId, limit, since, target, until }) =>
      Effect.sync(() =>
        [...log.values()]
          .filter(
            (entry) =>
              entry.tenantId === tenantId &&
              (action === undefined || entry.action === action) &&
              (actorId === undefined || entry.actor.id === actorId) &&
              (target === undefined || entry.target === target) &&
              (since === undefined || DateTime.isGreaterThanOrEqualTo(entry.at, since)) &&
              (until === undefined || DateTime.isLessThan(entry.at, until)) &&
              (beforeId === undefined || byBytes(entry.id, beforeId) < 0)
          )
          .toSorted((left, right) => byBytes(right.id, left.id))
          .slice(0, limit)
      )
  })
})

/** The audit log in memory. */
export const layer: Layer.Layer<AuditLog> = Layer.effect(AuditLog, make)
