/**
 * `/api/v1/admin/tenants/*` and `/api/v1/admin/tenant`.
 */
import { Effect, Layer, Option, Schema } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { TenantId } from "@beckon/domain/Identifiers"
import * as Policy from "@beckon/domain/Policy"
import { Conflict, Forbidden } from "@beckon/domain/Problem"
import type { Tenant, TenantSettingsPatch } from "@beckon/domain/Tenant"
import * as Conditional from "../http/Conditional.ts"
import * as Cursor from "../inbox/Cursor.ts"
import { storeToProblem } from "../inbox/Inbox.ts"
import { TenantAdmin } from "../tenants/TenantAdmin.ts"
import { Tenants } from "../tenants/Tenants.ts"
import { UserServiceAccounts } from "../users/UserServiceAccounts.ts"

const defaultLimit = 20

const isTenantId = Schema.is(TenantId)

const answered = Effect.fnUntraced(function* (tenant: Tenant) {
  yield* Conditional.tag(tenant.version)
  return { data: tenant }
})

/** `*` is any version that is there, and one always is when the change is made. */
const expected = Effect.map(Conditional.expectedVersion, (version) => (version === "any" ? undefined : version))

/** Whoever suspends or removes his own tenant cannot take it back. */
const notOwn = (tenantId: TenantId) =>
  Effect.flatMap(CurrentIdentity, (identity) =>
    identity.tenantId === tenantId
      ? Effect.fail(new Conflict({ detail: "id: it is your own tenant, and you would be shut out" }))
      : Effect.void
  )

const layerAll = HttpApiBuilder.group(
  BeckonApi,
  "tenants",
  Effect.fn(function* (handlers) {
    const admin = yield* TenantAdmin
    return handlers.handleAll({
      list: ({ query: { cursor, limit = defaultLimit, status } }) =>
        Effect.gen(function* () {
          const after = cursor === undefined ? undefined : yield* Effect.fromResult(Cursor.toId(cursor))
          const afterId = after !== undefined && isTenantId(after) ? after : undefined
          const rows = yield* admin.list({ status, afterId, limit: limit + 1 })
          return Cursor.pageOf(rows, limit, ({ id }) => Cursor.ofId(id))
        }),
      create: ({ payload: { id, name = id, settings = {} } }) =>
        Effect.flatMap(admin.create({ id, name, settings }), answered),
      get: ({ params }) => Effect.flatMap(admin.get(params.id), answered),
      update: ({ params, payload }) =>
        Effect.gen(function* () {
          return yield* answered(yield* admin.update(params.id, payload, yield* expected))
        }),
      suspend: ({ params }) =>
        Effect.andThen(notOwn(params.id), Effect.flatMap(admin.setStatus(params.id, "suspended"), answered)),
      activate: ({ params }) => Effect.flatMap(admin.setStatus(params.id, "active"), answered),
      remove: ({ params }) => Effect.andThen(notOwn(params.id), admin.remove(params.id))
    })
  })
)

/** What protects the deployment and the audit log from the tenant. */
const notOwnOf = ({ rateLimits, retention, sockets }: TenantSettingsPatch): string | undefined => {
  if (rateLimits !== undefined) return "rate_limits"
  if (sockets !== undefined) return "sockets"
  return retention?.audit === undefined ? undefined : "retention.audit"
}

const layerOwn = HttpApiBuilder.group(
  BeckonApi,
  "tenant",
  Effect.fn(function* (handlers) {
    const admin = yield* TenantAdmin
    const tenants = yield* Tenants
    const accounts = yield* UserServiceAccounts
    return handlers.handleAll({
      get: () =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          return yield* answered(yield* Effect.catch(tenants.get(tenantId), storeToProblem))
        }),
      update: ({ payload }) =>
        Effect.gen(function* () {
          const identity = yield* CurrentIdentity
          const fault = payload.settings === undefined ? undefined : notOwnOf(payload.settings)
          if (fault !== undefined && !Policy.allows(identity, "tenants:write")) {
            return yield* new Forbidden({ detail: `settings.${fault}: only those who run the deployment change it` })
          }
          return yield* answered(yield* admin.updateOwn(identity.tenantId, payload, yield* expected))
        }),
      credential: () => Effect.map(accounts.state, (data) => ({ data })),
      setCredential: ({ payload }) => Effect.map(accounts.set(payload), (data) => ({ data })),
      removeCredential: () => accounts.remove,
      testUserService: ({ payload: { userId } }) =>
        Effect.map(accounts.test(userId), ({ failure, user }) => ({
          data: { failure, user: Option.getOrNull(user) }
        }))
    })
  })
)

export const layer = Layer.merge(layerAll, layerOwn)
