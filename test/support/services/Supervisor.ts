/**
 * Owns one service process, so that it never outlives the tests. Run by ServiceProcess.ts as a process of its own.
 *
 * **Details**
 *
 * The tests talk to it over the IPC channel. When that breaks, for whatever reason (the end of the run, Ctrl-C, SIGKILL), the
 * service's process group is ended, its folder is removed, and the supervisor goes too. It is in a session of its own, so
 * that a terminal's Ctrl-C reaches it only through the tests.
 */
import { execFileSync, spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { closeSync, openSync, rmSync } from "node:fs"
import type { FromSupervisor, ProcessSpec, ToSupervisor } from "./ServiceProcess.ts"

/** How long a service may take to end by itself. */
const graceMillis = 4_000

let spec: ProcessSpec | undefined
let service: ChildProcess | undefined

const tell = (message: FromSupervisor) => {
  if (process.connected) process.send?.(message)
}

/** To the whole group: PostgreSQL's backends freeze and die with it. */
const signal = (name: NodeJS.Signals) => {
  if (service?.pid === undefined) return
  try {
    process.kill(-service.pid, name)
  } catch {
    // It has just ended.
  }
}

const start = ({ args, command, cwd, env, gid, log, uid }: ProcessSpec) => {
  const output = openSync(log, "a")
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", output, output],
    detached: true,
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid })
  })
  closeSync(output)
  service = child
  const gone = (reason: string) => {
    if (service !== child) return
    service = undefined
    tell({ type: "ended", reason })
  }
  child.once("spawn", () => tell({ type: "started", pid: child.pid ?? 0 }))
  child.once("error", (error) => gone(String(error)))
  child.once("exit", (code, by) => gone(by === null ? `exit code ${code}` : by))
}

const stop = (name: NodeJS.Signals): Promise<void> =>
  new Promise((resolve) => {
    const child = service
    if (child === undefined) return resolve()
    const timer = setTimeout(() => signal("SIGKILL"), graceMillis)
    child.once("exit", () => {
      clearTimeout(timer)
      resolve()
    })
    signal(name)
    // A frozen process gets no other signal.
    signal("SIGCONT")
  })

const leave = async () => {
  await stop(spec?.disposeSignal ?? "SIGKILL")
  if (spec?.cleanup !== undefined) {
    try {
      execFileSync(spec.cleanup.command, spec.cleanup.args, { stdio: "ignore", env: { ...process.env, ...spec.env } })
    } catch {
      // Nobody is left who could hear of it.
    }
  }
  if (spec !== undefined) rmSync(spec.folder, { recursive: true, force: true })
  process.exit(0)
}

process.on("message", (message: ToSupervisor) => {
  switch (message.type) {
    case "start":
      spec = message.spec
      return start(message.spec)
    case "signal":
      signal(message.signal)
      return tell({ type: "signalled" })
    case "stop":
      return void stop(message.signal)
  }
})
process.once("disconnect", () => void leave())
