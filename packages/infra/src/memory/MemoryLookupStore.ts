import type { Lookup, LookupInput } from "@beckon/domain/Lookup"
import { LookupStore, maxLookups } from "@beckon/domain/ports/LookupStore"
import type { LookupOwner } from "@beckon/domain/ports/LookupStore"
import { Effect, Layer, Option } from "effect"
import type { DateTime } from "effect"

interface Entry {
  readonly lookup: Lookup
  /** The revision of the seeds that wrote it; `null` once somebody has changed it. */
  readonly seed: number | null
}

const toLookup = (owner: LookupOwner, code: string, input: LookupInput, now: DateTime.Utc): Lookup => ({
  code,
  labels: structuredClone(input.labels),
  attributes: structuredClone(input.attributes ?? {}),
  active: input.active ?? true,
  order: input.order ?? 0,
  source: owner === "platform" ? "platform" : "tenant",
  updatedAt: now
})

const make = Effect.sync(() => {
  const tables = new Map<string, Map<string, Entry>>()
  const tableOf = (owner: LookupOwner, kind: string): Map<string, Entry> => {
    const name = `${owner === "platform" ? "" : owner.tenantId}\u0000${kind}`
    const table = tables.get(name) ?? new Map<string, Entry>()
    tables.set(name, table)
    return table
  }

  return LookupStore.of({
    list: (owner, kind) => Effect.sync(() => [...tableOf(owner, kind).values()].map(({ lookup }) => lookup)),

    put: (owner, kind, code, input, now) =>
      Effect.sync(() => {
        const table = tableOf(owner, kind)
        if (table.size - (table.has(code) ? 1 : 0) >= maxLookups) return Option.none()
        const lookup = toLookup(owner, code, input, now)
        table.set(code, { lookup, seed: null })
        return Option.some(lookup)
      }),

    remove: (owner, kind, code) =>
      Effect.sync(() => {
        const table = tableOf(owner, kind)
        const found = Option.fromUndefinedOr(table.get(code)?.lookup)
        table.delete(code)
        return found
      }),

    seed: (owner, seeds, revision, now) =>
      Effect.sync(() =>
        seeds
          .flatMap(({ code, kind, ...input }) => {
            const table = tableOf(owner, kind)
            const known = table.get(code)
            if (known !== undefined && (known.seed === null || known.seed >= revision)) return []
            table.set(code, { lookup: toLookup(owner, code, input, now), seed: revision })
            return [`${kind}/${code}`]
          })
          .toSorted()
      )
  })
})

/** Lookups in memory. */
export const layer: Layer.Layer<LookupStore> = Layer.effect(LookupStore, make)
