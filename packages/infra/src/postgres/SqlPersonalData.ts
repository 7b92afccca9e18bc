/**
 * All that the database has of one user, by a list of where to look.
 */
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { PersonalData } from "@beckon/domain/ports/PersonalData"
import type { PersonalRow } from "@beckon/domain/ports/PersonalData"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { Effect, Layer, Option, Schema, Stream } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { eraseRows } from "./SqlBatchWork.ts"
import { unavailable } from "./StoreFailure.ts"

/** A table with rows of users. SQL is over `t`, with the tenant as $1 and the user as $2. */
interface Part {
  readonly table: string
  /** What the export reads instead of the table. */
  readonly from?: string
  /** What finds the rows; `t.tenant_id = $1 and t.user_id = $2` when absent. */
  readonly where?: string
  /** What orders them, unique among the rows of one user. */
  readonly key: string
  readonly keyType: "text" | "bigint"
  /** Columns that are secret, or of no use outside. */
  readonly without?: ReadonlyArray<string>
  /** Rows of other tables that tell nothing alone: the name in the export, and the table by its `delivery_id`. */
  readonly within?: ReadonlyArray<readonly [name: string, table: string]>
  /** Leaves through the mailbox, or in a way of its own. */
  readonly erasedElsewhere?: true
}

/**
 * Those first that others are found by.
 *
 * **Gotchas**
 *
 * A migration that makes a table with users in it adds it here: a test reads the database's own catalog and misses it else.
 */
export const parts: ReadonlyArray<Part> = [
  { table: "users", key: "t.user_id", keyType: "text" },
  { table: "preferences", key: "t.user_id", keyType: "text" },
  {
    table: "devices",
    key: "t.registration",
    keyType: "bigint",
    without: ["token_sealed", "token_hash", "key_id"]
  },
  { table: "mailboxes", key: "t.user_id", keyType: "text", erasedElsewhere: true },
  {
    table: "notifications",
    key: "t.seq",
    keyType: "bigint",
    without: ["plan_at", "fallback_at"],
    erasedElsewhere: true
  },
  { table: "scheduled_notifications", key: "t.id", keyType: "text" },
  {
    table: "deliveries",
    key: "t.id",
    keyType: "text",
    without: ["worker", "claims"],
    within: [
      ["attempts_made", "delivery_attempts"],
      ["events", "delivery_events"],
      ["gathered", "delivery_items"]
    ]
  },
  { table: "delivery_throttles", key: "t.key || ' ' || t.window_start || ' ' || t.window_end", keyType: "text" },
  {
    table: "batch_chunks",
    from: `(
      select c.batch_id, e.content ->> 'userId' as user_id, c.tenant_id, (e.content ->> 'row')::bigint as row_number, e.content
      from batch_chunks c cross join jsonb_array_elements(c.rows) e(content) where c.tenant_id = $1 and c.due_at is not null
    )`,
    key: "t.batch_id || ' ' || lpad(t.row_number::text, 20, '0')",
    keyType: "text",
    erasedElsewhere: true
  },
  {
    table: "idempotency_keys",
    where: "t.tenant_id = $1 and t.caller = 'user:' || $2::text",
    key: "t.key",
    keyType: "text",
    without: ["sealed", "key_id", "claim", "fingerprint"]
  },
  { table: "batch_errors", key: "t.batch_id || ' ' || lpad(t.row_number::text, 20, '0')", keyType: "text" },
  {
    table: "friendships",
    where: "t.tenant_id = $1 and (t.requester_id = $2 or t.recipient_id = $2)",
    key: "t.ordinal",
    keyType: "bigint"
  },
  {
    table: "tracking_grants",
    where: "t.tenant_id = $1 and (t.customer_id = $2 or t.driver_id = $2)",
    key: "t.order_id",
    keyType: "text"
  }
]

const firstKey = { text: "", bigint: "-1" } as const

const pageSize = 200

const Page = Schema.fromJsonString(Schema.Array(Schema.Struct({ key: Schema.String, row: Schema.Json })))
const decodePage = Schema.decodeUnknownEffect(Page)

const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const ofUser = "t.tenant_id = $1 and t.user_id = $2"

  const read = Effect.fnUntraced(function* (part: Part, key: MailboxKey, after: string) {
    const { key: order, keyType, table, from = table, where = ofUser, within = [], without = [] } = part
    const hidden = ["tenant_id", ...without].map((column) => ` - '${column}'`).join("")
    const nested = within.map(
      ([name, other]) => ` || jsonb_build_object('${name}', (
        select coalesce(jsonb_agg(to_jsonb(o) - 'tenant_id' - 'delivery_id'), '[]'::jsonb) from ${other} o where o.delivery_id = t.id
      ))`
    )
    const rows = yield* sql.unsafe<{ page: string }>(
      `select coalesce(json_agg(json_build_object('key', p.key::text, 'row', p.row) order by p.key), '[]')::text as page
       from (
         select ${order} as key, to_jsonb(t)${hidden}${nested.join("")} as row
         from ${from} t
         where ${where} and ${order} > $3::${keyType}
         order by ${order} limit ${pageSize}
       ) p`,
      [key.tenantId, key.userId, after]
    )
    return yield* decodePage(rows[0]?.page ?? "[]")
  })

  const partOf = (part: Part, key: MailboxKey) =>
    Stream.paginate<string, PersonalRow, StoreUnavailable>(firstKey[part.keyType], (after) =>
      Effect.map(unavailable("PersonalData.export")(read(part, key, after)), (page) => {
        const last = page.length < pageSize ? undefined : page.at(-1)?.key
        return [page.map(({ row }) => ({ part: part.table, row })), Option.fromUndefinedOr(last)] as const
      })
    )

  const eraseFrom = (part: Part, key: MailboxKey) => {
    const { table, where = ofUser, within = [] } = part
    const nested = within.map(
      ([, other], index) => `, other${index} as (
        delete from ${other} where delivery_id = any(array(select id from doomed))
      )`
    )
    const doomed =
      within.length === 0 ? "" : `doomed as (select t.id from ${table} t where ${where})${nested.join("")}, `
    return sql.unsafe<{ gone: bigint }>(
      `with ${doomed}gone as (delete from ${table} t where ${where} returning 1) select count(*) as gone from gone`,
      [key.tenantId, key.userId]
    )
  }

  return PersonalData.of({
    export: (key) => Stream.flatMap(Stream.fromIterable(parts), (part) => partOf(part, key)),

    erase: Effect.fn("PersonalData.erase")(function* (key) {
      const erased: Record<string, number> = {}
      // First, because they become notifications and deliveries.
      const rows = yield* eraseRows(sql, key)
      if (rows > 0) erased["batch_chunks"] = rows
      for (const part of parts) {
        if (part.erasedElsewhere === true) continue
        const [counted] = yield* eraseFrom(part, key)
        const gone = Number(counted?.gone ?? 0n)
        if (gone > 0) erased[part.table] = gone
      }
      return erased
    }, unavailable("PersonalData.erase"))
  })
})

/** What PostgreSQL has of a user. The one layer of this port: every deployment has a database. */
export const layer: Layer.Layer<PersonalData, never, SqlClient> = Layer.effect(PersonalData, make)
