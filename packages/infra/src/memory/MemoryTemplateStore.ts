import type { TenantId } from "@beckon/domain/Identifiers"
import { TemplateStore } from "@beckon/domain/ports/TemplateStore"
import type { TemplateInput, TemplateVersion } from "@beckon/domain/Template"
import { Effect, Layer, Option } from "effect"
import type { DateTime } from "effect"
import { byBytes } from "./ByteOrder.ts"

interface Template {
  readonly tenantId: TenantId
  readonly code: string
  /** The first has the number 1. */
  readonly versions: ReadonlyArray<TemplateVersion>
  readonly active: number
  readonly updatedAt: DateTime.Utc
}

const make = Effect.sync(() => {
  const templates = new Map<string, Template>()
  const keyOf = (tenantId: TenantId, code: string) => `${tenantId}\u0000${code}`
  const find = (tenantId: TenantId, code: string) => templates.get(keyOf(tenantId, code))

  const add = (
    tenantId: TenantId,
    code: string,
    template: TemplateInput,
    activate: boolean,
    now: DateTime.Utc
  ): TemplateVersion => {
    const { description = null, texts, variables = null } = template
    const before = find(tenantId, code)
    const version = (before?.versions.length ?? 0) + 1
    const added = structuredClone({ code, version, description, texts, variables })
    const saved: TemplateVersion = { ...added, createdAt: now }
    templates.set(keyOf(tenantId, code), {
      tenantId,
      code,
      versions: [...(before?.versions ?? []), saved],
      active: activate || before === undefined ? version : before.active,
      updatedAt: now
    })
    return saved
  }

  return TemplateStore.of({
    put: (tenantId, code, template, activate, now) => Effect.sync(() => add(tenantId, code, template, activate, now)),

    putOver: (tenantId, code, template, activate, expected, now) =>
      Effect.sync(() =>
        (find(tenantId, code)?.active ?? 0) === expected
          ? Option.some(add(tenantId, code, template, activate, now))
          : Option.none()
      ),

    get: (tenantId, code, version) =>
      Effect.sync(() => {
        const template = find(tenantId, code)
        return Option.fromUndefinedOr(template?.versions[(version ?? template.active) - 1])
      }),

    list: (tenantId, { afterCode, limit }) =>
      Effect.sync(() =>
        [...templates.values()]
          .filter(
            (template) =>
              template.tenantId === tenantId && (afterCode === undefined || byBytes(template.code, afterCode) > 0)
          )
          .toSorted((left, right) => byBytes(left.code, right.code))
          .slice(0, limit)
          .map(({ active, code, updatedAt, versions }) => ({
            code,
            description: versions[active - 1]?.description ?? null,
            activeVersion: active,
            latestVersion: versions.length,
            updatedAt
          }))
      ),

    versions: (tenantId, code) =>
      Effect.sync(() =>
        (find(tenantId, code)?.versions ?? []).map(({ createdAt, version }) => ({ version, createdAt })).toReversed()
      ),

    activate: (tenantId, code, version, now) =>
      Effect.sync(() => {
        const template = find(tenantId, code)
        if (template?.versions[version - 1] === undefined) return false
        templates.set(keyOf(tenantId, code), { ...template, active: version, updatedAt: now })
        return true
      }),

    remove: (tenantId, code, expected) =>
      Effect.sync(
        () =>
          (expected === undefined || find(tenantId, code)?.active === expected) &&
          templates.delete(keyOf(tenantId, code))
      )
  })
})

/** Templates in memory. */
export const layer: Layer.Layer<TemplateStore> = Layer.effect(TemplateStore, make)
