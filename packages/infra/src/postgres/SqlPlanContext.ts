/**
 * What the tenants of a plan have set: routing policies, the webhook endpoints that want notifications, accounts with senders.
 *
 * **Details**
 *
 * Policies are kept by their version and sent by the database only when it has another one: one may have a thousand rules.
 */
import type { DeliveryChannel } from "@beckon/domain/Delivery"
import type { TenantId } from "@beckon/domain/Identifiers"
import { channelOf } from "@beckon/domain/ProviderAccount"
import type { ProviderKind } from "@beckon/domain/ProviderAccount"
import { fromStored } from "@beckon/domain/RoutingPolicy"
import type { RoutingPolicy } from "@beckon/domain/RoutingPolicy"
import type { OwnChannels, PlanContext } from "@beckon/domain/ports/DeliveryStore"
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { bigints, texts } from "./SqlValues.ts"

interface ContextRow {
  readonly tenant_id: TenantId
  readonly version: number | null
  /** Absent when `version` is the one that is known. */
  readonly policy: unknown
  readonly endpoints: ReadonlyArray<{ readonly id: string; readonly types: ReadonlyArray<string> | null }> | null
  readonly accounts: ReadonlyArray<{ readonly kind: ProviderKind; readonly enabled: boolean }> | null
}

export type PlanContextReader = (tenantIds: ReadonlyArray<TenantId>) => Effect.Effect<PlanContext, SqlError>

const channelsOf = (accounts: NonNullable<ContextRow["accounts"]>): OwnChannels => {
  const channels = new Map<DeliveryChannel, boolean>()
  for (const { enabled, kind } of accounts) {
    const channel = channelOf(kind)
    channels.set(channel, enabled || channels.get(channel) === true)
  }
  return channels
}

/** Beyond this many tenants, all are read anew. */
const maxKnown = 1_000

export const make = (sql: SqlClient): PlanContextReader => {
  const known = new Map<TenantId, { readonly version: number; readonly policy: RoutingPolicy }>()

  return Effect.fnUntraced(function* (tenantIds) {
    // Another planner may forget them while this one waits.
    const had = new Map(tenantIds.map((tenantId) => [tenantId, known.get(tenantId)]))
    const rows = yield* sql<ContextRow>`
      select k.tenant_id, p.version, case when p.version is distinct from k.version then p.policy end as policy, (
        select jsonb_agg(jsonb_build_object('id', w.id, 'types', w.types) order by w.created_at, w.id)
        from webhook_endpoints w
        where w.tenant_id = k.tenant_id and w.enabled and 'notification.created' = any(w.events)
      ) as endpoints, (
        select jsonb_agg(jsonb_build_object('kind', a.kind, 'enabled', a.enabled))
        from provider_accounts a where a.tenant_id = k.tenant_id
      ) as accounts
      from unnest(
        ${texts(tenantIds)}::text[],
        ${bigints(tenantIds.map((tenantId) => had.get(tenantId)?.version ?? null))}::bigint[]
      ) as k(tenant_id, version)
      left join lateral (
        select p.version, p.policy from routing_policies p where p.tenant_id = k.tenant_id limit 1
      ) p on true`
    const policies = new Map<TenantId, RoutingPolicy>()
    const endpoints = new Map<TenantId, ReadonlyArray<{ id: string; types: ReadonlyArray<string> | undefined }>>()
    const accounts = new Map<TenantId, OwnChannels>()
    for (const row of rows) {
      if (row.accounts !== null) accounts.set(row.tenant_id, channelsOf(row.accounts))
      if (row.endpoints !== null) {
        endpoints.set(
          row.tenant_id,
          row.endpoints.map(({ id, types }) => ({ id, types: types ?? undefined }))
        )
      }
      if (row.version === null) continue
      const same = had.get(row.tenant_id)
      const policy = same?.version === row.version ? same.policy : fromStored(row.policy).value
      policies.set(row.tenant_id, policy)
      if (known.size >= maxKnown && !known.has(row.tenant_id)) known.clear()
      known.set(row.tenant_id, { version: row.version, policy })
    }
    return { policies, endpoints, accounts }
  })
}
