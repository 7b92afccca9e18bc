/**
 * A service in a process of its own that the tests control: freeze, thaw, stop, kill, start again on the same port and data.
 *
 * **Gotchas**
 *
 * Plain promises and the real clock: services start in a vitest global setup, and inside tests whose clock stands still.
 */
import { spawn } from "node:child_process"
import { randomInt } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import path from "node:path"

export interface ProcessSpec {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  /** Removed with the service. */
  readonly folder: string
  /** The file that takes what the service writes. */
  readonly log: string
  /** Ends the service when its data is no longer wanted. */
  readonly disposeSignal: NodeJS.Signals
  /** Runs after the service has ended for good. */
  readonly cleanup?: { readonly command: string; readonly args: ReadonlyArray<string> } | undefined
}

export type ToSupervisor =
  | { readonly type: "start"; readonly spec: ProcessSpec }
  | { readonly type: "signal"; readonly signal: NodeJS.Signals }
  | { readonly type: "stop"; readonly signal: NodeJS.Signals }

export type FromSupervisor =
  | { readonly type: "started"; readonly pid: number }
  | { readonly type: "signalled" }
  | { readonly type: "ended"; readonly reason: string }

/** Asks a port whether the service behind it is ready: sends `request`, and `isReady` judges the first bytes of the answer. */
export interface Probe {
  readonly request: Uint8Array
  readonly isReady: (answer: Buffer) => boolean
}

export interface Control {
  readonly port: number
  /** Of the process that runs now; 0 while there is none, or in a container. */
  readonly pid: () => number
  readonly pause: () => Promise<void>
  readonly resume: () => Promise<void>
  /** Ends it cleanly. */
  readonly stop: () => Promise<void>
  /** Ends it with SIGKILL. */
  readonly kill: () => Promise<void>
  /** Starts it again and waits until it is ready. */
  readonly start: () => Promise<void>
  /** The end of what the service wrote. */
  readonly log: () => string
  /** Ends it for good and forgets its data. */
  readonly dispose: () => Promise<void>
}

/** A process becomes ready within this time or counts as broken. */
const readyWithinMillis = 60_000

export const temporaryFolder = (service: string): string => mkdtempSync(path.join(tmpdir(), `beckon-${service}-`))

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(false))
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)))
  })

/**
 * A free loopback port below the ephemeral range: a port inside it can be taken by any outgoing connection while the service
 * is down, even by a client's own attempt to reach it.
 */
export const freePort = async (): Promise<number> => {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(15_000, 32_000)
    if (await isFree(port)) return port
  }
  throw new Error("No free port between 15000 and 32000")
}

/** One question to a port. */
const ask = (port: number, probe: Probe, host: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_000 })
    const end = (ready: boolean) => {
      socket.destroy()
      resolve(ready)
    }
    socket.once("connect", () => socket.write(probe.request))
    socket.once("data", (answer) => end(probe.isReady(answer)))
    socket.once("error", () => end(false))
    socket.once("close", () => end(false))
    socket.once("timeout", () => end(false))
  })

const pause = (millis: number) => new Promise<void>((resolve) => setTimeout(resolve, millis))

/** Waits until the service answers; fails when `ended` gives a reason or the time is over. */
export const untilReady = async (
  port: number,
  probe: Probe,
  ended: () => string | undefined = () => undefined,
  host = "127.0.0.1",
  withinMillis = readyWithinMillis
): Promise<void> => {
  const deadline = performance.now() + withinMillis
  while (!(await ask(port, probe, host))) {
    const reason = ended()
    if (reason !== undefined) throw new Error(`it ended (${reason}) before it was ready`)
    if (performance.now() > deadline) throw new Error(`it was not ready within ${withinMillis} ms`)
    await pause(20)
  }
}

export interface LaunchOptions {
  readonly spec: ProcessSpec
  readonly port: number
  readonly probe: Probe
  /** Ends it cleanly. */
  readonly stopSignal: NodeJS.Signals
  /** In place of signals to the process, where the service is not the process itself. */
  readonly freeze?: { readonly pause: () => Promise<void>; readonly resume: () => Promise<void> } | undefined
  readonly kill?: (() => Promise<void>) | undefined
}

/** Starts a service under a supervisor and waits until it is ready. */
export const launch = async ({ freeze, kill, port, probe, spec, stopSignal }: LaunchOptions): Promise<Control> => {
  const supervisor = spawn(process.execPath, [path.join(import.meta.dirname, "Supervisor.ts")], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    detached: true,
    env: { ...process.env, NODE_OPTIONS: "" }
  })
  // The tests end when they are done, not when their services are.
  supervisor.unref()
  supervisor.channel?.unref()
  let pid = 0
  let ended: string | undefined
  let waiting = Array<{ readonly type: FromSupervisor["type"]; readonly resume: () => void }>()
  const settle = (type: FromSupervisor["type"]) => {
    for (const waiter of waiting) if (waiter.type === type || ended !== undefined) waiter.resume()
    waiting = waiting.filter((waiter) => waiter.type !== type && ended === undefined)
  }
  const over = (reason: string) => {
    pid = 0
    ended ??= reason
    settle("ended")
  }
  supervisor.on("message", (message: FromSupervisor) => {
    if (message.type === "ended") return over(message.reason)
    if (message.type === "started") pid = message.pid
    settle(message.type)
  })
  const gone = new Promise<void>((resolve) => supervisor.once("exit", () => resolve()))
  supervisor.once("exit", () => over("its supervisor ended"))
  const send = (message: ToSupervisor) => {
    if (supervisor.connected) supervisor.send(message)
  }
  const log = () => {
    try {
      return readFileSync(spec.log, "utf8").split("\n").slice(-40).join("\n")
    } catch {
      return ""
    }
  }
  const start = async () => {
    if (!supervisor.connected) throw new Error(`${spec.command}: its supervisor has ended`)
    ended = undefined
    send({ type: "start", spec })
    try {
      await untilReady(port, probe, () => ended)
    } catch (cause) {
      throw new Error(`${spec.command}: ${String(cause)}\n${log()}`, { cause })
    }
  }
  /** Sends a message and waits until the supervisor has done it. */
  const done = (type: FromSupervisor["type"], message: ToSupervisor) =>
    new Promise<void>((resolve) => {
      if (ended !== undefined) return resolve()
      // The wait must keep the event loop alive, which the channel does not.
      const awake = setInterval(() => undefined, 1_000)
      const resume = () => {
        clearInterval(awake)
        resolve()
      }
      waiting.push({ type, resume })
      send(message)
    })
  const end = (signal: NodeJS.Signals) => done("ended", { type: "stop", signal })
  const dispose = async () => {
    supervisor.ref()
    if (supervisor.connected) supervisor.disconnect()
    await gone
  }
  const signal = (name: NodeJS.Signals) => () => done("signalled", { type: "signal", signal: name })
  try {
    await start()
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    port,
    pid: () => pid,
    pause: freeze?.pause ?? signal("SIGSTOP"),
    resume: freeze?.resume ?? signal("SIGCONT"),
    stop: () => end(stopSignal),
    kill: async () => {
      await kill?.()
      await end("SIGKILL")
    },
    start,
    log,
    dispose
  }
}

/** Two runs may choose the same port at the same time: another port helps. */
export const onFreePort = async (
  start: (port: number, folder: string) => Promise<Control>,
  service: string
): Promise<Control> => {
  let failure: unknown
  for (let attempt = 0; attempt < 3; attempt++) {
    const folder = temporaryFolder(service)
    try {
      return await start(await freePort(), folder)
    } catch (cause) {
      failure = cause
      rmSync(folder, { recursive: true, force: true })
      if (!/in use|EADDRINUSE|already allocated/i.test(String(cause))) break
    }
  }
  throw failure
}
