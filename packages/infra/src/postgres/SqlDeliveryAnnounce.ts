/**
 * Tells webhook endpoints and the bus of new states, in the transaction that makes them.
 */
import type { TenantId } from "@beckon/domain/Identifiers"
import { Effect } from "effect"
import type { DateTime as Times } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { eventOf, toRecord, toWebhook } from "../delivery/Announcement.ts"
import type { Subject } from "../delivery/Announcement.ts"
import { ofDirect } from "../delivery/NewRow.ts"
import { insertAll } from "./DeliveryRow.ts"
import { texts, timestamp } from "./SqlValues.ts"

export interface AnnounceOptions {
  /** Tell the bus too: one event of the topic `delivery-status` for each new state. */
  readonly announceToBus: boolean
}

interface EndpointRow {
  readonly tenant_id: TenantId
  readonly id: string
  readonly events: ReadonlyArray<string>
}

/** The endpoints of these tenants that want to hear of states: one look-up for each tenant. */
const endpointsOf = (sql: SqlClient, tenantIds: ReadonlyArray<TenantId>) => sql<EndpointRow>`
  select w.tenant_id, w.id, w.events
  from unnest(${texts(tenantIds)}::text[]) as k(tenant_id)
  cross join lateral (
    select w.* from webhook_endpoints w
    where w.tenant_id = k.tenant_id and w.enabled
      and w.events && array['delivery.sent', 'delivery.delivered', 'delivery.seen', 'delivery.dead']
    order by w.created_at, w.id limit 100
  ) w`

/** `subjects`: deliveries that have come to a new state, as they are now. */
export const announce = Effect.fnUntraced(function* (
  sql: SqlClient,
  { announceToBus }: AnnounceOptions,
  subjects: ReadonlyArray<Subject>,
  now: Times.Utc
): Effect.fn.Return<void, SqlError> {
  const told = subjects.flatMap((subject) => {
    const type = eventOf(subject)
    return type === undefined ? [] : [{ subject, type }]
  })
  if (told.length === 0) return
  const endpoints = yield* endpointsOf(sql, [...new Set(told.map(({ subject }) => subject.tenantId))])
  const webhooks = told.flatMap(({ subject, type }) =>
    endpoints
      .filter(({ events, tenant_id }) => tenant_id === subject.tenantId && events.includes(type))
      .map(({ id }) => ofDirect(toWebhook(subject, type, id, now)))
  )
  if (webhooks.length > 0) yield* insertAll(sql, webhooks, now)
  if (!announceToBus) return
  const records = told.map(({ subject, type }) => toRecord(subject, type, now))
  yield* sql`
    insert into event_outbox (topic, key, headers, value, created_at)
    select k.topic, k.key, k.headers::jsonb, k.value, ${timestamp(now)}
    from unnest(
      ${texts(records.map(({ topic }) => topic))}::text[],
      ${texts(records.map(({ key }) => key))}::text[],
      ${texts(records.map(({ headers }) => JSON.stringify(headers)))}::text[],
      ${texts(records.map(({ value }) => value))}::text[]
    ) with ordinality as k(topic, key, headers, value, ordinal)
    order by k.ordinal`
})
