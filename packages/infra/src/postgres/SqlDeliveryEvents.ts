/**
 * Keeps what providers tell of deliveries, in whatever order it comes, and applies it once.
 *
 * **Details**
 *
 * News may come before the message that it speaks of is known, and then wait. Whoever writes one of the two looks for the other
 * after its own commit (`settle`): so at least one of them sees both. What a process that dies between the two leaves behind,
 * `settleAll` finds.
 */
import type { DeliveryId, DeliveryState, ProviderEvent } from "@beckon/domain/Delivery"
import { Effect } from "effect"
import type { DateTime as Times } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { afterEvent } from "../delivery/DeliveryChange.ts"
import { lockRows } from "./DeliveryRow.ts"
import type { AnnounceOptions } from "./SqlDeliveryAnnounce.ts"
import { applyAll } from "./SqlDeliveryReport.ts"
import { texts, timestamp, timestamps } from "./SqlValues.ts"

interface Match {
  readonly id: DeliveryId
  readonly provider: string
  readonly event_key: string
  readonly state: Extract<DeliveryState, "sent" | "delivered" | "seen" | "dead"> | null
  readonly code: string
  readonly detail: string | null
}

/** How a provider calls a message. */
export interface MessageName {
  readonly provider: string
  readonly providerMessageId: string
}

const keyOf = ({ event_key, provider }: { readonly provider: string; readonly event_key: string }): string =>
  `${provider}\u0000${event_key}`

/** Answers the keys of those that are new. */
const insertEvents = (sql: SqlClient, events: ReadonlyArray<ProviderEvent>, now: Times.Utc) => sql<{
  readonly provider: string
  readonly event_key: string
}>`
  insert into delivery_events (
    provider, event_key, delivery_id, provider_message_id, state, code, detail, at, received_at
  )
  select k.provider, k.event_key, k.delivery_id, k.provider_message_id, k.state, k.code, k.detail, k.at, ${timestamp(now)}
  from unnest(
    ${texts(events.map(({ provider }) => provider))}::text[],
    ${texts(events.map(({ eventKey }) => eventKey))}::text[],
    ${texts(events.map(({ deliveryId }) => deliveryId ?? null))}::text[],
    ${texts(events.map(({ providerMessageId }) => providerMessageId ?? null))}::text[],
    ${texts(events.map(({ state }) => state))}::text[],
    ${texts(events.map(({ code }) => code))}::text[],
    ${texts(events.map(({ detail }) => detail))}::text[],
    ${timestamps(events.map(({ at }) => at.epochMilliseconds))}::timestamptz[]
  ) as k(provider, event_key, delivery_id, provider_message_id, state, code, detail, at)
  order by k.provider collate "C", k.event_key collate "C"
  on conflict do nothing
  returning provider, event_key`

/** Waiting news of these messages whose deliveries are known by now. */
const matches = (sql: SqlClient, names: ReadonlyArray<MessageName>) => sql<Match>`
  select d.id, e.provider, e.event_key, e.state, e.code, e.detail
  from unnest(
    ${texts(names.map(({ provider }) => provider))}::text[],
    ${texts(names.map(({ providerMessageId }) => providerMessageId))}::text[]
  ) as k(provider, provider_message_id)
  cross join lateral (
    select e.* from delivery_events e
    where e.provider = k.provider and e.provider_message_id = k.provider_message_id and e.delivery_id is null limit 1000
  ) e
  cross join lateral (
    select d.id from deliveries d
    where d.provider = k.provider and d.provider_message_id = k.provider_message_id
    order by d.id limit 1
  ) d`

const allMatches = (sql: SqlClient, limit: number) => sql<Match>`
  select d.id, e.provider, e.event_key, e.state, e.code, e.detail
  from delivery_events e
  cross join lateral (
    select d.id from deliveries d
    where d.provider = e.provider and d.provider_message_id = e.provider_message_id
    order by d.id limit 1
  ) d
  where e.delivery_id is null
  limit ${limit}`

/** Applies news to their deliveries. Twice is once: a state only rises. To be run in a transaction. */
const settleMatches = Effect.fnUntraced(function* (
  sql: SqlClient,
  options: AnnounceOptions,
  found: ReadonlyArray<Match>,
  now: Times.Utc
) {
  const rows = yield* lockRows(sql, [...new Set(found.map(({ id }) => id))])
  yield* sql`
    update delivery_events e set delivery_id = k.delivery_id
    from unnest(
      ${texts(found.map(({ provider }) => provider))}::text[],
      ${texts(found.map(({ event_key }) => event_key))}::text[],
      ${texts(found.map(({ id }) => id))}::text[]
    ) as k(provider, event_key, delivery_id)
    where e.provider = k.provider and e.event_key = k.event_key and e.delivery_id is null
      and e.event_key = any(${texts(found.map(({ event_key }) => event_key))})`.unprepared
  yield* applyAll(sql, options, rows, found, afterEvent, now)
})

const namesOf = (
  messages: ReadonlyArray<{ readonly provider: string; readonly providerMessageId?: string | null }>
): ReadonlyArray<MessageName> => {
  const names = new Map<string, MessageName>()
  for (const { provider, providerMessageId } of messages) {
    if (providerMessageId === undefined || providerMessageId === null) continue
    names.set(`${provider}\u0000${providerMessageId}`, { provider, providerMessageId })
  }
  return [...names.values()]
}

/** Brings together news and deliveries of these messages. */
export const settle = Effect.fnUntraced(function* (
  sql: SqlClient,
  options: AnnounceOptions,
  messages: Parameters<typeof namesOf>[0],
  now: Times.Utc
): Effect.fn.Return<void, SqlError> {
  const names = namesOf(messages)
  if (names.length === 0) return
  const found = yield* matches(sql, names)
  if (found.length > 0) yield* sql.withTransaction(settleMatches(sql, options, found, now))
})

/** The same for everything that waits, up to `limit`. */
export const settleAll = Effect.fnUntraced(function* (
  sql: SqlClient,
  options: AnnounceOptions,
  limit: number,
  now: Times.Utc
): Effect.fn.Return<void, SqlError> {
  const found = yield* allMatches(sql, limit)
  if (found.length > 0) yield* sql.withTransaction(settleMatches(sql, options, found, now))
})

/** As `DeliveryStore.recordEvents`. */
export const recordEvents = Effect.fnUntraced(function* (
  sql: SqlClient,
  options: AnnounceOptions,
  events: ReadonlyArray<ProviderEvent>,
  now: Times.Utc
): Effect.fn.Return<number, SqlError> {
  const once = new Map<string, ProviderEvent>()
  for (const event of events) {
    const key = keyOf({ provider: event.provider, event_key: event.eventKey })
    if (!once.has(key)) once.set(key, event)
  }
  const added = yield* sql.withTransaction(
    Effect.gen(function* () {
      const rows = yield* insertEvents(sql, [...once.values()], now)
      const known = rows.flatMap((row) => {
        const event = once.get(keyOf(row))
        return event?.deliveryId === undefined ? [] : [{ ...event, id: event.deliveryId }]
      })
      if (known.length > 0) {
        const locked = yield* lockRows(sql, [...new Set(known.map(({ id }) => id))])
        yield* applyAll(sql, options, locked, known, afterEvent, now)
      }
      return rows.length
    })
  )
  // Also for news that are known already: their first bearer may have died before it came to this.
  yield* settle(
    sql,
    options,
    events.filter(({ deliveryId }) => deliveryId === undefined),
    now
  )
  return added
})
