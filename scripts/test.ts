/**
 * The whole check: `pnpm test`. Static steps count as one test each; then every vitest project runs by itself.
 *
 * **Details**
 *
 * All steps run even if an early one fails. The last line of the output is `N passed, N failed`; the exit code is 1 when anything
 * failed or when no test ran. `pnpm test --only unit,lint` runs the named steps only.
 */
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs"
import path from "node:path"
import { dependencyFaults, lockfileFaults } from "./checks/Manifests.ts"
import { strayTestFaults } from "./checks/TestFiles.ts"

interface Outcome {
  readonly passed: number
  readonly failed: number
  readonly output: string
}

interface Step {
  readonly name: string
  readonly kind: "static" | "vitest"
  readonly run: () => Promise<Outcome>
}

const root = path.resolve(import.meta.dirname, "..")
const bin = path.join(root, "node_modules", ".bin")
const environment = {
  ...process.env,
  PATH: `${bin}${path.delimiter}${process.env["PATH"] ?? ""}`,
  ...(process.stdout.isTTY ? {} : { NO_COLOR: "1", FORCE_COLOR: undefined })
}

interface Run {
  readonly code: number
  readonly output: string
}

/** Runs a tool of node_modules/.bin; `live` also shows its output while it runs. */
const tool = (name: string, parameters: ReadonlyArray<string>, live = false): Promise<Run> =>
  new Promise((resolve) => {
    const child = spawn(path.join(bin, name), parameters, {
      cwd: root,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"]
    })
    const chunks: Array<Buffer> = []
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr]
    ] as const) {
      from.on("data", (chunk: Buffer) => (live ? to.write(chunk) : chunks.push(chunk)))
    }
    child.on("error", (error) => resolve({ code: 1, output: String(error) }))
    child.on("close", (code) => resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString() }))
  })

/** A step that is one test: it passes or it says why not. */
const single = (name: string, check: () => Promise<Run>): Step => ({
  name,
  kind: "static",
  run: async () => {
    const { code, output } = await check()
    return code === 0 ? { passed: 1, failed: 0, output: "" } : { passed: 0, failed: 1, output }
  }
})

const faults = (name: string, find: (root: string) => ReadonlyArray<string>): Step =>
  single(name, async () => {
    const found = find(root)
    return { code: found.length, output: found.join("\n") }
  })

/** Emits every package, then loads the emitted program (and not the sources) far enough to print its help. */
const build = async (): Promise<Run> => {
  for (const name of ["domain", "infra", "server", "client"])
    rmSync(path.join(root, "packages", name, "dist"), { recursive: true, force: true })
  const emitted = await tool("tsc", ["--build", "tsconfig.build.json"])
  if (emitted.code !== 0 || !existsSync(path.join(root, "packages/server/src/main.ts"))) return emitted
  return tool("node", ["--conditions=dist", "--no-experimental-strip-types", "packages/server/dist/main.js", "--help"])
}

interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly assertionResults: ReadonlyArray<unknown>
  }>
}

/** Runs one vitest project and counts from its report; skipped tests, files without a test and errors outside of tests count as failures. */
const vitest = (project: string): Step => ({
  name: project,
  kind: "vitest",
  run: async () => {
    const report = path.join(root, ".cache", "vitest", `${project}.json`)
    mkdirSync(path.dirname(report), { recursive: true })
    rmSync(report, { force: true })
    const { code } = await tool(
      "vitest",
      ["run", "--project", project, "--reporter=default", "--reporter=json", `--outputFile.json=${report}`],
      true
    )
    if (!existsSync(report)) {
      return code === 0
        ? { passed: 0, failed: 0, output: "" }
        : { passed: 0, failed: 1, output: `vitest ended with ${code} and no report` }
    }
    const counts: VitestReport = JSON.parse(readFileSync(report, "utf8"))
    const off = counts.numPendingTests + counts.numTodoTests
    const empty = counts.testResults.filter((file) => file.assertionResults.length === 0)
    const failed = counts.numFailedTests + off + empty.length
    const output = [
      ...(off > 0 ? [`${off} tests were skipped: every test runs, everywhere`] : []),
      ...empty.map((file) => `${path.relative(root, file.name)} ran no test`)
    ].join("\n")
    return code !== 0 && failed === 0
      ? { passed: counts.numPassedTests, failed: 1, output: `vitest ended with ${code}: an error outside of the tests` }
      : { passed: counts.numPassedTests, failed, output }
  }
})

const steps: ReadonlyArray<Step> = [
  single("format", () => tool("oxfmt", ["--check"])),
  single("types", () => tool("tsc", ["--project", "tsconfig.json"])),
  single("web-types", () => tool("tsc", ["--project", "packages/server/web/tsconfig.json"])),
  single("lint", () => tool("oxlint", ["--type-aware", "--deny-warnings"])),
  single("effect", () =>
    tool("effect-tsgo", ["diagnostics", "--project", path.join(root, "tsconfig.json"), "--format", "text", "--strict"])
  ),
  faults("dependencies", dependencyFaults),
  faults("lockfile", lockfileFaults),
  faults("test-files", strayTestFaults),
  single("configuration", () => tool("node", ["scripts/configuration.ts", "--check"])),
  single("build", build),
  vitest("unit"),
  vitest("contract"),
  vitest("integration"),
  vitest("cluster"),
  vitest("e2e")
]

const chosen = (parameters: ReadonlyArray<string>): ReadonlyArray<Step> => {
  const rest = parameters.filter((parameter) => parameter !== "--")
  if (rest.length === 0) return steps
  const [flag, list = "", ...more] = rest
  const names = list.split(",")
  const unknown = names.filter((name) => !steps.some((step) => step.name === name))
  if (flag !== "--only" || more.length > 0 || unknown.length > 0) {
    console.error(`usage: pnpm test [--only ${steps.map((step) => step.name).join(",")}]`)
    process.exit(2)
  }
  return steps.filter((step) => names.includes(step.name))
}

let passed = 0
let failed = 0
let ran = 0
const summary: Array<string> = []
const plan = chosen(process.argv.slice(2))
for (const step of plan) {
  const start = performance.now()
  const outcome = await step.run()
  passed += outcome.passed
  failed += outcome.failed
  if (step.kind === "vitest") ran += outcome.passed + outcome.failed
  if (outcome.output !== "") console.log(outcome.output.trimEnd())
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  const line = `${outcome.failed === 0 ? "ok  " : "FAIL"} ${step.name}: ${outcome.passed} passed, ${outcome.failed} failed (${seconds} s)`
  console.log(line)
  summary.push(line)
}
console.log(`\n${summary.join("\n")}`)
// Projects may be empty one by one, but not all of them: then something lost the tests.
if (ran === 0 && plan.some((step) => step.kind === "vitest")) {
  failed += 1
  console.log("FAIL no test ran")
}
process.exitCode = failed > 0 ? 1 : 0
console.log(`${passed} passed, ${failed} failed`)
