/**
 * `beckon migrate copy`: takes an embedded database to a PostgreSQL server.
 */
import * as DatabaseClient from "@beckon/infra/postgres/DatabaseClient"
import * as DatabaseCopy from "@beckon/infra/postgres/DatabaseCopy"
import { DatabaseInfo } from "@beckon/infra/postgres/DatabaseInfo"
import { embeddedExists } from "@beckon/infra/postgres/PgliteDatabase"
import { Clock, Console, Context, Effect, FileSystem, Layer, Option, Path } from "effect"
import type { Redacted } from "effect"
import { Command, Flag } from "effect/cli"
import { SqlClient } from "effect/sql/SqlClient"
import { ServerConfig } from "../layers/ServerConfig.ts"
import * as CopyMeter from "./CopyMeter.ts"
import { CommandFailed, exitCodes, failed } from "./FailureLine.ts"
import * as Settings from "./Settings.ts"
import { interruptible } from "./Signals.ts"
import * as Text from "./Text.ts"

const flags = {
  from: Flag.String("from").pipe(
    Flag.withMetavar("<folder>"),
    Flag.withDescription("Data folder of the embedded database; default BECKON_DATA_DIR or .beckon"),
    Flag.optional
  ),
  to: Flag.Redacted("to").pipe(
    Flag.withMetavar("<url>"),
    Flag.withDescription(
      "postgres://user:password@host:port/name; default DATABASE_URL, which other users cannot see in ps"
    ),
    Flag.optional
  ),
  dryRun: Flag.Boolean("dry-run").pipe(
    Flag.withDescription("Tell what would be copied, and change nothing"),
    Flag.withDefault(false)
  ),
  verify: Flag.Boolean("verify").pipe(
    Flag.withDescription("After the copy, compare row counts and checksums of every table"),
    Flag.withDefault(false)
  ),
  verifyOnly: Flag.Boolean("verify-only").pipe(
    Flag.withDescription("Compare, and copy nothing"),
    Flag.withDefault(false)
  ),
  replace: Flag.Boolean("replace").pipe(
    Flag.withDescription("Delete everything that Beckon's tables of the target hold, and copy from the beginning"),
    Flag.withDefault(false)
  ),
  json: Settings.jsonFlag
}

type Flags = Command.Command.Config.Infer<typeof flags>

const secretFiles = ["jwt.secret", "device-tokens.secret"]

const usage = (line: string) => Effect.fail(new CommandFailed({ line, exitCode: exitCodes.usage }))

const bytes = (size: number): string => `${(size / 1_048_576).toFixed(1)} MB`

const plural = (count: number, word: string): string =>
  `${count.toLocaleString("en-US")} ${word}${count === 1 ? "" : "s"}`

/** Both ends, opened; the folder is locked until the scope closes. */
const open = Effect.fnUntraced(function* (folder: string, url: Redacted.Redacted) {
  if (!(yield* embeddedExists(folder))) {
    return yield* failed(`There is no embedded database in ${folder}: --from takes a data folder`)
  }
  const to = yield* Layer.build(DatabaseClient.layerServer({ url, maxConnections: 2, minConnections: 1 }))
  const from = yield* Layer.build(DatabaseClient.layerEmbedded({ dataDir: folder, maxConnections: 2 }))
  const { host, name, port } = Context.get(to, DatabaseInfo)
  return { source: Context.get(from, SqlClient), target: Context.get(to, SqlClient), address: { host, port, name } }
})

const states: Readonly<Record<DatabaseCopy.TargetState, string>> = {
  empty: "is empty",
  unfinished: "holds a part of this copy, which would be continued",
  finished: "holds all of this copy already",
  outdated: "holds another copy",
  occupied: "is not empty"
}

const planText = (plan: DatabaseCopy.CopyPlan, target: string): string => {
  const rows = plan.tables.reduce((sum, table) => sum + table.sourceRows, 0)
  const missing = plan.tables.reduce((sum, table) => sum + table.sourceRows - table.copied, 0)
  return [
    Text.table(
      ["TABLE", "ROWS", "COPIED", "IN TARGET"],
      plan.tables.map(({ copied, name, sourceRows, targetRows }) => [
        name,
        String(sourceRows),
        String(copied),
        targetRows === null ? "no table" : String(targetRows)
      ])
    ),
    `The source has ${plural(rows, "row")}, ${bytes(plan.bytes)} with indexes`,
    `The target ${target} ${states[plan.state]}`,
    ...(plan.migrations.length > 0
      ? [`The target would get ${plural(plan.migrations.length, "migration")} first`]
      : []),
    `Would copy ${plural(missing, "row")}; nothing was changed`
  ].join("\n")
}

const resultText = ({ outcome, tables }: DatabaseCopy.CopyResult, seconds: number): string => {
  const copied = tables.reduce((sum, table) => sum + table.copied, 0)
  const rows = tables.reduce((sum, table) => sum + table.rows, 0)
  switch (outcome) {
    case "already-finished":
      return `Nothing to do: the target holds all of this copy already`
    case "continued":
      return `Continued: copied ${plural(copied, "row")} of ${rows.toLocaleString("en-US")} in ${seconds.toFixed(1)} s`
    case "copied":
      return `Copied ${plural(copied, "row")} in ${seconds.toFixed(1)} s`
  }
}

const verificationText = ({ sequencesBehind, tables }: DatabaseCopy.Verification): string =>
  [
    Text.table(
      ["TABLE", "ROWS", "IN TARGET", "CHECKSUM", "OF TARGET", ""],
      tables.map(({ name, same, source, target }) => [
        name,
        String(source.rows),
        String(target.rows),
        source.checksum.slice(0, 12),
        target.checksum.slice(0, 12),
        same ? "same" : "DIFFERENT"
      ])
    ),
    ...sequencesBehind.map((name) => `Sequence ${name} of the target is behind: it would give numbers again`)
  ].join("\n")

/** What the rows need besides themselves. */
const secretsText = (folder: string, files: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (files.length === 0) return []
  const settings: Readonly<Record<string, string>> = {
    "jwt.secret": `BECKON_JWT_SECRET="hex:$(cat ${folder}/jwt.secret)"`,
    "device-tokens.secret": `BECKON_DEVICE_TOKEN_SECRET="$(cat ${folder}/device-tokens.secret)"`
  }
  return [
    `Take the secrets along: without them tokens are refused and device tokens cannot be read. Copy ${files.join(" and ")} into the data folder of every node, or set`,
    ...files.map((file) => `  ${settings[file] ?? file}`)
  ]
}

const copyAndVerify = Effect.fnUntraced(function* (ends: DatabaseCopy.CopyEnds, given: Flags) {
  const options = { ...ends, replace: given.replace, onProgress: CopyMeter.make() }
  const begin = yield* Clock.currentTimeMillis
  const result = given.verifyOnly ? undefined : yield* DatabaseCopy.copy(options)
  const seconds = ((yield* Clock.currentTimeMillis) - begin) / 1000
  const verification = given.verify || given.verifyOnly ? yield* DatabaseCopy.verify(options) : undefined
  return { result, seconds, verification }
})

const dryRun = Effect.fnUntraced(function* (
  ends: DatabaseCopy.CopyEnds,
  named: {
    readonly from: string
    readonly to: { readonly host: string; readonly port: number; readonly name: string }
  },
  { json, replace }: Flags
) {
  const plan = yield* DatabaseCopy.plan(ends)
  const { host, name, port } = named.to
  yield* Console.log(json ? JSON.stringify({ ...named, plan }) : planText(plan, `${host}:${port}/${name}`))
  const refused = replace ? undefined : DatabaseCopy.obstacle(plan)
  if (refused !== undefined) return yield* failed(`${refused}: a copy would be refused without --replace`)
})

const run = Effect.fnUntraced(function* (given: Flags) {
  if (given.verifyOnly && (given.dryRun || given.replace)) {
    return yield* usage("--verify-only copies nothing: it does not go with --dry-run or --replace")
  }
  const config = yield* ServerConfig
  const folder = Option.getOrElse(given.from, () => config.dataDir)
  const url = Option.orElse(given.to, () => config.databaseUrl)
  if (Option.isNone(url)) return yield* usage("Say where to copy to: --to <url>, or DATABASE_URL")
  const { address, ...ends } = yield* open(folder, url.value)
  const named = { from: folder, to: address }
  if (given.dryRun) return yield* dryRun(ends, named, given)

  const { result, seconds, verification } = yield* Effect.mapError(copyAndVerify(ends, given), (error) =>
    error._tag === "CopyRefused" && (error.reason === "target-not-empty" || error.reason === "source-changed")
      ? failed(`${error.message}. --replace deletes what Beckon's tables hold there and copies from the beginning`)
      : error
  )
  const files = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  const secrets = yield* Effect.filter(secretFiles, (name) =>
    Effect.orElseSucceed(files.exists(paths.join(folder, name)), () => false)
  )
  if (given.json) {
    yield* Console.log(JSON.stringify({ ...named, ...result, seconds, verification: verification ?? null, secrets }))
  } else {
    const texts = [
      ...(result === undefined ? [] : [resultText(result, seconds)]),
      ...(verification === undefined ? [] : [verificationText(verification)]),
      ...(result === undefined ? [] : secretsText(folder, secrets))
    ]
    yield* Console.log(texts.join("\n"))
  }
  if (verification !== undefined && !verification.same) {
    return yield* failed("The target does not hold the same as the source")
  }
})

export const command = Command.make("copy", flags, (given) =>
  Effect.scoped(run(given)).pipe(Effect.provide(Settings.layer({})), interruptible)
).pipe(
  Command.withDescription(
    "Copy an embedded database to a PostgreSQL server. The folder is only read, and no server may run on it; the target must be empty, or hold a part of this very copy, which is continued. Run it again after a failure. Exit codes: 0 copied (and the same), 1 failed, refused or different, 2 invalid flags or settings."
  ),
  Command.withShortDescription("Copy an embedded database to a PostgreSQL server"),
  Command.withExamples([
    {
      command: "beckon migrate copy --from .beckon --to postgres://beckon@db/beckon --dry-run",
      description: "What would be copied"
    },
    {
      command: "DATABASE_URL=postgres://… beckon migrate copy --from .beckon --verify",
      description: "Copy and compare"
    }
  ])
)
