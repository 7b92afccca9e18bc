import { Effect, Redacted, Schema } from "effect"
import type { Scope } from "effect"
import { execFileSync, spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"

/** The test server cannot be started: the binaries are missing, or `postgres` ends with an error. */
export class PostgresProcessError extends Schema.TaggedError<PostgresProcessError>()("PostgresProcessError", {
  reason: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return this.reason
  }
}

export interface PostgresProcess {
  readonly url: Redacted.Redacted
  readonly port: number
  readonly processId: number
}

const user = "beckon_test"
const password = "test-password"
const root = "/usr/lib/postgresql"

const newestBin = (): string => {
  const versions = Fs.existsSync(root) ? Fs.readdirSync(root).map(Number).filter(Number.isFinite) : []
  if (versions.length === 0) throw new Error(`No PostgreSQL binaries under ${root}`)
  return Path.join(root, String(Math.max(...versions)), "bin")
}

/** PostgreSQL refuses to run as root, so root lends it the first of these accounts that exists. */
const unprivileged = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ["postgres", "nobody"]) {
    const line = Fs.readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .find((entry) => entry.startsWith(`${name}:`))
    const [, , uid, gid] = line?.split(":") ?? []
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error("Neither postgres nor nobody has an account")
}

const freePort = Effect.callback<number, PostgresProcessError>((resume) => {
  const server = Net.createServer()
  server.once("error", (cause) => resume(Effect.fail(new PostgresProcessError({ reason: "No free port", cause }))))
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

const initialize = Effect.try({
  try: () => {
    const bin = newestBin()
    const account = unprivileged()
    const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "beckon-postgres-"))
    const secret = Path.join(directory, "password")
    Fs.writeFileSync(secret, password)
    if (account !== undefined) {
      Fs.chownSync(directory, account.uid, account.gid)
      Fs.chownSync(secret, account.uid, account.gid)
    }
    const data = Path.join(directory, "data")
    execFileSync(
      Path.join(bin, "initdb"),
      [
        "-D",
        data,
        "-U",
        user,
        "--pwfile",
        secret,
        "-A",
        "scram-sha-256",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--no-sync"
      ],
      { ...account, cwd: directory, stdio: "pipe" }
    )
    return { bin, account, directory, data }
  },
  catch: (cause) => new PostgresProcessError({ reason: "initdb failed", cause })
})

const start = (
  command: string,
  args: ReadonlyArray<string>,
  account: { uid: number; gid: number } | undefined,
  cwd: string
) =>
  Effect.callback<ChildProcess, PostgresProcessError>((resume) => {
    const child = spawn(command, args, { ...account, cwd, stdio: ["ignore", "ignore", "pipe"] })
    let log = ""
    const onExit = () => resume(Effect.fail(new PostgresProcessError({ reason: "postgres ended early", cause: log })))
    child.once("exit", onExit)
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      log += text
      if (!log.includes("ready to accept connections")) return
      child.off("exit", onExit)
      child.stderr.removeAllListeners("data").resume()
      resume(Effect.succeed(child))
    })
  })

/** A fast shutdown, by process id: sessions are ended and the log is closed. */
const stop = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGINT")
  })

/** A private PostgreSQL server on a free loopback port and in a temporary directory, for the lifetime of the scope. */
export const startPostgres: Effect.Effect<PostgresProcess, PostgresProcessError, Scope.Scope> = Effect.gen(
  function* () {
    const { account, bin, data, directory } = yield* Effect.acquireRelease(initialize, (made) =>
      Effect.sync(() => Fs.rmSync(made.directory, { recursive: true, force: true }))
    )
    const port = yield* freePort
    const child = yield* Effect.acquireRelease(
      start(
        Path.join(bin, "postgres"),
        [
          "-D",
          data,
          "-p",
          String(port),
          "-h",
          "127.0.0.1",
          "-k",
          directory,
          "-c",
          "max_connections=200",
          "-c",
          "fsync=off"
        ],
        account,
        directory
      ),
      stop
    )
    return {
      url: Redacted.make(`postgres://${user}:${password}@127.0.0.1:${port}/postgres`),
      port,
      processId: child.pid ?? 0
    }
  }
)
