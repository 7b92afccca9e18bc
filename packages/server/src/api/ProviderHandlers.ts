/**
 * `/api/v1/admin/providers/*`: the accounts with senders of a tenant.
 */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import type { ProviderView } from "@beckon/domain/api/ProviderApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { channelOf } from "@beckon/domain/ProviderAccount"
import type { ProviderAccount } from "@beckon/domain/ProviderAccount"
import * as AccountProviders from "../providers/AccountProviders.ts"
import { maxAccounts, ProviderAccounts } from "../providers/ProviderAccounts.ts"

const callsBack = new Set<ProviderAccount["kind"]>(["sendgrid", "twilio", "whatsapp"])

const toView = ({ credentials, tenantId, ...account }: ProviderAccount): ProviderView => ({
  ...account,
  channel: channelOf(account.kind),
  credentials: { set: true, ...credentials },
  ...(callsBack.has(account.kind) ? { callbackPath: AccountProviders.callbackPath({ ...account, tenantId }) } : {})
})

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "providers",
  Effect.fn(function* (handlers) {
    const accounts = yield* ProviderAccounts
    return handlers.handleAll({
      list: () =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const all = yield* accounts.list(tenantId)
          return { data: all.map(toView), meta: { limit: maxAccounts, nextCursor: null } }
        }),
      create: ({ payload }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          return { data: toView(yield* accounts.create(tenantId, payload)) }
        }),
      get: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          return { data: toView(yield* accounts.get(tenantId, params.id)) }
        }),
      update: ({ params, payload }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          return { data: toView(yield* accounts.update(tenantId, params.id, payload)) }
        }),
      remove: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          yield* accounts.remove(tenantId, params.id)
        }),
      test: ({ params, payload }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          return { data: yield* accounts.test(tenantId, params.id, payload.to) }
        })
    })
  })
)
