/**
 * Versions of templates in memory, up to a total length of their sources; the template that was asked for longest ago goes
 * first. The validator of a schema, which the engine compiles, lives with the object that is kept here.
 */
import { Option } from "effect"
import type { TenantId } from "@beckon/domain/Identifiers"
import type { TemplateVersion } from "@beckon/domain/Template"

/** A number, or the version that is active. */
export type Wanted = number | "active"

interface Held {
  readonly template: Option.Option<TemplateVersion>
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

interface OfCode {
  readonly held: Map<Wanted, Held>
  weight: number
}

/** What an entry without sources costs. */
const least = 200

/** How much longer a compiled schema is than its JSON. */
const schemaFactor = 50

const lengthOf = (value: unknown): number => {
  if (typeof value === "string") return value.length
  if (typeof value !== "object" || value === null) return 1
  return Object.values(value).reduce((sum: number, item) => sum + lengthOf(item), 1)
}

const weightOf = (held: Held | undefined): number => {
  if (held === undefined) return 0
  if (Option.isNone(held.template)) return least
  const { texts, variables } = held.template.value
  return least + lengthOf(texts) + (variables === null ? 0 : JSON.stringify(variables).length * schemaFactor)
}

const keyOf = (tenantId: TenantId, code: string) => `${tenantId}\u0000${code}`

/** `maxWeight` is in UTF-16 code units of sources. */
export const make = (maxWeight: number) => {
  /** The one that was asked for longest ago first. */
  const codes = new Map<string, OfCode>()
  let total = 0

  const forget = (key: string) => {
    total -= codes.get(key)?.weight ?? 0
    codes.delete(key)
  }

  return {
    find: (
      tenantId: TenantId,
      code: string,
      wanted: Wanted,
      now: number
    ): Option.Option<TemplateVersion> | undefined => {
      const key = keyOf(tenantId, code)
      const ofCode = codes.get(key)
      const found = ofCode?.held.get(wanted)
      if (ofCode === undefined || found === undefined || found.expiresAt <= now) return undefined
      codes.delete(key)
      codes.set(key, ofCode)
      return found.template
    },

    keep: (
      tenantId: TenantId,
      code: string,
      wanted: Wanted,
      template: Option.Option<TemplateVersion>,
      expiresAt: number
    ): void => {
      const key = keyOf(tenantId, code)
      const ofCode = codes.get(key) ?? { held: new Map<Wanted, Held>(), weight: 0 }
      const held = { template, expiresAt }
      const more = weightOf(held) - weightOf(ofCode.held.get(wanted))
      ofCode.held.set(wanted, held)
      ofCode.weight += more
      total += more
      codes.delete(key)
      codes.set(key, ofCode)
      for (const [oldest] of codes) {
        if (total <= maxWeight) break
        forget(oldest)
      }
    },

    forget: (tenantId: TenantId, code: string): void => forget(keyOf(tenantId, code)),

    forgetAll: (): void => {
      codes.clear()
      total = 0
    },

    /** UTF-16 code units. */
    weight: (): number => total
  }
}
