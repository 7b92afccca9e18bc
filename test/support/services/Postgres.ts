import { chownSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import path from "node:path"
import { findOrInstall, run } from "./Installation.ts"
import { launch, onFreePort } from "./ServiceProcess.ts"
import type { Control, Probe } from "./ServiceProcess.ts"

export const postgresUser = "beckon_test"
export const postgresPassword = "test-password"

/** A StartupMessage (protocol 3.0); a server that takes connections asks for authentication, one that starts up refuses. */
export const postgresProbe: Probe = {
  request: (() => {
    const body = Buffer.from(`user\0${postgresUser}\0database\0postgres\0\0`)
    const message = Buffer.alloc(8 + body.length)
    message.writeInt32BE(message.length, 0)
    message.writeInt32BE(196_608, 4)
    body.copy(message, 8)
    return message
  })(),
  isReady: (answer) => answer[0] === "R".charCodeAt(0)
}

const root = "/usr/lib/postgresql"

/** The newest PostgreSQL, at least 15. */
const newestBin = (): string | undefined => {
  const versions = existsSync(root) ? readdirSync(root).map(Number) : []
  const newest = Math.max(
    0,
    ...versions.filter((version) => existsSync(path.join(root, String(version), "bin/initdb")))
  )
  return newest < 15 ? undefined : path.join(root, String(newest), "bin")
}

/** PostgreSQL refuses to run as root, so root lends it the first of these accounts that exists. */
const unprivileged = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const entries = readFileSync("/etc/passwd", "utf8").split("\n")
  for (const name of ["postgres", "nobody"]) {
    const [, , uid, gid] = entries.find((entry) => entry.startsWith(`${name}:`))?.split(":") ?? []
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error("Neither postgres nor nobody has an account")
}

/** Without fsync: the data is thrown away, and a kill of the server alone does not need it. */
export const startPostgresHere = async (args: ReadonlyArray<string>): Promise<Control> => {
  const bin = await findOrInstall(newestBin, "PostgreSQL 15 or later", "postgresql")
  const account = unprivileged()
  return onFreePort(async (port, folder) => {
    const secret = path.join(folder, "password")
    writeFileSync(secret, postgresPassword)
    if (account !== undefined) for (const file of [folder, secret]) chownSync(file, account.uid, account.gid)
    const data = path.join(folder, "data")
    await run(
      path.join(bin, "initdb"),
      [
        "-D",
        data,
        "-U",
        postgresUser,
        "--pwfile",
        secret,
        "-A",
        "scram-sha-256",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--no-sync"
      ],
      { ...account, cwd: folder, timeout: 60_000 }
    )
    return launch({
      port,
      probe: postgresProbe,
      stopSignal: "SIGINT",
      spec: {
        command: path.join(bin, "postgres"),
        args: [
          "-D",
          data,
          "-p",
          String(port),
          "-h",
          "127.0.0.1",
          "-k",
          folder,
          "-c",
          "max_connections=300",
          "-c",
          "fsync=off",
          ...args
        ],
        cwd: folder,
        env: {},
        ...account,
        folder,
        log: path.join(folder, "service.log"),
        // A kill would leave its shared memory behind.
        disposeSignal: "SIGINT"
      }
    })
  }, "postgres")
}
