import { Effect, Schema } from "effect"
import type { Scope } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"

/** Another live process has the data directory open. */
export class DataDirectoryInUse extends Schema.TaggedError<DataDirectoryInUse>()("DataDirectoryInUse", {
  directory: Schema.String,
  processId: Schema.Int
}) {
  override get message(): string {
    return `Data directory ${this.directory} is in use by process ${this.processId}`
  }
}

/** The data directory cannot be created, read or written. */
export class DataDirectoryUnusable extends Schema.TaggedError<DataDirectoryUnusable>()("DataDirectoryUnusable", {
  directory: Schema.String,
  reason: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `Data directory ${this.directory} cannot be used: ${this.reason}`
  }
}

const Holder = Schema.Struct({
  processId: Schema.Int,
  /** Start of the process in clock ticks since boot, empty where the system does not tell: numbers are used again. */
  started: Schema.String
})
type Holder = typeof Holder.Type

const decodeHolder = Schema.decodeUnknownOption(Schema.fromJsonString(Holder))

const lockName = "beckon.lock"

/** Field 22 of `/proc/<pid>/stat` (proc(5)); the name in field 2 may contain spaces, hence the cut at the last parenthesis. */
const startOf = (processId: number): string => {
  try {
    const stat = Fs.readFileSync(`/proc/${processId}/stat`, "latin1")
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""
  } catch {
    return ""
  }
}

const isAlive = (holder: Holder): boolean => {
  try {
    process.kill(holder.processId, 0)
  } catch (error) {
    if (codeOf(error) !== "EPERM") return false
  }
  return startOf(holder.processId) === holder.started
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : ""

const readHolder = (file: string): Holder | undefined => {
  try {
    const decoded = decodeHolder(Fs.readFileSync(file, "utf8"))
    // A file without a readable holder was left by a process that died while it wrote.
    return decoded._tag === "Some" ? decoded.value : { processId: 0, started: "gone" }
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined
    throw error
  }
}

/** Creates `file` with its whole content at once; the holder of the existing file otherwise. */
const create = (file: string, content: string): Holder | undefined => {
  const own = `${file}.${process.pid}`
  Fs.writeFileSync(own, content)
  try {
    for (;;) {
      try {
        Fs.linkSync(own, file)
        return undefined
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error
        const holder = readHolder(file)
        if (holder !== undefined) return holder
      }
    }
  } finally {
    Fs.rmSync(own, { force: true })
  }
}

const same = (left: Holder | undefined, right: Holder): boolean =>
  left?.processId === right.processId && left.started === right.started

/** The process that has the lock, or `undefined` when this one has it now. */
const lock = (file: string): Holder | undefined => {
  const content = JSON.stringify({ processId: process.pid, started: startOf(process.pid) })
  for (;;) {
    const holder = create(file, content)
    if (holder === undefined) return undefined
    if (holder.processId !== 0 && isAlive(holder)) return holder
    // Whoever holds the claim may remove a dead holder's lock, so that two successors never remove each other's.
    const claim = `${file}.claim`
    const claimant = create(claim, content)
    if (claimant !== undefined) {
      if (claimant.processId !== 0 && isAlive(claimant)) return claimant
      Fs.rmSync(claim, { force: true })
      continue
    }
    try {
      if (same(readHolder(file), holder)) Fs.rmSync(file, { force: true })
    } finally {
      Fs.rmSync(claim, { force: true })
    }
  }
}

const describe: Record<string, string> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  ENOTDIR: "a part of the path is not a directory",
  EEXIST: "it is not a directory",
  EROFS: "the file system is read-only",
  ENOSPC: "no space left on the device",
  ENOENT: "it cannot be created"
}

export const unusable = (directory: string, cause: unknown): DataDirectoryUnusable =>
  new DataDirectoryUnusable({
    directory,
    reason:
      describe[codeOf(cause)] ?? (cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : "unknown error"),
    cause
  })

/**
 * Creates the directory when it is missing, and holds it for this process until the scope closes.
 *
 * **Details**
 *
 * The lock is a file with the number and the start time of the process. A process that was killed leaves it behind;
 * the next one sees that nobody alive has it and takes it over.
 *
 * **Gotchas**
 *
 * Process numbers are those of one machine and one container: do not share the directory between machines.
 */
export const lockDirectory = (
  directory: string
): Effect.Effect<void, DataDirectoryInUse | DataDirectoryUnusable, Scope.Scope> => {
  const file = Path.join(directory, lockName)
  return Effect.acquireRelease(
    Effect.try({
      try: () => {
        Fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
        return lock(file)
      },
      catch: (cause) => unusable(directory, cause)
    }).pipe(
      Effect.flatMap((holder) =>
        holder === undefined
          ? Effect.void
          : Effect.fail(new DataDirectoryInUse({ directory, processId: holder.processId }))
      )
    ),
    () => Effect.sync(() => Fs.rmSync(file, { force: true }))
  )
}
