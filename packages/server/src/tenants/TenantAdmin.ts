/**
 * Tenants set up, changed, suspended and removed: by those who run the deployment, and each tenant's own settings by its
 * admins.
 *
 * **Details**
 *
 * Every change is noted in the audit log of the tenant that it is about, and told to all nodes. A change of single settings
 * reads, merges and writes the version it has read; when another one came between, it begins anew, unless the caller named
 * the version.
 *
 * **Gotchas**
 *
 * Callers of the deployment reach other tenants than their own: everything here runs with the rows of all tenants, and so
 * only what was authorised may come here.
 */
import { Context, DateTime, Effect, Layer, Option, Schema } from "effect"
import type { TenantPatch } from "@beckon/domain/api/TenantApi"
import type { CurrentIdentity } from "@beckon/domain/Identity"
import type { TenantId } from "@beckon/domain/Identifiers"
import { Conflict, NotFound, Unavailable, Unprocessable } from "@beckon/domain/Problem"
import type { PreconditionFailed } from "@beckon/domain/Problem"
import { asSystem } from "@beckon/domain/ports/RowAccess"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { TenantSecretStore } from "@beckon/domain/ports/TenantSecretStore"
import { TenantStore } from "@beckon/domain/ports/TenantStore"
import type { NewTenant, TenantChange } from "@beckon/domain/ports/TenantStore"
import { patched, TenantSettings } from "@beckon/domain/Tenant"
import type { Tenant, TenantSettingsPatch, TenantStatus } from "@beckon/domain/Tenant"
import { OutboundPost } from "@beckon/infra/webhook/OutboundPost"
import { Audit } from "../audit/Audit.ts"
import * as Conditional from "../http/Conditional.ts"
import { storeToProblem } from "../inbox/Inbox.ts"
import * as BoundCredential from "../users/BoundCredential.ts"
import { Tenants } from "./Tenants.ts"

/** The version that the caller wants to change; absent: whichever is there. */
export type Expected = number | undefined

/** Changes that come between a read and its write; so many in a row are no accident. */
const maxRounds = 5

const unknown = new NotFound({ detail: "id: no tenant of this id was set up" })

const encodeSettings = Schema.encodeEffect(Schema.toCodecJson(TenantSettings))

/** As the audit log shows it. */
const noted = Effect.fnUntraced(function* ({ name, settings, status }: Tenant) {
  return { name, status, settings: yield* Effect.orDie(encodeSettings(settings)) }
})

export class TenantAdmin extends Context.Service<
  TenantAdmin,
  {
    /** By id. */
    readonly list: (options: {
      readonly status?: TenantStatus | undefined
      readonly afterId?: TenantId | undefined
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<Tenant>, Unavailable>
    readonly get: (tenantId: TenantId) => Effect.Effect<Tenant, NotFound | Unavailable>
    readonly create: (
      tenant: NewTenant
    ) => Effect.Effect<Tenant, Conflict | Unavailable | Unprocessable, CurrentIdentity>
    readonly update: (
      tenantId: TenantId,
      patch: TenantPatch,
      expected: Expected
    ) => Effect.Effect<Tenant, NotFound | PreconditionFailed | Unavailable | Unprocessable, CurrentIdentity>
    /** The same for one's own tenant, which needs not be set up before. */
    readonly updateOwn: (
      tenantId: TenantId,
      patch: TenantPatch,
      expected: Expected
    ) => Effect.Effect<Tenant, PreconditionFailed | Unavailable | Unprocessable, CurrentIdentity>
    readonly setStatus: (
      tenantId: TenantId,
      status: TenantStatus
    ) => Effect.Effect<Tenant, NotFound | Unavailable, CurrentIdentity>
    readonly remove: (tenantId: TenantId) => Effect.Effect<void, Conflict | NotFound | Unavailable, CurrentIdentity>
  }
>()("@beckon/server/tenants/TenantAdmin") {
  static readonly layer = Layer.effect(
    TenantAdmin,
    Effect.gen(function* () {
      const store = yield* TenantStore
      const secrets = yield* TenantSecretStore
      const tenants = yield* Tenants
      const audit = yield* Audit
      const outbound = yield* OutboundPost

      const find = (tenantId: TenantId) =>
        Effect.map(
          store.get(tenantId),
          Option.filter(({ removedAt }) => removedAt === undefined)
        )

      /** A URL is judged as it is written; what its name leads to, at every connection. */
      const checked = Effect.fnUntraced(function* (tenantId: TenantId, settings: TenantSettings) {
        const { recipients } = settings
        if (recipients?.source !== "external") return settings
        const url = yield* Effect.mapError(
          outbound.check(recipients.url),
          ({ reason }) => new Unprocessable({ detail: `settings.recipients.url: ${reason}` })
        )
        if (url.search !== "" || url.hash !== "") {
          return yield* new Unprocessable({ detail: "settings.recipients.url: without ? and #" })
        }
        // What the service account was given for does not change behind the back of whoever gave it.
        const kept = yield* secrets.get(tenantId, "user_service")
        if (Option.isSome(kept) && !BoundCredential.isFor(kept.value, url.href)) {
          return yield* new Unprocessable({
            detail: `settings.recipients.url: the service account was given for ${BoundCredential.originOf(kept.value)}; remove it first, and give the one for this origin afterwards`
          })
        }
        return { ...settings, recipients: { ...recipients, url: url.href } }
      })

      const changed = Effect.fnUntraced(function* (action: string, before: Tenant | undefined, after: Tenant) {
        yield* tenants.changed(after.id)
        yield* audit.record({
          action: `tenant.${action}`,
          target: `tenant/${after.id}`,
          tenantId: after.id,
          ...(before === undefined ? {} : { before: yield* noted(before) }),
          after: yield* noted(after)
        })
        return after
      })

      const create = Effect.fn("TenantAdmin.create")(
        function* (tenant: NewTenant) {
          const settings = yield* checked(tenant.id, tenant.settings)
          const made = yield* store.create({ ...tenant, settings }, yield* DateTime.now)
          if (Option.isSome(made)) return yield* changed("create", undefined, made.value)
          return yield* new Conflict({ detail: "id: there is, or was, a tenant of this id" })
        },
        asSystem,
        Effect.catchTag("StoreUnavailable", storeToProblem)
      )

      const settingsOf = (former: Tenant, patch: TenantSettingsPatch) => {
        const settings = patched(former.settings, patch)
        return patch.recipients === undefined ? Effect.succeed(settings) : checked(former.id, settings)
      }

      const changeOf = Effect.fnUntraced(function* (former: Tenant, { name, settings }: TenantPatch) {
        const change: TenantChange = {
          ...(name === undefined ? {} : { name }),
          ...(settings === undefined ? {} : { settings: yield* settingsOf(former, settings) })
        }
        return change
      })

      const write = Effect.fnUntraced(function* (
        tenantId: TenantId,
        action: string,
        expected: Expected,
        change: (former: Tenant) => Effect.Effect<TenantChange, StoreUnavailable | Unprocessable>
      ) {
        for (let round = 0; round < maxRounds; round++) {
          const former = yield* find(tenantId)
          if (Option.isNone(former)) return yield* unknown
          const { version } = former.value
          if (expected !== undefined && expected !== version) return yield* Conditional.failed(version)
          const now = yield* DateTime.now
          const answer = yield* store.update(tenantId, yield* change(former.value), version, now)
          if (answer._tag === "NotFound") return yield* unknown
          if (answer._tag === "Updated") return yield* changed(action, former.value, answer.tenant)
          if (expected !== undefined) return yield* Conditional.failed(answer.version)
        }
        return yield* new Unavailable({ detail: "Others change this tenant at the same time; try again." })
      }, asSystem)

      const update = Effect.fn("TenantAdmin.update")(
        (tenantId: TenantId, patch: TenantPatch, expected: Expected) =>
          write(tenantId, "update", expected, (former) => changeOf(former, patch)),
        Effect.catchTag("StoreUnavailable", storeToProblem)
      )

      const updateOwn = Effect.fn("TenantAdmin.updateOwn")(function* (
        tenantId: TenantId,
        patch: TenantPatch,
        expected: Expected
      ) {
        for (let round = 0; round < maxRounds; round++) {
          const known = yield* Effect.catch(asSystem(find(tenantId)), storeToProblem)
          if (Option.isSome(known)) {
            return yield* Effect.catchTag(update(tenantId, patch, expected), "NotFound", () => Conditional.failed())
          }
          if (expected !== undefined && expected !== 0) return yield* Conditional.failed(0)
          const tenant = {
            id: tenantId,
            name: patch.name ?? tenantId,
            settings: patched({}, patch.settings ?? {})
          }
          const made = yield* Effect.catchTag(Effect.asSome(create(tenant)), "Conflict", () => Effect.succeedNone)
          if (Option.isSome(made)) return made.value
          if (expected !== undefined) return yield* Conditional.failed()
        }
        return yield* new Unavailable({ detail: "Others change this tenant at the same time; try again." })
      })

      return {
        list: Effect.fn("TenantAdmin.list")(
          function* ({ afterId, limit, status }) {
            return yield* store.list({
              limit,
              ...(afterId === undefined ? {} : { afterId }),
              ...(status === undefined ? {} : { status })
            })
          },
          asSystem,
          Effect.catch(storeToProblem)
        ),

        get: Effect.fn("TenantAdmin.get")(
          function* (tenantId) {
            const found = yield* find(tenantId)
            return Option.isSome(found) ? found.value : yield* unknown
          },
          asSystem,
          Effect.catchTag("StoreUnavailable", storeToProblem)
        ),

        create,
        update,
        updateOwn,

        setStatus: Effect.fn("TenantAdmin.setStatus")(
          function* (tenantId, status) {
            const action = status === "active" ? "activate" : "suspend"
            return yield* write(tenantId, action, undefined, () => Effect.succeed({ status }))
          },
          Effect.catchTags({
            StoreUnavailable: storeToProblem,
            // Neither can be: a status is no text, and no version was named.
            Unprocessable: Effect.die,
            PreconditionFailed: Effect.die
          })
        ),

        remove: Effect.fn("TenantAdmin.remove")(
          function* (tenantId) {
            const former = yield* find(tenantId)
            if (Option.isNone(former)) return yield* unknown
            const removal = yield* store.remove(tenantId, yield* DateTime.now)
            if (removal === "NotFound") return yield* unknown
            if (removal === "NotSuspended") return yield* new Conflict({ detail: "status: suspend the tenant first" })
            yield* tenants.changed(tenantId)
            const before = yield* noted(former.value)
            yield* audit.record({ action: "tenant.remove", target: `tenant/${tenantId}`, tenantId, before })
          },
          asSystem,
          Effect.catchTag("StoreUnavailable", storeToProblem)
        )
      }
    })
  )
}
