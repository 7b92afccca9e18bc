/**
 * How notifications leave the database for good.
 */
import type { TenantId, UserId } from "@beckon/domain/Identifiers"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { Effect } from "effect"
import type { DateTime } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { bigint, timestamp } from "./SqlValues.ts"

interface AgedRow {
  readonly user_id: UserId
  readonly upto_seq: bigint | null
}

/**
 * Of each mailbox, first whether its oldest notification is old: that is one look into the index, and for most mailboxes the
 * only one. `seq` grows with time, and what is old is little where retention runs: the first fresh one is found from the old
 * end.
 */
export const aged = Effect.fnUntraced(function* (
  sql: SqlClient,
  tenantId: TenantId,
  before: DateTime.Utc,
  options: { readonly afterUserId?: UserId; readonly limit: number }
) {
  const rows = yield* sql<AgedRow>`
    select m.user_id, case when oldest.created_at < ${timestamp(before)} then coalesce(fresh.seq - 1, newest.seq) end as upto_seq
    from (
      select m.user_id from mailboxes m
      where m.tenant_id = ${tenantId} and m.user_id > ${options.afterUserId ?? ""}
      order by m.user_id limit ${options.limit}
    ) m
    left join lateral (
      select n.created_at from notifications n
      where n.tenant_id = ${tenantId} and n.user_id = m.user_id
      order by n.seq limit 1
    ) oldest on true
    left join lateral (
      select n.seq from notifications n
      where n.tenant_id = ${tenantId} and n.user_id = m.user_id and n.created_at >= ${timestamp(before)}
      order by n.seq limit 1
    ) fresh on oldest.created_at < ${timestamp(before)}
    left join lateral (
      select n.seq from notifications n
      where n.tenant_id = ${tenantId} and n.user_id = m.user_id
      order by n.seq desc limit 1
    ) newest on oldest.created_at < ${timestamp(before)} and fresh.seq is null
    order by m.user_id`
  return {
    mailboxes: rows.flatMap(({ upto_seq, user_id }) =>
      upto_seq === null ? [] : [{ tenantId, userId: user_id, uptoSeq: Number(upto_seq) }]
    ),
    next: rows.length < options.limit ? undefined : rows.at(-1)?.user_id
  }
})

/** One statement: the floor and the rows change together. */
export const trim = Effect.fnUntraced(function* (sql: SqlClient, key: MailboxKey, uptoSeq: number, limit: number) {
  const rows = yield* sql<{ trimmed: bigint }>`
    with doomed as (
      select n.seq from notifications n
      where n.tenant_id = ${key.tenantId} and n.user_id = ${key.userId} and n.seq <= ${bigint(uptoSeq)}
        and n.plan_at is null
      order by n.seq limit ${limit}
    ), raised as (
      update mailboxes set floor_seq = greatest(floor_seq, ${bigint(uptoSeq)})
      where tenant_id = ${key.tenantId} and user_id = ${key.userId}
    ), gone as (
      delete from notifications n
      where n.tenant_id = ${key.tenantId} and n.user_id = ${key.userId} and n.seq = any(array(select seq from doomed))
      returning 1
    )
    select count(*) as trimmed from gone`
  return Number(rows[0]?.trimmed ?? 0n)
})

export const erase = Effect.fnUntraced(function* (sql: SqlClient, key: MailboxKey) {
  const rows = yield* sql<{ erased: bigint }>`
    with mailbox as (
      delete from mailboxes where tenant_id = ${key.tenantId} and user_id = ${key.userId}
    ), gone as (
      delete from notifications where tenant_id = ${key.tenantId} and user_id = ${key.userId} returning 1
    )
    select count(*) as erased from gone`
  return Number(rows[0]?.erased ?? 0n)
})
