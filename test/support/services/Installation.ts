/**
 * Finds the programs that services need, and installs what is missing where that is allowed: root on Debian, and Maven's cache.
 */
import { execFile } from "node:child_process"
import { accessSync, constants, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import path from "node:path"
import { promisify } from "node:util"

const execute = promisify(execFile)

/** Runs a program to its end; fails with what it wrote. */
export const run = async (
  command: string,
  args: ReadonlyArray<string>,
  options: {
    readonly env?: Readonly<Record<string, string>>
    readonly cwd?: string
    readonly timeout?: number
    readonly uid?: number
    readonly gid?: number
  } = {}
): Promise<string> => {
  try {
    const { stdout } = await execute(command, args, { ...options, env: { ...process.env, ...options.env } })
    return stdout
  } catch (cause) {
    const output = cause instanceof Error && "stderr" in cause ? String(cause.stderr).trim() : ""
    throw new Error(`${command} ${args[0] ?? ""} failed: ${output === "" ? String(cause) : output.slice(-2_000)}`, {
      cause
    })
  }
}

/** The full path of a program on the PATH. */
export const which = (name: string): string | undefined => {
  for (const folder of (process.env["PATH"] ?? "").split(path.delimiter)) {
    const file = path.join(folder, name)
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      // Not here.
    }
  }
  return undefined
}

/** While this file says 101, packages do not start their services (Debian Policy, invoke-rc.d). */
const policyFile = "/usr/sbin/policy-rc.d"

let installing: Promise<void> = Promise.resolve()

const aptInstall = async (packages: ReadonlyArray<string>): Promise<void> => {
  if (process.getuid?.() !== 0) throw new Error(`${packages.join(", ")} not installed, and only root may install it`)
  if (which("apt-get") === undefined) throw new Error(`${packages.join(", ")} not installed, and there is no apt-get`)
  const env = { DEBIAN_FRONTEND: "noninteractive" }
  const ours = !existsSync(policyFile)
  if (ours) writeFileSync(policyFile, "#!/bin/sh\nexit 101\n", { mode: 0o755 })
  try {
    await run("apt-get", ["-qq", "update"], { env, timeout: 180_000 })
    const patience = ["-o", "DPkg::Lock::Timeout=120"]
    await run("apt-get", ["-qq", "-y", ...patience, "--no-install-recommends", "install", ...packages], {
      env,
      timeout: 300_000
    })
  } finally {
    if (ours) rmSync(policyFile, { force: true })
  }
}

/** Installs Debian packages, one installation after another; their services are not started. */
export const install = (...packages: ReadonlyArray<string>): Promise<void> => {
  const mine = installing.then(() => aptInstall(packages))
  installing = mine.catch(() => undefined)
  return mine
}

/** What `find` gives, installing the packages if it gives nothing at first. */
export const findOrInstall = async (
  find: () => string | undefined,
  what: string,
  ...packages: ReadonlyArray<string>
): Promise<string> => {
  const present = find()
  if (present !== undefined) return present
  await install(...packages)
  const installed = find()
  if (installed === undefined) throw new Error(`${what} is missing even after installing ${packages.join(", ")}`)
  return installed
}

const cache = path.resolve(import.meta.dirname, "../../../.cache/kafka")
const pom = path.join(import.meta.dirname, "kafka/pom.xml")

/** The folder with the broker's jars: from the cache, or fetched by Maven once. */
export const kafkaJars = async (version: string): Promise<string> => {
  const folder = path.join(cache, version)
  if (existsSync(folder)) return folder
  const maven = await findOrInstall(() => which("mvn"), "Maven", "maven")
  // Renamed when complete, so that a fetch that was cut short is not taken for one.
  const partial = `${folder}.${process.pid}`
  mkdirSync(cache, { recursive: true })
  await run(maven, ["-B", "-q", "-f", pom, "dependency:copy-dependencies", `-DoutputDirectory=${partial}`], {
    timeout: 300_000
  })
  if (existsSync(folder) || readdirSync(partial).length === 0) rmSync(partial, { recursive: true, force: true })
  else renameSync(partial, folder)
  return folder
}
