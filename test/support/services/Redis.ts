import { writeFileSync } from "node:fs"
import path from "node:path"
import { findOrInstall, which } from "./Installation.ts"
import { launch, onFreePort } from "./ServiceProcess.ts"
import type { Control, Probe } from "./ServiceProcess.ts"

/** `PING` inline; a server that wants a password first is as ready. */
export const redisProbe: Probe = {
  request: Buffer.from("PING\r\n"),
  isReady: (answer) => /^(\+PONG|-NOAUTH|-NOPERM)/.test(answer.toString("latin1"))
}

export interface RedisOptions {
  /** More arguments of `redis-server`. */
  readonly args?: ReadonlyArray<string> | undefined
  /** Lines of `redis.conf`; Sentinel takes its settings only from there, and rewrites the file. */
  readonly configuration?: ReadonlyArray<string> | undefined
}

/** Nothing is written to disk unless the options say so. */
export const startRedisHere = async ({ args = [], configuration = [] }: RedisOptions): Promise<Control> => {
  const command = await findOrInstall(() => which("redis-server"), "redis-server", "redis-server")
  return onFreePort((port, folder) => {
    const file = path.join(folder, "redis.conf")
    const basis = [`port ${port}`, "bind 127.0.0.1", `dir ${folder}`, "daemonize no", 'save ""', "appendonly no"]
    writeFileSync(file, `${[...basis, ...configuration].join("\n")}\n`)
    return launch({
      port,
      probe: redisProbe,
      stopSignal: "SIGTERM",
      spec: {
        command,
        args: [file, ...args],
        cwd: folder,
        env: {},
        folder,
        log: path.join(folder, "service.log"),
        disposeSignal: "SIGKILL"
      }
    })
  }, "redis")
}
