/**
 * Copies an embedded database to a server, row by row, and proves that both hold the same.
 *
 * **Details**
 *
 * The source is read in one read-only transaction. The target gets its migrations, then pages of rows, each in a transaction
 * with the progress that it makes: a copy that was killed goes on behind the last page that was committed. Sequences are
 * raised last, and with them the copy is marked as finished.
 *
 * **Gotchas**
 *
 * Nothing else may write to the target meanwhile: no server runs on it before the copy has finished.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { MigrationError } from "effect/sql/Migrator"
import {
  checkTarget,
  checkTargetVersion,
  namesOf,
  progressTable,
  readCatalog,
  refuse,
  tablesOfSource
} from "./DatabaseCopyCatalog.ts"
import type { Catalog, CopyRefused, CopyTable } from "./DatabaseCopyCatalog.ts"
import {
  advance,
  beginProgress,
  finishProgress,
  readProgress,
  settledProgress,
  sourceState
} from "./DatabaseCopyProgress.ts"
import type { TableProgress } from "./DatabaseCopyProgress.ts"
import {
  countRows,
  exactText,
  fingerprint,
  insertRows,
  raiseSequence,
  readPage,
  reading,
  sequenceValue
} from "./DatabaseCopyRows.ts"
import type { Fingerprint } from "./DatabaseCopyRows.ts"
import { asOwner } from "./DatabaseSession.ts"
import { migrations as allMigrations } from "./Migrations.ts"
import { runMigrations } from "./SqlMigrations.ts"
import type { SqlMigrationRecord } from "./SqlMigrations.ts"

export interface CopyEnds {
  readonly source: SqlClient
  readonly target: SqlClient
  /** Default: all of Beckon's. */
  readonly migrations?: SqlMigrationRecord | undefined
}

/** How far a table is, told after each page. */
export interface CopyProgress {
  readonly step: "copy" | "verify"
  readonly table: string
  /** Rows of this table: done, of all. */
  readonly rows: number
  readonly of: number
}

export interface CopyOptions extends CopyEnds {
  /** Empties the target's tables first, whatever they hold. */
  readonly replace?: boolean | undefined
  /** Rows in a transaction. Default 1,000. */
  readonly pageRows?: number | undefined
  readonly onProgress?: ((progress: CopyProgress) => Effect.Effect<void>) | undefined
}

/**
 * What a copy finds in the target: `empty`; an `unfinished` or a `finished` copy of the source as it is now; a copy of
 * another source or of what the source was before (`outdated`); rows that no copy brought (`occupied`).
 */
export type TargetState = "empty" | "unfinished" | "finished" | "outdated" | "occupied"

export interface TablePlan {
  readonly name: string
  readonly sourceRows: number
  /** Null when the table does not exist. */
  readonly targetRows: number | null
  /** Rows that an unfinished or finished copy has brought. */
  readonly copied: number
}

export interface CopyPlan {
  readonly state: TargetState
  /** Bytes of the source's tables and their indexes. */
  readonly bytes: number
  readonly tables: ReadonlyArray<TablePlan>
  /** That the target gets first. */
  readonly migrations: ReadonlyArray<string>
}

export interface TableCopied {
  readonly name: string
  readonly rows: number
  /** By this run. */
  readonly copied: number
}

export interface CopyResult {
  /** What this run did; a finished copy is not copied again. */
  readonly outcome: "copied" | "continued" | "already-finished"
  readonly tables: ReadonlyArray<TableCopied>
}

export interface TableVerified {
  readonly name: string
  readonly source: Fingerprint
  readonly target: Fingerprint
  readonly same: boolean
}

export interface Verification {
  readonly same: boolean
  readonly tables: ReadonlyArray<TableVerified>
  /** Sequences of the target that would give numbers again. */
  readonly sequencesBehind: ReadonlyArray<string>
}

interface Inspected {
  readonly plan: CopyPlan
  readonly tables: ReadonlyArray<CopyTable>
  readonly sequences: ReadonlyArray<string>
  readonly sourceState: string
  readonly progress: ReadonlyArray<TableProgress>
}

const defaultPageRows = 1_000

const stateOf = (
  progress: ReadonlyArray<TableProgress>,
  source: string,
  tables: ReadonlyArray<Pick<TablePlan, "name" | "targetRows">>
): TargetState => {
  const empty = tables.every(({ targetRows }) => (targetRows ?? 0) === 0)
  if (progress.length === 0) return empty ? "empty" : "occupied"
  const known = tables.every(({ name }) => progress.some(({ table }) => table === name))
  if (!known || progress.some((each) => each.source !== source)) return empty ? "empty" : "outdated"
  return progress.every(({ finished }) => finished) ? "finished" : "unfinished"
}

const sizeOf = (source: SqlClient, tables: ReadonlyArray<CopyTable>) =>
  Effect.map(
    Effect.forEach(
      tables,
      ({ name }) =>
        source<{ readonly bytes: number }>`
        select pg_total_relation_size(c.oid)::float8 as bytes from pg_class c
        where c.relname = ${name} and c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace`
    ),
    (sizes) => sizes.flat().reduce((sum, { bytes }) => sum + bytes, 0)
  )

/** Looks at both sides and writes to neither. */
const inspect = Effect.fnUntraced(function* ({ migrations = allMigrations, source, target }: CopyEnds) {
  const from = yield* readCatalog(source)
  const tables = yield* tablesOfSource(from, migrations)
  const to: Catalog = yield* readCatalog(target)
  yield* checkTargetVersion(to, migrations)
  const progress = to.tables.has(progressTable) ? yield* readProgress(target) : []
  const state = yield* sourceState(source)
  const counted = yield* Effect.forEach(tables, ({ name }) =>
    Effect.all({
      sourceRows: countRows(source, name),
      targetRows: to.tables.has(name) ? countRows(target, name) : Effect.succeed(null)
    }).pipe(Effect.map((rows) => ({ name, ...rows })))
  )
  const targetState = stateOf(progress, state, counted)
  const counts = targetState === "unfinished" || targetState === "finished"
  const plan: CopyPlan = {
    state: targetState,
    bytes: yield* sizeOf(source, tables),
    tables: counted.map((table) => ({
      ...table,
      copied: counts ? (progress.find((each) => each.table === table.name)?.rows ?? 0) : 0
    })),
    migrations: namesOf(migrations).filter((name) => !to.migrations.includes(name))
  }
  const inspected: Inspected = { plan, tables, sequences: from.sequences, sourceState: state, progress }
  return inspected
})

/** What a copy would do. Changes nothing on either side. */
export const plan: (ends: CopyEnds) => Effect.Effect<CopyPlan, CopyRefused | SqlError> = Effect.fn("DatabaseCopy.plan")(
  function* (ends: CopyEnds) {
    const { plan } = yield* reading(ends.source, reading(ends.target, inspect(ends)))
    return plan
  }
)

/** Why a copy does not begin, in a line; undefined when it does. */
export const obstacle = ({ state, tables }: CopyPlan): CopyRefused["detail"] | undefined => {
  switch (state) {
    case "empty":
    case "unfinished":
    case "finished":
      return undefined
    case "occupied": {
      const held = tables.filter(({ targetRows }) => (targetRows ?? 0) > 0)
      return `The target is not empty: ${held.map(({ name, targetRows }) => `${name} (${targetRows})`).join(", ")}`
    }
    case "outdated":
      return "The target holds a copy of another folder, or of this folder as it was before it was used again"
  }
}

const copyTable = Effect.fnUntraced(function* (
  { onProgress, pageRows = defaultPageRows, source, target }: CopyOptions,
  table: CopyTable,
  of: number,
  begun: TableProgress
) {
  const report = (rows: number) => onProgress?.({ step: "copy", table: table.name, rows, of }) ?? Effect.void
  let progress = begun
  yield* report(progress.rows)
  while (!progress.done) {
    const before: TableProgress = progress
    const page = yield* readPage(source, table, before.last, pageRows)
    progress = yield* target.withTransaction(
      Effect.gen(function* () {
        yield* exactText(target)
        // First, because it waits for another copy's page, and then sees that it has come in between.
        const after = yield* advance(target, before, {
          last: page.last ?? before.last,
          rows: before.rows + page.rows.length,
          done: page.rows.length < pageRows
        })
        if (page.rows.length > 0) yield* insertRows(target, table, page.rows)
        return after
      })
    )
    yield* report(progress.rows)
  }
  return { name: table.name, rows: progress.rows, copied: progress.rows - begun.rows }
})

const finish = Effect.fnUntraced(function* (source: SqlClient, target: SqlClient, inspected: Inspected) {
  const values = yield* Effect.forEach(inspected.sequences, (name) => sequenceValue(source, name))
  yield* target.withTransaction(
    Effect.andThen(
      Effect.forEach(values, (value) => raiseSequence(target, value)),
      finishProgress(target)
    )
  )
  // Statistics for the first queries; autovacuum would come a minute later.
  yield* Effect.forEach(inspected.tables, ({ name }) => asOwner(target`analyze ${target(name)}`))
})

const copyAll = Effect.fnUntraced(function* (options: CopyOptions) {
  const { migrations = allMigrations, replace = false, source, target } = options
  const inspected = yield* reading(target, inspect(options))
  const { state, tables: planned } = inspected.plan
  const refused = replace ? undefined : obstacle(inspected.plan)
  if (refused !== undefined) {
    return yield* refuse(state === "occupied" ? "target-not-empty" : "source-changed", refused)
  }
  if (state === "finished" && !replace) {
    const tables = planned.map(({ name, sourceRows }) => ({ name, rows: sourceRows, copied: 0 }))
    const nothing: CopyResult = { outcome: "already-finished", tables }
    return nothing
  }
  yield* runMigrations(migrations).pipe(Effect.provideService(SqlClient, target))
  yield* checkTarget(inspected.tables, inspected.sequences, yield* readCatalog(target))
  const names = inspected.tables.map(({ name }) => name)
  const anew = replace || state !== "unfinished"
  if (anew) {
    const begin = { source: inspected.sourceState, tables: names, replace, seen: inspected.progress }
    yield* beginProgress(target, begin)
  }
  const progress = yield* settledProgress(target)
  const tables: Array<TableCopied> = []
  for (const table of inspected.tables) {
    const begun = progress.find((each) => each.table === table.name)
    const rows = planned.find((each) => each.name === table.name)?.sourceRows ?? 0
    if (begun === undefined) return yield* refuse("interfered", `The progress of table ${table.name} is gone`)
    tables.push(yield* copyTable(options, table, rows, begun))
  }
  yield* finish(source, target, inspected)
  const result: CopyResult = { outcome: anew ? "copied" : "continued", tables }
  return result
})

/** Copies everything that is not copied yet. Fails without having written when the target is not empty. */
export const copy: (options: CopyOptions) => Effect.Effect<CopyResult, CopyRefused | SqlError | MigrationError> =
  Effect.fn("DatabaseCopy.copy")((options: CopyOptions) => reading(options.source, copyAll(options)))

const verifyTable = Effect.fnUntraced(function* (options: CopyOptions, table: CopyTable) {
  const { onProgress, pageRows = defaultPageRows, source, target } = options
  const of = yield* countRows(source, table.name)
  let done = 0
  const report = (rows: number) =>
    Effect.suspend(() => onProgress?.({ step: "verify", table: table.name, rows: (done += rows), of }) ?? Effect.void)
  yield* report(0)
  const [left, right] = yield* Effect.all(
    [fingerprint(source, table, pageRows, report), fingerprint(target, table, pageRows, () => Effect.void)],
    { concurrency: 2 }
  )
  const same = left.rows === right.rows && left.checksum === right.checksum
  const verified: TableVerified = { name: table.name, source: left, target: right, same }
  return verified
})

const verifyAll = Effect.fnUntraced(function* (options: CopyOptions) {
  const { migrations = allMigrations, source, target } = options
  const from = yield* readCatalog(source)
  const tables = yield* tablesOfSource(from, migrations)
  yield* checkTarget(tables, from.sequences, yield* readCatalog(target))
  const verified = yield* Effect.forEach(tables, (table) => verifyTable(options, table))
  const sequences = yield* Effect.forEach(from.sequences, (name) =>
    Effect.all([sequenceValue(source, name), sequenceValue(target, name)])
  )
  const sequencesBehind = sequences.filter(([left, right]) => right.value < left.value).map(([{ name }]) => name)
  const result: Verification = {
    same: sequencesBehind.length === 0 && verified.every(({ same }) => same),
    tables: verified,
    sequencesBehind
  }
  return result
})

/** Compares row counts and checksums of every table, and the sequences. Changes nothing on either side. */
export const verify: (options: CopyOptions) => Effect.Effect<Verification, CopyRefused | SqlError> = Effect.fn(
  "DatabaseCopy.verify"
)((options: CopyOptions) => reading(options.source, reading(options.target, verifyAll(options))))
