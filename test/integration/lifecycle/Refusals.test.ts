import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Scope } from "effect"
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import path from "node:path"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { DataFolders } from "./DataFolders.ts"

/** A port that something listens on until the scope closes. */
const busyPort: Effect.Effect<number, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer()
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  ),
  (server) => {
    const address = server.address()
    return typeof address === "object" && address !== null ? address.port : 0
  }
)

/** What the user reads: no progress, and exactly one line. */
const reason = (stderr: string): string => {
  const lines = stderr
    .split("\n")
    .filter((line) => !/^(Creating|Opening) the database|^Migrated the database/.test(line))
  expect(lines).toHaveLength(1)
  return lines[0] ?? ""
}

const serve = (args: ReadonlyArray<string>, env?: Record<string, string>) =>
  BeckonProcess.run({ args: ["serve", "--port", "0", ...args], env })

layer(DataFolders.layer, { excludeTestServices: true, timeout: "60 seconds" })(
  "beckon serve refuses, in one line,",
  (it) => {
    it.effect("a busy port, before it makes a database", () =>
      Effect.gen(function* () {
        const dataDir = yield* (yield* DataFolders).empty
        const port = yield* busyPort
        const { code, stderr, stdout } = yield* BeckonProcess.run({
          args: ["serve", "--port", String(port), "--data-dir", dataDir]
        })
        expect(code).toBe(1)
        expect(stdout).toBe("")
        expect(reason(stderr)).toBe(
          `Port ${port} on 127.0.0.1 is in use: end what listens there, or choose another port with --port or PORT`
        )
        expect(existsSync(dataDir)).toBe(false)
      })
    )

    it.effect("an address that is not this machine's", () =>
      Effect.gen(function* () {
        const dataDir = yield* (yield* DataFolders).empty
        const { code, stderr } = yield* BeckonProcess.run({
          args: ["serve", "--host", "192.0.2.1", "--port", "18080", "--data-dir", dataDir]
        })
        expect(code).toBe(1)
        expect(reason(stderr)).toMatch(/^Cannot listen on 192\.0\.2\.1:18080: .*EADDRNOTAVAIL/)
      })
    )

    it.effect("a folder that cannot be made", () =>
      Effect.gen(function* () {
        const file = path.join(yield* BeckonProcess.temporaryFolder, "file")
        writeFileSync(file, "")
        const { code, stderr } = yield* serve(["--data-dir", path.join(file, "data")])
        expect(code).toBe(1)
        expect(reason(stderr)).toBe(
          `Data directory ${path.join(file, "data")} cannot be used: a part of the path is not a directory`
        )
      })
    )

    it.effect("a folder whose database lost a file", () =>
      Effect.gen(function* () {
        const dataDir = yield* (yield* DataFolders).used
        rmSync(path.join(dataDir, "pgdata", "PG_VERSION"))
        const { code, stderr } = yield* serve(["--data-dir", dataDir])
        expect(code).toBe(1)
        expect(reason(stderr)).toBe(`Data directory ${dataDir} is damaged: PG_VERSION is missing`)
      })
    )

    it.effect("a folder whose database is garbage, and does not make a new one over it", () =>
      Effect.gen(function* () {
        const dataDir = yield* (yield* DataFolders).used
        writeFileSync(path.join(dataDir, "pgdata", "global", "pg_control"), "garbage")
        const { code, stderr } = yield* serve(["--data-dir", dataDir])
        expect(code).toBe(1)
        expect(reason(stderr)).toMatch(/ is damaged: could not read file "global\/pg_control"/)
        expect(readFileSync(path.join(dataDir, "pgdata", "global", "pg_control"), "utf8")).toBe("garbage")
      })
    )

    it.effect("a folder that another process uses, and lets that one be", () =>
      Effect.gen(function* () {
        const server = yield* BeckonProcess.start({ dataDir: yield* (yield* DataFolders).used })
        const { code, stderr } = yield* serve(["--data-dir", server.dataDir])
        expect(code).toBe(1)
        expect(reason(stderr)).toBe(`Data directory ${server.dataDir} is in use by process ${server.pid}`)
        const live = yield* Effect.promise(() => fetch(`${server.url}/health/live`))
        expect(live.status).toBe(200)
      })
    )

    it.effect("a damaged secret", () =>
      Effect.gen(function* () {
        const dataDir = yield* (yield* DataFolders).used
        writeFileSync(path.join(dataDir, "jwt.secret"), "zz")
        const { code, stderr } = yield* serve(["--data-dir", dataDir])
        expect(code).toBe(1)
        expect(reason(stderr)).toBe(
          `The secret file ${path.join(dataDir, "jwt.secret")} cannot be used: it must hold 32 bytes in hexadecimal`
        )
      })
    )

    it.effect("a secret of the environment that is too short, before it makes a database", () =>
      Effect.gen(function* () {
        const dataDir = yield* (yield* DataFolders).empty
        const { code, stderr } = yield* serve(["--data-dir", dataDir], { BECKON_JWT_SECRET: "short" })
        expect(code).toBe(1)
        expect(stderr).toBe("BECKON_JWT_SECRET must have at least 32 bytes")
      })
    )

    it.effect("a setting that does not fit", () =>
      Effect.gen(function* () {
        const { code, stderr } = yield* BeckonProcess.run({ args: ["serve"], env: { PORT: "http" } })
        expect(code).toBe(2)
        expect(reason(stderr)).toMatch(/^A setting is not valid: PORT: /)
      })
    )

    it.effect("a database server that is not there, without its password", () =>
      Effect.gen(function* () {
        const port = yield* BeckonProcess.freePort
        const dataDir = yield* (yield* DataFolders).empty
        const { code, stderr } = yield* serve(["--data-dir", dataDir], {
          DATABASE_URL: `postgres://beckon:hunter2@127.0.0.1:${port}/beckon`
        })
        expect(code).toBe(1)
        expect(reason(stderr)).toBe(`The database cannot be used: connect ECONNREFUSED 127.0.0.1:${port}`)
      })
    )

    it.effect("a database URL that is none, without its password", () =>
      Effect.gen(function* () {
        const { code, stderr } = yield* serve([], { DATABASE_URL: "mysql://beckon:hunter2@127.0.0.1/beckon" })
        expect(code).toBe(1)
        expect(reason(stderr)).toMatch(/^The database URL is not valid: it must begin with postgres:/)
        expect(stderr).not.toContain("hunter2")
      })
    )
  }
)
