import path from "node:path"
import { findOrInstall, which } from "./Installation.ts"
import { launch, onFreePort } from "./ServiceProcess.ts"
import type { Control, Probe } from "./ServiceProcess.ts"

/** `PING` inline; a server that wants a password first is as ready. */
export const redisProbe: Probe = {
  request: Buffer.from("PING\r\n"),
  isReady: (answer) => /^(\+PONG|-NOAUTH|-NOPERM)/.test(answer.toString("latin1"))
}

/** Nothing is written to disk unless `args` say so. */
export const startRedisHere = async (args: ReadonlyArray<string>): Promise<Control> => {
  const command = await findOrInstall(() => which("redis-server"), "redis-server", "redis-server")
  return onFreePort(
    (port, folder) =>
      launch({
        port,
        probe: redisProbe,
        stopSignal: "SIGTERM",
        spec: {
          command,
          args: [
            ...["--port", String(port), "--bind", "127.0.0.1", "--dir", folder],
            ...["--save", "", "--appendonly", "no", "--daemonize", "no", "--loglevel", "notice"],
            ...args
          ],
          cwd: folder,
          env: {},
          folder,
          log: path.join(folder, "service.log"),
          disposeSignal: "SIGKILL"
        }
      }),
    "redis"
  )
}
