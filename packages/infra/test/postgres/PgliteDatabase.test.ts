import { PgClient } from "@effect/sql-pg/PgClient"
import { describe, expect, it, vi } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { layerEmbedded } from "../../src/postgres/DatabaseClient.ts"
import { acquirePglite } from "../../src/postgres/PgliteDatabase.ts"
import type { PgliteProgress } from "../../src/postgres/PgliteDatabase.ts"
import { lockDirectory } from "../../src/postgres/PgliteLock.ts"

const temporary = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "beckon-pglite-"))),
  (directory) => Effect.sync(() => Fs.rmSync(directory, { recursive: true, force: true }))
)

const writer = fileURLToPath(new URL("./crashWriter.ts", import.meta.url))

/** Starts the writer and answers with its lines once `enough` says so, having killed it right then. */
const runUntil = (dataDir: string, first: number, enough: (lines: ReadonlyArray<string>) => boolean) =>
  Effect.callback<ReadonlyArray<string>>((resume) => {
    const child: ChildProcess = spawn(process.execPath, [writer, dataDir, String(first)], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    let output = ""
    // The last line may be cut in the middle by the kill.
    const lines = () => output.split("\n").slice(0, -1)
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      output += text
      if (enough(lines())) child.kill("SIGKILL")
    })
    child.once("close", () => resume(Effect.succeed(lines())))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const written = (dataDir: string) =>
  Effect.gen(function* () {
    const sql = yield* PgClient
    const rows = yield* sql<{ id: number }>`SELECT id FROM written ORDER BY id`
    return rows.map((row) => row.id)
  }).pipe(Effect.provide(layerEmbedded({ dataDir })))

describe("an embedded database on disk", () => {
  it.live(
    "has every acknowledged commit, whole, after its process is killed, round after round",
    () =>
      Effect.gen(function* () {
        const dataDir = Path.join(yield* temporary, "db")
        const acknowledged: Array<number> = []
        for (let round = 0; round < 4; round++) {
          const lines = yield* runUntil(dataDir, round * 100_000 + 1, (seen) => seen.length >= 40 + round * 150)
          expect(lines.slice(0, 3)).toEqual([round === 0 ? "creating" : "opening", "ready", "ready"])
          acknowledged.push(...lines.slice(3).map(Number))
          const ids = new Set(yield* written(dataDir))
          expect(acknowledged.filter((id) => !ids.has(id) || !ids.has(id + 1))).toEqual([])
          const halves = [...ids].filter((id) => !ids.has(id % 2 === 1 ? id + 1 : id - 1))
          expect(halves).toEqual([])
        }
        expect(acknowledged.length).toBeGreaterThan(500)
      }),
    120_000
  )

  it.live(
    "starts anew after its process was killed while it created the database",
    () =>
      Effect.gen(function* () {
        const dataDir = Path.join(yield* temporary, "db")
        // Killed as soon as the files of the new cluster begin to appear, which is the dangerous moment.
        const killed = yield* Effect.callback<boolean>((resume) => {
          const child = spawn(process.execPath, [writer, dataDir, "1"], { stdio: ["ignore", "ignore", "inherit"] })
          const cluster = Path.join(dataDir, "pgdata")
          const watchers: Array<Fs.FSWatcher> = []
          const look = () => {
            if (Fs.existsSync(Path.join(cluster, "base"))) child.kill("SIGKILL")
            else if (watchers.length === 1 && Fs.existsSync(cluster)) {
              watchers.push(Fs.watch(cluster, look))
              look()
            }
          }
          Fs.mkdirSync(dataDir, { recursive: true })
          watchers.push(Fs.watch(dataDir, look))
          child.once("close", () => {
            for (const watcher of watchers) watcher.close()
            resume(Effect.succeed(Fs.existsSync(cluster) && Fs.existsSync(Path.join(dataDir, "creating"))))
          })
        })
        expect(killed).toBe(true)
        const steps: Array<PgliteProgress> = []
        yield* Effect.scoped(acquirePglite({ dataDir, onProgress: (step) => Effect.sync(() => void steps.push(step)) }))
        expect(steps).toEqual(["creating", "ready"])
        expect(Fs.existsSync(Path.join(dataDir, "creating"))).toBe(false)
      }),
    60_000
  )

  it.live(
    "reports each step, frees the directory when it closes, and keeps its rows",
    () =>
      Effect.gen(function* () {
        const dataDir = Path.join(yield* temporary, "some", "where")
        const steps: Array<PgliteProgress> = []
        const database = layerEmbedded({ dataDir, onProgress: (step) => Effect.sync(() => void steps.push(step)) })
        yield* Effect.gen(function* () {
          const sql = yield* PgClient
          yield* sql`CREATE TABLE kept AS SELECT 42 AS answer`
          const second = yield* Effect.flip(Effect.scoped(acquirePglite({ dataDir })))
          expect(second._tag).toBe("DataDirectoryInUse")
          expect(second.message).toBe(`Data directory ${dataDir} is in use by process ${process.pid}`)
        }).pipe(Effect.provide(database))
        const rows = yield* Effect.flatMap(PgClient, (sql) => sql`SELECT answer FROM kept`).pipe(
          Effect.provide(database, { local: true })
        )
        expect(rows).toEqual([{ answer: 42 }])
        expect(steps).toEqual(["creating", "ready", "opening", "ready"])
        expect(Fs.readdirSync(dataDir)).toEqual(["pgdata"])
      }),
    60_000
  )

  it.live(
    "flushes each commit to the disk when asked to, and none otherwise",
    () =>
      Effect.gen(function* () {
        const dataDir = Path.join(yield* temporary, "db")
        const flushes = (flushCommits: boolean) =>
          Effect.gen(function* () {
            const sql = yield* PgClient
            yield* sql`CREATE TABLE IF NOT EXISTS flushed (id int)`
            const spy = vi.spyOn(Fs, "fsyncSync")
            yield* Effect.repeat(sql`INSERT INTO flushed VALUES (1)`, { times: 9 })
            const calls = spy.mock.calls.length
            spy.mockRestore()
            return calls
          }).pipe(Effect.provide(layerEmbedded({ dataDir, flushCommits }), { local: true }))
        expect(yield* flushes(true)).toBe(10)
        expect(yield* flushes(false)).toBe(0)
      }),
    60_000
  )

  it.live("refuses a path that runs through a file", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      Fs.writeFileSync(Path.join(directory, "file"), "")
      const error = yield* Effect.flip(Effect.scoped(acquirePglite({ dataDir: Path.join(directory, "file", "db") })))
      expect(error._tag).toBe("DataDirectoryUnusable")
      expect(error.message).toContain("a part of the path is not a directory")
      const itself = yield* Effect.flip(Effect.scoped(acquirePglite({ dataDir: Path.join(directory, "file") })))
      expect(itself.message).toContain("it is not a directory")
    })
  )

  it.live("refuses a directory without permission", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      Fs.chmodSync(directory, 0o500)
      const attempt = Effect.flip(Effect.scoped(lockDirectory(Path.join(directory, "db"))))
      // Root may write everywhere, so it becomes nobody for this one attempt.
      const root = process.getuid?.() === 0
      if (root) {
        Fs.chownSync(directory, 65534, 65534)
        process.seteuid?.(65534)
      }
      const error = yield* Effect.ensuring(
        attempt,
        Effect.sync(() => {
          if (root) process.seteuid?.(0)
        })
      )
      expect(error._tag).toBe("DataDirectoryUnusable")
      expect(error.message).toBe(`Data directory ${Path.join(directory, "db")} cannot be used: permission denied`)
    })
  )

  it.live(
    "says that it is damaged when PostgreSQL does not start on it, and leaves the files alone",
    () =>
      Effect.gen(function* () {
        const dataDir = Path.join(yield* temporary, "db")
        yield* Effect.scoped(acquirePglite({ dataDir }))
        const damage = Effect.fnUntraced(function* (file: string, change: (path: string) => void) {
          const path = Path.join(dataDir, "pgdata", file)
          const original = Fs.readFileSync(path)
          change(path)
          const error = yield* Effect.flip(Effect.scoped(acquirePglite({ dataDir })))
          Fs.writeFileSync(path, original)
          expect(error._tag, file).toBe("DataDirectoryCorrupt")
          expect(error.message.split("\n"), file).toHaveLength(1)
          return error.message
        })
        yield* damage("global/pg_control", (path) => Fs.truncateSync(path, 100))
        yield* damage("global/pg_control", (path) => Fs.rmSync(path))
        expect(yield* damage("PG_VERSION", (path) => Fs.writeFileSync(path, "12\n"))).toContain("incompatible")
        expect(yield* damage("PG_VERSION", (path) => Fs.rmSync(path))).toContain("PG_VERSION is missing")
        const exit = yield* Effect.exit(Effect.scoped(acquirePglite({ dataDir })))
        expect(Exit.isSuccess(exit)).toBe(true)
      }),
    60_000
  )
})

describe("the lock of a data directory", () => {
  const lockFile = (directory: string) => Path.join(directory, "beckon.lock")

  it.effect("is taken over from a process that is gone, and from a number that is used again", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const gone = [
        { processId: 2 ** 22 + 1, started: "1" },
        { processId: process.pid, started: "1" }
      ].map((holder) => JSON.stringify(holder))
      for (const content of [...gone, "", "{"]) {
        Fs.writeFileSync(lockFile(directory), content)
        yield* Effect.scoped(lockDirectory(directory))
        expect(Fs.readdirSync(directory), content).toEqual([])
      }
    })
  )

  it.effect("is taken over also where a successor died in the middle of it", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const gone = JSON.stringify({ processId: 2 ** 22 + 1, started: "1" })
      Fs.writeFileSync(lockFile(directory), gone)
      Fs.writeFileSync(`${lockFile(directory)}.claim`, gone)
      yield* Effect.scoped(lockDirectory(directory))
      expect(Fs.readdirSync(directory)).toEqual([])
    })
  )

  it.effect("is held until the scope closes", () =>
    Effect.gen(function* () {
      const directory = yield* temporary
      const scope = yield* Scope.make()
      yield* Scope.provide(lockDirectory(directory), scope)
      const error = yield* Effect.flip(Effect.scoped(lockDirectory(directory)))
      expect(error._tag).toBe("DataDirectoryInUse")
      yield* Scope.close(scope, Exit.void)
      yield* Effect.scoped(lockDirectory(directory))
    })
  )
})
