/**
 * What a deployment begins with: lookups for all tenants, and a tenant to try things out with.
 *
 * **Details**
 *
 * Seeding again changes nothing, however often and from however many processes at once. What is there is never overwritten:
 * a lookup is written anew only by a later revision of the seeds and only while nobody has changed it; a tenant, a user with
 * his preferences, and a template are made only where there is none of that id. To get rid of a lookup, a tenant switches it
 * off for itself.
 *
 * It is to be run in one transaction: all of it is there, or nothing.
 */
import { DateTime, Effect, Option } from "effect"
import { UserId } from "@beckon/domain/Identifiers"
import type { TenantId } from "@beckon/domain/Identifiers"
import { LookupStore } from "@beckon/domain/ports/LookupStore"
import { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import { TemplateStore } from "@beckon/domain/ports/TemplateStore"
import { TenantStore } from "@beckon/domain/ports/TenantStore"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import { Audit, system } from "../audit/Audit.ts"
import * as Demo from "./DemoTenant.ts"
import { platformLookups, revision } from "./PlatformLookups.ts"

export interface Seeded {
  /** As `kind/code`. */
  readonly lookups: ReadonlyArray<string>
  readonly tenant: "made" | "kept" | "suspended"
  readonly users: ReadonlyArray<string>
  readonly templates: ReadonlyArray<string>
}

const seedUsers = Effect.fnUntraced(function* (tenantId: TenantId, now: DateTime.Utc) {
  const directory = yield* UserDirectory
  const preferences = yield* PreferenceStore
  const made: Array<string> = []
  for (const { id, preferences: wishes, user } of Demo.users) {
    const userId = UserId.make(id)
    if (Option.isNone(yield* directory.create(tenantId, userId, user, now))) continue
    made.push(id)
    if (wishes !== undefined) yield* preferences.set({ tenantId, userId }, wishes)
  }
  return made
})

const seedTemplates = Effect.fnUntraced(function* (tenantId: TenantId, now: DateTime.Utc) {
  const store = yield* TemplateStore
  const made: Array<string> = []
  for (const [code, template] of Object.entries(Demo.templates)) {
    if (Option.isSome(yield* store.putOver(tenantId, code, template, true, 0, now))) made.push(code)
  }
  return made
})

/** Into this tenant go the users and the templates; a suspended one is left alone. */
export const run = Effect.fn("Seeds.run")(function* (tenantId: TenantId) {
  const lookupStore = yield* LookupStore
  const tenants = yield* TenantStore
  const audit = yield* Audit
  const now = yield* DateTime.now
  const lookups = yield* lookupStore.seed("platform", platformLookups, revision, now)
  const made = yield* tenants.create({ id: tenantId, name: Demo.name, settings: Demo.settings }, now)
  const found = Option.isSome(made) ? made : yield* tenants.get(tenantId)
  const isActive = Option.isSome(found) && found.value.status === "active"
  const seeded: Seeded = {
    lookups,
    tenant: Option.isSome(made) ? "made" : isActive ? "kept" : "suspended",
    users: isActive ? yield* seedUsers(tenantId, now) : [],
    templates: isActive ? yield* seedTemplates(tenantId, now) : []
  }
  if (Option.isSome(made) || seeded.users.length > 0 || seeded.templates.length > 0) {
    const after = { tenant: seeded.tenant, users: [...seeded.users], templates: [...seeded.templates] }
    yield* audit.recordAs(system("beckon seed"), tenantId, {
      action: "seed.apply",
      target: `tenant/${tenantId}`,
      after
    })
  }
  return seeded
})
