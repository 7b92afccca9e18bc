/**
 * A Chromium for the end-to-end tests: the machine's own, driven by playwright-core, which downloads none.
 *
 * **Details**
 *
 * `CHROMIUM_PATH` names the program; otherwise the usual places are searched. Where there is none, and the tests run as root on a
 * machine with apt, it is installed once, and said so. Otherwise the tests fail with what is missing: they are not skipped.
 */
import { Config, Effect, Option, Schedule, Schema } from "effect"
import { execFile } from "node:child_process"
import { accessSync, constants } from "node:fs"
import { chromium } from "playwright-core"

/** No browser, and none can be installed: `reason` says what to do. */
export class ChromiumMissing extends Schema.TaggedError<ChromiumMissing>()("ChromiumMissing", {
  reason: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return `End-to-end tests need Chromium: ${this.reason}`
  }
}

/** The browser is there and does not start. */
export class ChromiumFailed extends Schema.TaggedError<ChromiumFailed>()("ChromiumFailed", {
  executable: Schema.String,
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `${this.executable} does not start`
  }
}

const usualPlaces = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/snap/bin/chromium",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
]

const isExecutable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const findInstalled = Effect.sync(() => Option.fromUndefinedOr(usualPlaces.find(isExecutable)))

/** Runs apt-get; another test process may be installing too, so it waits for the lock. */
const aptGet = (...parameters: ReadonlyArray<string>) =>
  Effect.tryPromise({
    try: (signal) =>
      new Promise<void>((resolve, reject) => {
        execFile(
          "apt-get",
          ["-o", "DPkg::Lock::Timeout=300", ...parameters],
          { signal, maxBuffer: 64 * 1024 * 1024, env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } },
          (error) => (error === null ? resolve() : reject(error))
        )
      }),
    catch: (cause) => new ChromiumMissing({ reason: `apt-get ${parameters.join(" ")} failed`, cause })
  })

/** `update` does not wait for its own lock (`DPkg::Lock::Timeout` is about another one). */
const isLocked = ({ cause }: ChromiumMissing): boolean =>
  cause instanceof Error && /could not get lock/i.test(cause.message)

const untilFree = Schedule.spaced("1 second").pipe(Schedule.upTo({ duration: "5 minutes" }))

const install = Effect.gen(function* () {
  if (process.getuid?.() !== 0 || !isExecutable("/usr/bin/apt-get")) {
    return yield* new ChromiumMissing({ reason: "install chromium, or name a Chromium or Chrome in CHROMIUM_PATH" })
  }
  yield* Effect.logInfo("Chromium is not installed: installing it with apt-get, once")
  yield* Effect.retry(aptGet("update"), { while: isLocked, schedule: untilFree })
  yield* aptGet("install", "--yes", "--no-install-recommends", "chromium")
  const found = yield* findInstalled
  if (Option.isNone(found))
    return yield* new ChromiumMissing({ reason: "apt-get installed chromium, but not where expected" })
  return found.value
})

/** Path of a Chromium or Chrome. */
export const executable = Effect.gen(function* () {
  const named = yield* Config.option(Config.NonEmptyString("CHROMIUM_PATH"))
  if (Option.isSome(named)) {
    if (isExecutable(named.value)) return named.value
    return yield* new ChromiumMissing({ reason: `CHROMIUM_PATH names ${named.value}, which cannot be executed` })
  }
  const found = yield* findInstalled
  return Option.isSome(found) ? found.value : yield* install
})

const switches = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync"
]

/** A headless browser with a fresh profile, closed with the scope; make a `newContext()` for each user in a test. */
export const launch = Effect.gen(function* () {
  const executablePath = yield* executable
  return yield* Effect.acquireRelease(
    Effect.tryPromise({
      try: () => chromium.launch({ executablePath, headless: true, args: switches, timeout: 60_000 }),
      catch: (cause) => new ChromiumFailed({ executable: executablePath, cause })
    }),
    (browser) => Effect.promise(() => browser.close())
  )
})
