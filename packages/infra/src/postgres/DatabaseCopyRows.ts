/**
 * Rows of any table on their way between two databases, and the sums that compare them.
 *
 * **Details**
 *
 * Values travel as PostgreSQL's own text, under settings that make it exact and the same everywhere (`exactText`): a type
 * needs no code here. Pages follow the primary key, so that each costs the same and none is built from a whole table.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { CopyTable } from "./DatabaseCopyCatalog.ts"
import { asOwner } from "./DatabaseSession.ts"
import { texts } from "./SqlValues.ts"

/** The primary key of a row, as text. */
export type Key = ReadonlyArray<string>

/** The columns of a row that are copied, as text. */
export type Row = ReadonlyArray<string | null>

export interface Page {
  readonly rows: ReadonlyArray<Row>
  /** Of the last row; null when there is none. */
  readonly last: Key | null
}

/**
 * Settings of the current transaction: texts of values that are exact and do not depend on the server's configuration; pages
 * by index whatever the statistics say.
 */
export const exactText = (sql: SqlClient): Effect.Effect<void, SqlError> =>
  Effect.asVoid(sql`
    select set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO, YMD', true),
      set_config('intervalstyle', 'postgres', true), set_config('extra_float_digits', '1', true),
      set_config('bytea_output', 'hex', true), set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)`)

/** Runs `use` on one snapshot of the database, which it cannot change. */
export const reading = <A, E, R>(sql: SqlClient, use: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> =>
  sql.withTransaction(
    sql`set transaction isolation level repeatable read, read only`.pipe(
      Effect.andThen(exactText(sql)),
      Effect.andThen(use)
    )
  )

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`

const typeOf = (table: CopyTable, name: string): string =>
  table.columns.find((column) => column.name === name)?.type ?? "text"

const written = (table: CopyTable) => table.columns.filter(({ generated }) => !generated)

const keyList = (table: CopyTable, direction = ""): string =>
  table.key.map((name) => `t.${quote(name)}${direction}`).join(", ")

/** `where`, `order by` and `limit` of the page after a key, of a table named `t`. */
const pageClause = (table: CopyTable, after: Key | null, limit: number): string => {
  const bounds = table.key.map((name, index) => `($${index + 1}::text)::${typeOf(table, name)}`)
  const where = after === null ? "" : `where (${keyList(table)}) > (${bounds.join(", ")})`
  return `${where} order by ${keyList(table)} limit ${limit}`
}

/** At most `limit` rows behind `after`, in the order of the primary key. */
export const readPage = Effect.fnUntraced(function* (
  sql: SqlClient,
  table: CopyTable,
  after: Key | null,
  limit: number
): Effect.fn.Return<Page, SqlError> {
  const columns = [...written(table).map(({ name }) => name), ...table.key]
  const list = columns.map((name) => `t.${quote(name)}::text`).join(", ")
  const rows = (yield* sql.unsafe(
    `select ${list} from ${quote(table.name)} t ${pageClause(table, after, limit)}`,
    after ?? []
  ).values) as ReadonlyArray<ReadonlyArray<string | null>>
  const count = columns.length - table.key.length
  const last = rows.at(-1)
  return {
    rows: rows.map((row) => row.slice(0, count)),
    last: last === undefined ? null : last.slice(count).map((value) => value ?? "")
  }
})

/** Adds rows; one that is there already fails on the primary key. */
export const insertRows = (
  sql: SqlClient,
  table: CopyTable,
  rows: ReadonlyArray<Row>
): Effect.Effect<void, SqlError> => {
  const columns = written(table)
  const names = columns.map(({ name }) => quote(name)).join(", ")
  const values = columns.map(({ type }, index) => `k.c${index}::${type}`).join(", ")
  const arrays = columns.map((_, index) => `$${index + 1}::text[]`).join(", ")
  const aliases = columns.map((_, index) => `c${index}`).join(", ")
  return Effect.asVoid(
    sql.unsafe(
      `insert into ${quote(table.name)} (${names}) overriding system value
       select ${values} from unnest(${arrays}) as k(${aliases})`,
      columns.map((_, index) => texts(rows.map((row) => row[index] ?? null)))
    )
  )
}

/** How many rows, and a sum over their contents that does not depend on their order. */
export interface Fingerprint {
  readonly rows: number
  /** 32 hexadecimal digits. */
  readonly checksum: string
}

interface SumRow {
  readonly rows: number
  readonly high: string
  readonly low: string
  readonly last: ReadonlyArray<string> | null
}

const hex = (sum: bigint): string => BigInt.asUintN(64, sum).toString(16).padStart(16, "0")

/**
 * Reads a table in pages, and sums up the first 128 bits of the SHA-256 of each row, as two numbers of 64 bits.
 *
 * The statement is the same on both sides. Only sums meet, never pages, so the sides may sort differently.
 */
export const fingerprint = Effect.fnUntraced(function* <E, R>(
  sql: SqlClient,
  table: CopyTable,
  limit: number,
  onPage: (rows: number) => Effect.Effect<void, E, R>
): Effect.fn.Return<Fingerprint, E | SqlError, R> {
  const columns = table.columns.map(({ name }) => `t.${quote(name)}`).join(", ")
  const lastKey = table.key.map((name) => `t.${quote(name)}::text`).join(", ")
  const half = (from: number) => `coalesce(sum(('x' || substr(p.digest, ${from}, 16))::bit(64)::bigint), 0)::text`
  const statement = (after: Key | null) => `
    with page as materialized (
      select ${keyList(table)}, encode(sha256(convert_to(row(${columns})::text, 'UTF8')), 'hex') as digest
      from ${quote(table.name)} t ${pageClause(table, after, limit)}
    )
    select count(*)::int as rows, ${half(1)} as high, ${half(17)} as low,
      (select array[${lastKey}] from page t order by ${keyList(table, " desc")} limit 1) as last
    from page p`
  let after: Key | null = null
  let [rows, high, low] = [0, 0n, 0n]
  for (;;) {
    const page: SumRow | undefined = (yield* sql.unsafe<SumRow>(statement(after), after ?? []))[0]
    if (page === undefined || page.rows === 0 || page.last === null) break
    rows += page.rows
    high += BigInt(page.high)
    low += BigInt(page.low)
    after = page.last
    yield* onPage(page.rows)
    if (page.rows < limit) break
  }
  return { rows, checksum: `${hex(high)}${hex(low)}` }
})

export const countRows = (sql: SqlClient, table: string): Effect.Effect<number, SqlError> =>
  Effect.map(
    sql<{ readonly rows: number }>`select count(*)::float8 as rows from ${sql(table)}`,
    ([row]) => row?.rows ?? 0
  )

export interface SequenceValue {
  readonly name: string
  /** The last that was given out, or 0. */
  readonly value: bigint
}

export const sequenceValue = (sql: SqlClient, name: string): Effect.Effect<SequenceValue, SqlError> =>
  Effect.map(
    asOwner(sql<{ readonly value: string }>`
      select (case when is_called then last_value else 0 end)::text as value from ${sql(name)}`),
    ([row]) => ({ name, value: BigInt(row?.value ?? "0") })
  )

/** The next number that the sequence gives is above `value`, and above all that it gave before. */
export const raiseSequence = (sql: SqlClient, { name, value }: SequenceValue): Effect.Effect<void, SqlError> =>
  value <= 0n
    ? Effect.void
    : asOwner(
        Effect.asVoid(sql`
          select setval(${quote(name)}::text::regclass, greatest(${value.toString()}::text::bigint,
            (select case when is_called then last_value else 1 end from ${sql(name)})))`)
      )
