/**
 * A service of compose.yaml in a container, where a Docker engine runs.
 *
 * **Details**
 *
 * Each service is a project of its own on a port chosen beforehand (Kafka must advertise it). `docker compose up` stays in the
 * foreground under the supervisor, which takes the project down when the tests are gone.
 */
import path from "node:path"
import { run } from "./Installation.ts"
import { launch, onFreePort } from "./ServiceProcess.ts"
import type { Control, Probe } from "./ServiceProcess.ts"

const file = path.join(import.meta.dirname, "compose.yaml")
const succeeds = (...args: ReadonlyArray<string>): Promise<boolean> =>
  run("docker", args, { timeout: 10_000 }).then(
    () => true,
    () => false
  )

let running: Promise<boolean> | undefined

/** Whether an engine answers that can run compose files. */
export const dockerRuns = (): Promise<boolean> =>
  (running ??= succeeds("info").then((engine) => engine && succeeds("compose", "version")))

export const startInDocker = async (service: "postgres" | "redis" | "kafka", probe: Probe): Promise<Control> => {
  // Fetching the image is not part of becoming ready.
  await run("docker", ["compose", "-f", file, "pull", "--quiet", "--policy", "missing", service], { timeout: 300_000 })
  return onFreePort((port, folder) => {
    const compose = ["compose", "-f", file, "-p", path.basename(folder).toLowerCase()]
    const env = { SERVICE_PORT: String(port) }
    const docker = async (...args: ReadonlyArray<string>) => {
      await run("docker", [...compose, ...args, service], { env, timeout: 60_000 })
    }
    return launch({
      port,
      probe,
      stopSignal: "SIGTERM",
      freeze: { pause: () => docker("pause"), resume: () => docker("unpause") },
      kill: () => docker("kill"),
      spec: {
        command: "docker",
        args: [...compose, "up", "--no-color", service],
        cwd: folder,
        env,
        folder,
        log: path.join(folder, "service.log"),
        disposeSignal: "SIGKILL",
        cleanup: { command: "docker", args: [...compose, "down", "--volumes", "--timeout", "0"] }
      }
    })
  }, service)
}
