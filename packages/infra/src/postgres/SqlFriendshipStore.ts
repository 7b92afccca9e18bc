import type { Friendship, FriendshipId, FriendshipStatus } from "@beckon/domain/Friendship"
import type { TenantId, UserId } from "@beckon/domain/Identifiers"
import type { EventRecord } from "@beckon/domain/ports/EventBus"
import { FriendshipChanged, FriendshipStore } from "@beckon/domain/ports/FriendshipStore"
import { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { Array, DateTime, Effect, Layer, Option } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { bigint, texts, timestamp, toUtcOrNull } from "./SqlValues.ts"
import { unavailable, violates } from "./StoreFailure.ts"

interface FriendshipRow {
  readonly tenant_id: TenantId
  readonly id: FriendshipId
  readonly requester_id: UserId
  readonly recipient_id: UserId
  readonly status: FriendshipStatus
  readonly created_at: Date
  readonly responded_at: Date | null
}

const toFriendship = (row: FriendshipRow): Friendship => ({
  tenantId: row.tenant_id,
  id: row.id,
  requesterId: row.requester_id,
  recipientId: row.recipient_id,
  status: row.status,
  createdAt: DateTime.fromDateUnsafe(row.created_at),
  respondedAt: toUtcOrNull(row.responded_at)
})

const columns = "f.tenant_id, f.id, f.requester_id, f.recipient_id, f.status, f.created_at, f.responded_at"

/**
 * Writes a friendship and its events in one statement, hence in one transaction; answers whether it was written.
 *
 * The events take their numbers after the friendship is written, so events about one friendship are numbered in the order
 * in which its changes commit.
 */
const writeWithEvents = Effect.fnUntraced(function* (
  sql: SqlClient,
  write: Fragment,
  events: ReadonlyArray<EventRecord>
) {
  const now = yield* DateTime.now
  const rows = yield* sql<{ written: bigint }>`
    with written as (${write} returning 1), published as (
      insert into event_outbox (topic, key, headers, value, created_at)
      select e.topic, e.key, e.headers::jsonb, e.value, ${timestamp(now)}
      from unnest(
        ${texts(events.map((event) => event.topic))}::text[],
        ${texts(events.map((event) => event.key))}::text[],
        ${texts(events.map((event) => JSON.stringify(event.headers)))}::text[],
        ${texts(events.map((event) => event.value))}::text[]
      ) with ordinality as e(topic, key, headers, value, ordinal)
      where (select count(*) from written) > 0
      order by e.ordinal
    )
    select count(*) as written from written`
  return (rows[0]?.written ?? 0n) > 0n
})

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const all = sql.literal(columns)

  return FriendshipStore.of({
    get: Effect.fn("FriendshipStore.get")(function* (tenantId, id) {
      const rows = yield* sql<FriendshipRow>`
        select ${all} from friendships f where f.tenant_id = ${tenantId} and f.id = ${id}`
      return Option.map(Array.head(rows), toFriendship)
    }, unavailable("FriendshipStore.get")),

    between: Effect.fn("FriendshipStore.between")(function* (tenantId, one, other) {
      const rows = yield* sql<FriendshipRow>`
        select ${all} from friendships f
        where f.tenant_id = ${tenantId}
          and least(f.requester_id, f.recipient_id) = least(${one}::text collate "C", ${other}::text collate "C")
          and greatest(f.requester_id, f.recipient_id) = greatest(${one}::text collate "C", ${other}::text collate "C")
        order by f.ordinal desc limit 1`
      return Option.map(Array.head(rows), toFriendship)
    }, unavailable("FriendshipStore.between")),

    list: Effect.fn("FriendshipStore.list")(function* (tenantId, filter) {
      const status = filter.status === undefined ? sql`true` : sql`f.status = ${filter.status}`
      const before = filter.before === undefined ? sql`true` : sql`f.ordinal < ${bigint(filter.before)}`
      // Two index scans that stop at the limit; one with `or` would read and sort all of the user's friendships.
      const rows = yield* sql<FriendshipRow & { readonly ordinal: bigint }>`
        select f.ordinal, ${all} from (
          (select f.* from friendships f
            where f.tenant_id = ${tenantId} and f.requester_id = ${filter.userId} and ${status} and ${before}
            order by f.ordinal desc limit ${filter.limit})
          union all
          (select f.* from friendships f
            where f.tenant_id = ${tenantId} and f.recipient_id = ${filter.userId} and f.requester_id <> ${filter.userId}
              and ${status} and ${before}
            order by f.ordinal desc limit ${filter.limit})
        ) f
        order by f.ordinal desc limit ${filter.limit}`
      return rows.map((row) => ({ ...toFriendship(row), ordinal: Number(row.ordinal) }))
    }, unavailable("FriendshipStore.list")),

    insert: Effect.fn("FriendshipStore.insert")(function* (friendship, events) {
      const { createdAt, id, recipientId, requesterId, respondedAt, status, tenantId } = friendship
      yield* writeWithEvents(
        sql,
        sql`
          insert into friendships (tenant_id, id, requester_id, recipient_id, status, created_at, responded_at)
          values (${tenantId}, ${id}, ${requesterId}, ${recipientId}, ${status}, ${timestamp(createdAt)},
            ${respondedAt === null ? null : timestamp(respondedAt)}::timestamptz)`,
        events
      ).pipe(
        Effect.mapError((error) =>
          violates(error, "friendships_open")
            ? new FriendshipChanged()
            : new StoreUnavailable({ operation: "FriendshipStore.insert", cause: error })
        )
      )
    }),

    update: Effect.fn("FriendshipStore.update")(function* (friendship, events) {
      const { id, respondedAt, status, tenantId } = friendship
      const written = yield* writeWithEvents(
        sql,
        sql`
          update friendships set status = ${status},
            responded_at = ${respondedAt === null ? null : timestamp(respondedAt)}::timestamptz
          where tenant_id = ${tenantId} and id = ${id} and status = 'PENDING'`,
        events
      ).pipe(unavailable("FriendshipStore.update"))
      if (!written) return yield* new FriendshipChanged()
    })
  })
})

/** Friendships in PostgreSQL; their events go to the outbox of `SqlEventOutbox`. */
export const layer: Layer.Layer<FriendshipStore, never, SqlClient> = Layer.effect(FriendshipStore, make)
