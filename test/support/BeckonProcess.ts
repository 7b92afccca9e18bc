/**
 * The real program in a process of its own: `node packages/server/src/main.ts …`.
 *
 * **Details**
 *
 * `start` runs `serve` on a free port and waits for the ready line; `run` runs any command to its end. The process belongs to
 * the scope: when that closes, one that still lives is killed with SIGKILL and waited for. Its environment is that of the
 * tests without anything that would configure Beckon, so that only what a test gives counts.
 *
 * **Gotchas**
 *
 * Each `start` without `dataDir` gets a fresh folder, whose first start takes seconds; give the same `dataDir` to start again
 * on the same data. To start again on the same port, take it from `freePort` for the first start too: a port that the
 * binding itself chose is not free for about a minute after connections were closed on it.
 */
import { Deferred, Effect, Option, Schema } from "effect"
import type { Scope } from "effect"
import { spawn as spawnNode } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import path from "node:path"
import { fileURLToPath } from "node:url"

const workspace = fileURLToPath(new URL("../..", import.meta.url))
export const mainFile = path.join(workspace, "packages/server/src/main.ts")

/** What is deployed: JavaScript without what runs TypeScript, which takes some 30 MB. `build` makes it. */
const builtArgs = ["--conditions=dist", path.join(workspace, "packages/server/dist/main.js")]

/** Brings what is deployed up to date with the source; little to do when it is. */
export const build: Effect.Effect<void> = Effect.callback((resume) => {
  const compiler = spawnNode(path.join(workspace, "node_modules/.bin/tsc"), ["--build", "tsconfig.build.json"], {
    cwd: workspace,
    stdio: "inherit"
  })
  compiler.on("exit", (code) =>
    resume(code === 0 ? Effect.void : Effect.die(new Error(`The build ended with ${code}`)))
  )
})

/** Names that configure Beckon, or make the output differ between machines. */
const isOurs = (name: string): boolean =>
  /^(BECKON_.*|DATABASE_URL|PORT|HOST|DRAIN_TIMEOUT|REDIS_URL|KAFKA_.*|(?:FCM|VAPID|MAIL|SENDGRID|SMTP|DKIM|TWILIO|WHATSAPP|WEBHOOK|OIDC)_.*|FORCE_COLOR|NO_COLOR|NODE_OPTIONS|VITEST.*)$/.test(
    name
  )

export interface ProcessExit {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface SpawnOptions {
  /** After `main.ts`. */
  readonly args: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Runs what is deployed (`build`) instead of the source. */
  readonly built?: boolean | undefined
  /** Default: the root of the workspace. */
  readonly cwd?: string | undefined
}

export interface Running {
  readonly pid: number
  /** Whole lines so far. */
  readonly stdout: ReadonlyArray<string>
  readonly stderr: ReadonlyArray<string>
  /** The first line, past or future, that matches; fails when the process ends without. */
  readonly line: (from: "stdout" | "stderr", pattern: RegExp) => Effect.Effect<RegExpExecArray, ProcessEnded>
  readonly kill: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly exit: Effect.Effect<ProcessExit>
}

export interface BeckonProcess extends Running {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  readonly port: number
  readonly dataDir: string
  /** A token of this server's issuer, made by its development route. */
  readonly token: (claims: {
    readonly sub: string
    readonly tenant?: string
    readonly roles?: ReadonlyArray<string>
    readonly name?: string
  }) => Effect.Effect<string, ProcessEnded>
}

/** It ended before it did what was waited for. */
export class ProcessEnded extends Schema.TaggedError<ProcessEnded>()("ProcessEnded", {
  waitedFor: Schema.String,
  code: Schema.NullOr(Schema.Number),
  output: Schema.String
}) {
  override get message(): string {
    return `The process ended (${this.code}) before ${this.waitedFor}:\n${this.output}`
  }
}

/** An empty folder that goes with the scope. */
export const temporaryFolder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(path.join(tmpdir(), "beckon-test-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** A port on 127.0.0.1 that nothing listened on a moment ago. */
export const freePort: Effect.Effect<number> = Effect.callback((resume) => {
  const probe = createServer()
  probe.listen(0, "127.0.0.1", () => {
    const address = probe.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    probe.close(() => resume(Effect.succeed(port)))
  })
})

interface Waiter {
  readonly from: "stdout" | "stderr"
  readonly pattern: RegExp
  readonly found: Deferred.Deferred<RegExpExecArray, ProcessEnded>
}

/** Starts the program and does not wait for anything. */
export const spawn = (options: SpawnOptions): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const inherited = Object.entries(process.env).filter(([name]) => !isOurs(name))
      const child = spawnNode(
        process.execPath,
        [...(options.built === true ? builtArgs : [mainFile]), ...options.args],
        {
          cwd: options.cwd ?? workspace,
          env: { ...Object.fromEntries(inherited), ...options.env },
          stdio: ["ignore", "pipe", "pipe"]
        }
      )
      const lines = { stdout: Array<string>(), stderr: Array<string>() }
      const waiters = new Set<Waiter>()
      const exited = Deferred.makeUnsafe<ProcessExit>()
      const output = () => [...lines.stdout, ...lines.stderr].slice(-40).join("\n")

      const take = (from: "stdout" | "stderr", text: string) => {
        lines[from].push(text)
        for (const waiter of waiters) {
          const match = waiter.from === from ? waiter.pattern.exec(text) : null
          if (match !== null && waiters.delete(waiter)) Deferred.doneUnsafe(waiter.found, Effect.succeed(match))
        }
      }
      for (const from of ["stdout", "stderr"] as const) {
        let rest = ""
        child[from].setEncoding("utf8").on("data", (chunk: string) => {
          const parts = (rest + chunk).split("\n")
          rest = parts.pop() ?? ""
          for (const part of parts) take(from, part)
        })
        child[from].on("end", () => {
          if (rest !== "") take(from, rest)
        })
      }
      const end = (exit: ProcessExit) => {
        Deferred.doneUnsafe(exited, Effect.succeed(exit))
        for (const { found, pattern } of waiters) {
          const error = new ProcessEnded({ waitedFor: String(pattern), code: exit.code, output: output() })
          Deferred.doneUnsafe(found, Effect.fail(error))
        }
        waiters.clear()
      }
      // "close" comes after the last output, "exit" may come before it.
      child.on("close", (code, signal) => end({ code, signal }))
      child.on("error", (error) => {
        lines.stderr.push(String(error))
        end({ code: null, signal: null })
      })

      const line: Running["line"] = (from, pattern) =>
        Effect.suspend(() => {
          for (const text of lines[from]) {
            const match = pattern.exec(text)
            if (match !== null) return Effect.succeed(match)
          }
          if (Deferred.isDoneUnsafe(exited)) {
            return Effect.fail(new ProcessEnded({ waitedFor: String(pattern), code: child.exitCode, output: output() }))
          }
          const waiter: Waiter = { from, pattern, found: Deferred.makeUnsafe() }
          waiters.add(waiter)
          return Effect.onInterrupt(Deferred.await(waiter.found), () => Effect.sync(() => waiters.delete(waiter)))
        })

      return {
        pid: child.pid ?? 0,
        stdout: lines.stdout,
        stderr: lines.stderr,
        line,
        kill: (signal: NodeJS.Signals) => Effect.sync(() => void child.kill(signal)),
        exit: Deferred.await(exited)
      }
    }),
    (running) => Effect.andThen(running.kill("SIGKILL"), running.exit)
  )

/** Runs a command to its end. */
export const run = (
  options: SpawnOptions
): Effect.Effect<ProcessExit & { readonly stdout: string; readonly stderr: string }> =>
  Effect.scoped(
    Effect.gen(function* () {
      const running = yield* spawn(options)
      const exit = yield* running.exit
      return { ...exit, stdout: running.stdout.join("\n"), stderr: running.stderr.join("\n") }
    })
  )

const readyLine = /^Beckon is ready at (http:\/\/\S+:(\d+))/

const TokenAnswer = Schema.Struct({ token: Schema.String })
const decodeToken = Schema.decodeUnknownSync(TokenAnswer)

export interface StartOptions {
  /** Runs what is deployed (`build`) instead of the source. */
  readonly built?: boolean | undefined
  /** After `serve`. */
  readonly args?: ReadonlyArray<string> | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Default: a folder that goes with the scope. */
  readonly dataDir?: string | undefined
  /** Default: a free one. */
  readonly port?: number | undefined
}

/** Starts a server and waits until it is ready. */
export const start = Effect.fnUntraced(function* (
  options: StartOptions = {}
): Effect.fn.Return<BeckonProcess, ProcessEnded, Scope.Scope> {
  const folder = Option.fromUndefinedOr(options.dataDir)
  const dataDir = Option.isSome(folder) ? folder.value : path.join(yield* temporaryFolder, "data")
  const running = yield* spawn({
    args: ["serve", ...(options.args ?? [])],
    built: options.built,
    env: { BECKON_DATA_DIR: dataDir, PORT: String(options.port ?? 0), ...options.env }
  })
  const [, url = "", port = ""] = yield* running.line("stdout", readyLine)
  const token: BeckonProcess["token"] = (claims) =>
    Effect.tryPromise({
      try: async () => {
        const answer = await fetch(`${url}/dev/token`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(claims)
        })
        return decodeToken(await answer.json()).token
      },
      catch: (cause) => new ProcessEnded({ waitedFor: "it gave a token", code: null, output: String(cause) })
    })
  return { ...running, url, port: Number(port), dataDir, token }
})
