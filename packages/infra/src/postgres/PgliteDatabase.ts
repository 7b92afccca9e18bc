import { PGlite } from "@electric-sql/pglite"
import { Duration, Effect, Random, Schema } from "effect"
import type { Scope } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { flushParameters, PgliteFlushFs } from "./PgliteFlushFs.ts"
import { lockDirectory, unusable } from "./PgliteLock.ts"
import type { DataDirectoryInUse, DataDirectoryUnusable } from "./PgliteLock.ts"
import { PgliteSession } from "./PgliteSession.ts"

/** PGlite does not start on the files in the directory; restore a backup. */
export class DataDirectoryCorrupt extends Schema.TaggedError<DataDirectoryCorrupt>()("DataDirectoryCorrupt", {
  directory: Schema.String,
  reason: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `Data directory ${this.directory} is damaged: ${this.reason}`
  }
}

export type DataDirectoryError = DataDirectoryInUse | DataDirectoryUnusable | DataDirectoryCorrupt

/** `creating`: first start, takes seconds. `opening`: the database exists; may replay its log. */
export type PgliteProgress = "creating" | "opening" | "ready"

export interface PgliteDatabaseOptions {
  /** Where the database lives, or `"memory"` for one that ends with the scope. */
  readonly dataDir: string
  /** How long a statement may wait for another connection's transaction. Default 10 seconds. */
  readonly waitTimeout?: Duration.Input | undefined
  /**
   * Flush the log to the disk at every commit, so that it survives a power failure, and not only the death of the
   * process. Each commit then costs one flush, during which the process stands still. Default false.
   */
  readonly flushCommits?: boolean | undefined
  readonly onProgress?: ((step: PgliteProgress) => Effect.Effect<void>) | undefined
}

const clusterName = "pgdata"
/** Present while the first start copies a new cluster to the disk: what it leaves when killed holds no user data. */
const creatingName = "creating"

/** PostgreSQL's default of 128 MB of buffers is memory of this process; the operating system caches the files anyway. */
const settings = ["-c", "shared_buffers=32MB"]

const severe = /\b(?:PANIC|FATAL):\s+(.+)/

/** Starts PGlite and ends it with the scope; fails with the last thing the backend complained about. */
const boot = (dataDir: string | undefined, flushCommits: boolean) => {
  let complaint: string | undefined
  return Effect.acquireRelease(
    Effect.tryPromise({
      try: () =>
        PGlite.create({
          ...(dataDir === undefined ? {} : flushCommits ? { fs: new PgliteFlushFs(dataDir) } : { dataDir }),
          relaxedDurability: false,
          startParams: [
            ...(flushCommits ? flushParameters(PGlite.defaultStartParams) : PGlite.defaultStartParams),
            ...settings
          ],
          onStderr: (line) => {
            complaint = severe.exec(line)?.[1] ?? complaint
            return false
          }
        }),
      catch: (cause) => ({ cause, reason: complaint ?? "the embedded database does not start" })
    }),
    // An instance whose backend failed cannot end cleanly; its log is replayed at the next start.
    (pglite) => Effect.ignore(Effect.tryPromise(() => pglite.close()))
  )
}

const prepareDirectory = (directory: string) =>
  Effect.try({
    try: (): PgliteProgress => {
      const cluster = Path.join(directory, clusterName)
      const creating = Path.join(directory, creatingName)
      if (Fs.existsSync(creating)) Fs.rmSync(cluster, { recursive: true, force: true })
      if (Fs.existsSync(cluster) && Fs.readdirSync(cluster).length > 0) {
        Fs.accessSync(cluster, Fs.constants.R_OK | Fs.constants.W_OK | Fs.constants.X_OK)
        return "opening"
      }
      Fs.writeFileSync(creating, "")
      return "creating"
    },
    catch: (cause) => unusable(directory, cause)
  })

const openDirectory = Effect.fnUntraced(function* (
  directory: string,
  flushCommits: boolean,
  report: (step: PgliteProgress) => Effect.Effect<void>
) {
  yield* lockDirectory(directory)
  const step = yield* prepareDirectory(directory)
  if (step === "opening" && !Fs.existsSync(Path.join(directory, clusterName, "PG_VERSION"))) {
    // PGlite would take this for an empty directory and write a new cluster over what is there.
    return yield* new DataDirectoryCorrupt({ directory, reason: "PG_VERSION is missing", cause: undefined })
  }
  yield* report(step)
  const pglite = yield* boot(Path.join(directory, clusterName), flushCommits).pipe(
    Effect.mapError(({ cause, reason }) =>
      step === "creating" ? unusable(directory, cause) : new DataDirectoryCorrupt({ directory, reason, cause })
    )
  )
  if (step === "creating") {
    yield* Effect.try({
      try: () => Fs.rmSync(Path.join(directory, creatingName), { force: true }),
      catch: (cause) => unusable(directory, cause)
    })
  }
  return pglite
})

/** Whether the directory holds a database that was made to its end; opening it would make one otherwise. */
export const embeddedExists = (directory: string): Effect.Effect<boolean> =>
  Effect.sync(
    () =>
      Fs.existsSync(Path.join(directory, clusterName, "PG_VERSION")) &&
      !Fs.existsSync(Path.join(directory, creatingName))
  )

/**
 * Opens an embedded PostgreSQL for the lifetime of the scope.
 *
 * **Details**
 *
 * The directory holds the cluster in `pgdata`, and a lock. PostgreSQL has handed its log to the operating system when
 * it acknowledges a commit: it survives the death of the process at any moment.
 *
 * **Gotchas**
 *
 * Without `flushCommits` nothing is flushed to the disk, so a power failure may lose the last moments or damage the
 * files.
 */
export const acquirePglite: (
  options: PgliteDatabaseOptions
) => Effect.Effect<PgliteSession, DataDirectoryError, Scope.Scope> = Effect.fn("PgliteDatabase.acquire")(function* (
  options: PgliteDatabaseOptions
) {
  const report = options.onProgress ?? (() => Effect.void)
  const pglite =
    options.dataDir === "memory"
      ? yield* boot(undefined, false).pipe(Effect.mapError(({ cause }) => unusable("memory", cause)))
      : yield* openDirectory(Path.resolve(options.dataDir), options.flushCommits ?? false, report)
  yield* report("ready")
  return new PgliteSession(pglite, {
    waitMillis: Duration.toMillis(Duration.fromInputUnsafe(options.waitTimeout ?? "10 seconds")),
    firstSecret: yield* Random.nextIntBetween(1, 0xffff)
  })
})
