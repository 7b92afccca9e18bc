/**
 * Reads and writes of mailboxes as a whole: many mailboxes, one statement.
 *
 * **Details**
 *
 * `cross join lateral (… limit 1)` makes one index lookup for each key. A plain join would let the planner read the whole
 * table for a few hundred keys, and on statistics that are old (PGlite has no autovacuum) it does.
 */
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import type { MailboxState } from "@beckon/domain/MailboxState"
import { Effect, Random } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { bigints, texts } from "./SqlValues.ts"

interface StateRow {
  readonly epoch: string | null
  readonly floor_seq: bigint
  readonly rev: bigint
  readonly acknowledged_seq: bigint
  readonly newest_seq: bigint | null
  readonly unread: bigint
}

const keyArrays = (keys: ReadonlyArray<MailboxKey>) =>
  [texts(keys.map((key) => key.tenantId)), texts(keys.map((key) => key.userId))] as const

/** One row for each key, in the order of the keys; `epoch` is null where the mailbox does not exist. */
const readStates = (sql: SqlClient, keys: ReadonlyArray<MailboxKey>) => {
  const [tenantIds, userIds] = keyArrays(keys)
  return sql<StateRow>`
    select m.epoch, m.floor_seq, m.rev, m.acknowledged_seq,
      (select n.seq from notifications n where n.tenant_id = k.tenant_id and n.user_id = k.user_id
        order by n.seq desc limit 1) as newest_seq,
      (select count(*) from notifications n where n.tenant_id = k.tenant_id and n.user_id = k.user_id
        and n.read_at is null and n.deleted_at is null) as unread
    from unnest(${tenantIds}::text[], ${userIds}::text[]) with ordinality as k(tenant_id, user_id, ordinal)
    left join lateral (
      select * from mailboxes m where m.tenant_id = k.tenant_id and m.user_id = k.user_id limit 1
    ) m on true
    order by k.ordinal`
}

const insertMissing = Effect.fnUntraced(function* (sql: SqlClient, keys: ReadonlyArray<MailboxKey>) {
  const [tenantIds, userIds] = keyArrays(keys)
  const epochs = yield* Effect.forEach(keys, () => newEpoch)
  yield* sql`
    insert into mailboxes (tenant_id, user_id, epoch)
    select * from unnest(${tenantIds}::text[], ${userIds}::text[], ${texts(epochs)}::text[])
    order by 1, 2
    on conflict do nothing`
})

/** A name that no earlier life of a mailbox had: 20 hexadecimal digits. */
export const newEpoch: Effect.Effect<string> = Effect.map(
  Effect.all([Random.nextIntBetween(0, 2 ** 40), Random.nextIntBetween(0, 2 ** 40)]),
  (parts) => parts.map((part) => part.toString(16).padStart(10, "0")).join("")
)

const toState = (row: StateRow): MailboxState => {
  const floor = Number(row.floor_seq)
  return {
    epoch: row.epoch ?? "",
    seq: Math.max(floor, Number(row.newest_seq ?? 0n)),
    floor,
    rev: Number(row.rev),
    unread: Number(row.unread),
    acknowledged: Number(row.acknowledged_seq)
  }
}

/** States in the order of `keys`. One round trip when all mailboxes exist, three when some must be made first. */
export const loadStates = Effect.fnUntraced(function* (
  sql: SqlClient,
  keys: ReadonlyArray<MailboxKey>
): Effect.fn.Return<ReadonlyArray<MailboxState>, SqlError> {
  const rows = yield* readStates(sql, keys)
  const missing = keys.filter((_, index) => rows[index]?.epoch === null)
  if (missing.length === 0) return rows.map(toState)
  yield* insertMissing(sql, missing)
  return (yield* readStates(sql, keys)).map(toState)
})

/**
 * Raises `acknowledged_seq` of those mailboxes that exist and are behind; `positions` names each mailbox once.
 *
 * An upsert that only ever updates: `update … from` could not be kept from reading the whole table.
 */
export const raiseAcknowledged = (sql: SqlClient, positions: ReadonlyArray<MailboxKey & { readonly seq: number }>) => {
  const [tenantIds, userIds] = keyArrays(positions)
  return sql`
    insert into mailboxes as old (tenant_id, user_id, epoch, acknowledged_seq)
    select k.tenant_id, k.user_id, m.epoch, k.seq
    from unnest(
      ${tenantIds}::text[], ${userIds}::text[], ${bigints(positions.map((position) => position.seq))}::bigint[]
    ) as k(tenant_id, user_id, seq)
    cross join lateral (
      select m.epoch from mailboxes m
      where m.tenant_id = k.tenant_id and m.user_id = k.user_id and m.acknowledged_seq < k.seq limit 1
    ) m
    order by 1, 2
    on conflict (tenant_id, user_id)
    do update set acknowledged_seq = greatest(old.acknowledged_seq, excluded.acknowledged_seq)`
}
