/**
 * Seals anew, under the key that seals now, whatever is kept under another one: after that the other one can be dropped.
 *
 * **Details**
 *
 * It goes through each table by its primary key in small batches, each a short transaction, beside a running server. A row is only changed
 * while it is what was read, so that nothing that came meanwhile is lost, and several runs do no harm. Nothing has to be
 * remembered: whoever begins again finds what is left.
 *
 * **Gotchas**
 *
 * A server that still seals with the former key makes new rows of it: the keys of all servers come first, then this.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { CryptoError } from "effect/crypto/CryptoError"
import { asSystem } from "@beckon/domain/ports/RowAccess"
import { KeyRing, rowOf } from "../security/KeyRing.ts"
import type { Purpose } from "../security/KeyRing.ts"
import { bigint } from "./SqlValues.ts"

type Row = Readonly<Record<string, unknown>> & { readonly sealed: Uint8Array; readonly key_id: string }

interface Kept {
  readonly table: string
  readonly purpose: Purpose
  /** The column of what is sealed. */
  readonly sealed: string
  /** The primary key. */
  readonly key: ReadonlyArray<string>
  /** Columns that it is bound to, besides those of the key. */
  readonly others?: ReadonlyArray<string>
  /** What it is bound to. */
  readonly bound: (row: Row) => string
}

const text = (row: Row, column: string): string => String(row[column])

/** Everything that the `KeyRing` seals; a table that is left out here keeps its old key for ever. */
const all: ReadonlyArray<Kept> = [
  {
    table: "sealed_keys",
    purpose: "device token hash key",
    sealed: "sealed",
    key: ["purpose"],
    bound: (row) => text(row, "purpose")
  },
  {
    table: "provider_accounts",
    purpose: "provider credentials",
    sealed: "sealed",
    key: ["tenant_id", "id"],
    bound: (row) => rowOf(text(row, "tenant_id"), text(row, "id"))
  },
  {
    table: "webhook_secrets",
    purpose: "webhook secret",
    sealed: "sealed",
    key: ["id"],
    others: ["tenant_id", "endpoint_id"],
    bound: (row) => rowOf(text(row, "tenant_id"), text(row, "endpoint_id"))
  },
  {
    table: "tenant_secrets",
    purpose: "webhook secret",
    sealed: "sealed",
    key: ["tenant_id", "name"],
    bound: (row) => rowOf(text(row, "tenant_id"), `tenant:${text(row, "name")}`)
  },
  {
    table: "idempotency_keys",
    purpose: "webhook secret",
    sealed: "sealed",
    key: ["tenant_id", "caller", "key"],
    bound: (row) => rowOf(text(row, "tenant_id"), "idempotency", text(row, "caller"), text(row, "key"))
  },
  {
    table: "devices",
    purpose: "device token",
    sealed: "token_sealed",
    key: ["tenant_id", "token_hash"],
    others: ["user_id"],
    bound: (row) => rowOf(text(row, "tenant_id"), text(row, "user_id"))
  }
]

/** The tables whose rows are sealed. */
export const sealedTables: ReadonlyArray<string> = all.map(({ table }) => table)

export interface ResealedTable {
  readonly table: string
  /** Rows that are kept under the new key now. */
  readonly resealed: number
  /** Rows that nothing opens, by the key that they name. */
  readonly stuck: ReadonlyMap<string, number>
}

export interface Resealing {
  /** Rows of one transaction; 200 by default. */
  readonly batch?: number
  /** After each batch. */
  readonly onBatch?: (table: string, resealed: number) => Effect.Effect<void>
}

const parameter = (value: unknown) => (typeof value === "bigint" ? bigint(Number(value)) : value)

const resealTable = Effect.fnUntraced(function* (kept: Kept, { batch = 200, onBatch }: Resealing) {
  const sql = yield* SqlClient
  const ring = yield* KeyRing
  const key = sql.literal(kept.key.join(", "))
  const columns = sql.literal([...kept.key, ...(kept.others ?? [])].join(", "))
  const values = (row: Row) => sql.csv(kept.key.map((column) => sql`${parameter(row[column])}`))
  const stuck = new Map<string, number>()
  let resealed = 0

  const next = (after: Row | undefined) =>
    sql<Row>`
    select ${columns}, ${sql(kept.sealed)} as sealed, key_id from ${sql(kept.table)}
    where ${after === undefined ? sql`true` : sql`(${key}) > (${values(after)})`}
      and key_id <> ${ring.sealing}
    order by ${key} limit ${batch}`.unprepared

  const resealOne = Effect.fnUntraced(function* (row: Row) {
    const bound = kept.bound(row)
    const plain = yield* ring.open(kept.purpose, bound, { keyId: row.key_id, bytes: row.sealed })
    const { bytes, keyId } = yield* ring.seal(kept.purpose, bound, plain)
    const changed = yield* sql`
      update ${sql(kept.table)} set ${sql(kept.sealed)} = ${bytes}, key_id = ${keyId}
      where (${key}) = (${values(row)}) and key_id = ${row.key_id} and ${sql(kept.sealed)} = ${row.sealed}
      returning 1`
    return changed.length
  })

  const resealBatch = (rows: ReadonlyArray<Row>) =>
    sql.withTransaction(
      Effect.reduce(
        rows,
        () => 0,
        (sum, row) =>
          resealOne(row).pipe(
            Effect.map((changed) => sum + changed),
            Effect.catchTag("TokenNotOpened", ({ keyId }) =>
              Effect.sync(() => {
                stuck.set(keyId, (stuck.get(keyId) ?? 0) + 1)
                return sum
              })
            )
          )
      )
    )

  let after: Row | undefined
  for (;;) {
    const rows: ReadonlyArray<Row> = yield* next(after)
    if (rows.length === 0) break
    resealed += yield* resealBatch(rows)
    if (onBatch !== undefined) yield* onBatch(kept.table, resealed)
    after = rows.at(-1)
  }
  const result: ResealedTable = { table: kept.table, resealed, stuck }
  return result
})

/** Goes through all tables; what is left afterwards is what nothing opens, and what others have made meanwhile. */
export const reseal = (
  options: Resealing = {}
): Effect.Effect<ReadonlyArray<ResealedTable>, SqlError | CryptoError, SqlClient | KeyRing> =>
  asSystem(Effect.forEach(all, (kept) => resealTable(kept, options)))

/** How many rows each key keeps, by table: reads all of them. */
export const counts: Effect.Effect<
  ReadonlyArray<{ readonly table: string; readonly keyId: string; readonly rows: number }>,
  SqlError,
  SqlClient
> = asSystem(
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const found = yield* Effect.forEach(all, ({ table }) =>
      Effect.map(
        sql<{ readonly key_id: string; readonly rows: bigint }>`
          select key_id, count(*) as rows from ${sql(table)} where key_id is not null group by key_id order by key_id`,
        (rows) => rows.map(({ key_id, rows }) => ({ table, keyId: key_id, rows: Number(rows) }))
      )
    )
    return found.flat()
  })
)
