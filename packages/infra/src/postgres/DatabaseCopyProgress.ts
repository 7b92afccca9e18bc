/**
 * How far a copy is: a row for each table in the target, which changes in the same transaction as the rows it counts.
 *
 * **Details**
 *
 * The table belongs to the owner of the database; the rows that are copied, to tenants.
 * Each row names the source as it was: its identity, and the number of its next transaction. A source that anyone has
 * written to since has another, and is not continued with.
 */
import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { progressTable, refuse } from "./DatabaseCopyCatalog.ts"
import type { CopyRefused } from "./DatabaseCopyCatalog.ts"
import type { Key } from "./DatabaseCopyRows.ts"
import { asOwner } from "./DatabaseSession.ts"
import { texts } from "./SqlValues.ts"

export interface TableProgress {
  readonly table: string
  readonly source: string
  /** Key of the last row that was copied. */
  readonly last: Key | null
  readonly rows: number
  /** Every row of the table is copied. */
  readonly done: boolean
  /** The whole copy is finished, sequences included. */
  readonly finished: boolean
}

/**
 * The state of a source: the same as long as nobody writes to it, over restarts too.
 *
 * PGlite's clusters share one system identifier, hence the time of the first migration.
 */
export const sourceState = (source: SqlClient): Effect.Effect<string, SqlError> =>
  Effect.map(
    source<{ readonly state: string }>`
      select concat_ws(':',
        (select system_identifier from pg_control_system()),
        (select extract(epoch from min(created_at)) from beckon_migrations),
        pg_snapshot_xmax(pg_current_snapshot())) as state`,
    ([row]) => row?.state ?? ""
  )

/** In the order of the tables' names; the table of progress must exist. */
export const readProgress = (target: SqlClient): Effect.Effect<ReadonlyArray<TableProgress>, SqlError> =>
  asOwner(target<TableProgress>`
    select table_name as "table", source, last_key as last, copied_rows::float8 as rows, done,
      finished_at is not null as finished
    from ${target(progressTable)} order by table_name`)

/** `readProgress` once no transaction changes it any more: that of a copy which was killed may still be ending. */
export const settledProgress = (target: SqlClient): Effect.Effect<ReadonlyArray<TableProgress>, SqlError> =>
  asOwner(
    target.withTransaction(
      Effect.andThen(target`lock table ${target(progressTable)} in exclusive mode`, readProgress(target))
    )
  )

const interfered = refuse("interfered", "Another copy writes to the target: let it end, or end it, and run this again")

/** Begins anew: forgets all progress, empties the tables if `replace`, and fails if there are rows left or another has begun. */
export const beginProgress = (
  target: SqlClient,
  options: {
    readonly source: string
    readonly tables: ReadonlyArray<string>
    readonly replace: boolean
    readonly seen: ReadonlyArray<TableProgress>
  }
): Effect.Effect<void, SqlError | CopyRefused> =>
  target.withTransaction(
    Effect.gen(function* () {
      yield* asOwner(target`
        create table if not exists ${target(progressTable)} (
          table_name text collate "C" primary key,
          source text not null,
          last_key text[],
          copied_rows bigint not null default 0,
          done boolean not null default false,
          updated_at timestamptz not null default now(),
          finished_at timestamptz
        )`)
      yield* asOwner(target`lock table ${target(progressTable)} in exclusive mode`)
      const now = yield* readProgress(target)
      if (JSON.stringify(now) !== JSON.stringify(options.seen)) return yield* interfered
      if (options.replace) {
        yield* asOwner(
          target`truncate ${target.csv(options.tables.map((name) => target`${target(name)}`))} restart identity`
        )
      } else {
        for (const name of options.tables) {
          const rows = yield* target`select 1 from ${target(name)} limit 1`
          if (rows.length > 0) return yield* refuse("target-not-empty", `Table ${name} of the target is not empty`)
        }
      }
      yield* asOwner(target`delete from ${target(progressTable)}`)
      yield* asOwner(target`
        insert into ${target(progressTable)} (table_name, source)
        select name, ${options.source} from unnest(${texts(options.tables)}::text[]) as name`)
    })
  )

/** To be called in the transaction that adds the rows: fails when another copy has come in between. */
export const advance = Effect.fnUntraced(function* (
  target: SqlClient,
  before: TableProgress,
  after: Pick<TableProgress, "last" | "rows" | "done">
): Effect.fn.Return<TableProgress, SqlError | CopyRefused> {
  const updated = yield* asOwner(target`
    update ${target(progressTable)}
    set last_key = ${texts(after.last ?? [])}::text[], copied_rows = ${String(after.rows)}::text::bigint,
      done = ${after.done}, updated_at = now()
    where table_name = ${before.table} and source = ${before.source} and not done
      and copied_rows = ${String(before.rows)}::text::bigint
    returning 1`)
  return updated.length === 1 ? { ...before, ...after } : yield* interfered
})

/** To be called in the transaction that raises the sequences. */
export const finishProgress = (target: SqlClient): Effect.Effect<void, SqlError> =>
  asOwner(Effect.asVoid(target`update ${target(progressTable)} set finished_at = now(), updated_at = now()`))

/** The target holds a part of a copy: what a server wrote there would meet the rest of it. */
export class CopyUnfinished extends Schema.TaggedError<CopyUnfinished>()("CopyUnfinished", {}) {
  override get message(): string {
    return "The database holds a part of a copy: run beckon migrate copy again to its end"
  }
}

/** Fails on a database that a copy has not finished with; to be run before a server uses it. */
export const refuseUnfinished: Effect.Effect<void, CopyUnfinished | SqlError, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient
  const known = yield* sql`select 1 from pg_catalog.pg_tables
    where schemaname = current_schema() and tablename = ${progressTable}`
  if (known.length === 0) return
  const progress = yield* readProgress(sql)
  if (progress.some(({ finished }) => !finished)) return yield* new CopyUnfinished()
})
