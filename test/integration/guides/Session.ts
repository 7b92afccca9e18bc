/**
 * The guides are true: what they tell a reader to type is typed here, word for word, against a server of its own.
 *
 * **Details**
 *
 * The `sh` blocks behind a line `<!-- run -->` are one session of bash, in which every command must end with 0. A `text` block that
 * follows one is what the reader then sees: each of its lines must be there, and `…` stands for anything. What is behind
 * `<!-- run until -->` is typed again until it shows that. The settings in front of the command behind `<!-- start -->` are the server's.
 * Every other `sh` block says behind `<!-- not run: … -->` what it would need.
 *
 * **Gotchas**
 *
 * The addresses in the guides are those of a server on port 8080. curl's own configuration leads them to the server of the
 * test, and makes an answer of 400 or more a failure; the command line finds it by `PORT`.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import path from "node:path"
import { fileURLToPath } from "node:url"
import * as BeckonProcess from "../../support/BeckonProcess.ts"

const workspace = fileURLToPath(new URL("../../..", import.meta.url))

/** Seconds after which what is typed again should have shown what it is to show. */
const patience = 30

/** Which guides one test file follows: files run side by side. */
export const guides = {
  sending: ["README.md", "docs/guides/deliveries.md", "docs/guides/providers.md", "docs/guides/templates.md"],
  many: ["docs/guides/batches.md", "docs/guides/bulk.md", "docs/guides/topics.md", "docs/guides/webhooks.md"],
  sharing: ["docs/guides/http.md", "docs/guides/identities.md", "docs/guides/privacy.md", "docs/guides/tenants.md"],
  moving: ["docs/guides/migrate.md"]
} as const

/** All that are there. */
export const written = (): ReadonlyArray<string> => [
  "README.md",
  ...readdirSync(path.join(workspace, "docs/guides")).map((name) => `docs/guides/${name}`)
]

const fences = /^( *)<!-- (run|run until|start) -->\n\1```sh\n(.*?)^\1```$(?:\n+\1```text\n(.*?)^\1```$)?/gms

interface Block {
  readonly kind: "run" | "run until" | "start"
  readonly commands: string
  /** Extended regular expressions, one for each line. */
  readonly shown: ReadonlyArray<string>
}

const patternOf = (line: string): string =>
  line
    .split("…")
    .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`))
    .join(".*")

const blocksOf = (name: string): ReadonlyArray<Block> => {
  const guide = readFileSync(path.join(workspace, name), "utf8")
  const found = [...guide.matchAll(fences)].map(([, indent = "", kind = "run", commands = "", text = ""]) => ({
    kind: kind as Block["kind"],
    commands,
    shown: text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => patternOf(line.slice(indent.length)))
  }))
  const others = guide.match(/^ *<!-- not run: .+ -->\n *```sh$/gm)?.length ?? 0
  assert.lengthOf(found, (guide.match(/^ *```sh$/gm)?.length ?? 0) - others, `${name}: what a reader types is run here`)
  return found
}

const settingsOf = (blocks: ReadonlyArray<Block>): Record<string, string> => {
  const [words = ""] = blocks.flatMap(({ commands, kind }) => (kind === "start" ? [commands] : []))
  const pairs = words.matchAll(/(?<=^| )([A-Z_]+)=(?:'([^']*)'|(\S+))/gm)
  return Object.fromEntries([...pairs].map(([, name = "", quoted, plain = ""]) => [name, quoted ?? plain]))
}

/**
 * `npx` brings pnpm to a machine: it asks the registry at every command, and all that run at once wait for one lock. Here pnpm is
 * there already when the tests were started with it, and is called instead.
 */
const pnpm = ((file: string | undefined): string =>
  file === undefined || !path.basename(file).startsWith("pnpm")
    ? ":"
    : `npx() { if [ "$1 $2" = "--yes pnpm" ]; then shift 2; ${/\.[cm]?js$/.test(file) ? `'${process.execPath}' ` : ""}'${file}' "$@"; else command npx "$@"; fi; }`)(
  process.env["npm_execpath"]
)

/** One session: what a block says goes into a file of its number, and what it should say stands beside it. */
const sessionOf = (blocks: ReadonlyArray<Block>): string => {
  const typed = blocks.map(({ commands, kind }, index) =>
    kind === "run until"
      ? `begun=$SECONDS\nuntil { ${commands}\n} > "$SAID/${index}" 2>&1 && shows ${index}; do (( SECONDS - begun < ${patience} )); sleep 0.2; done`
      : `{ ${commands}\n} > "$SAID/${index}" 2>&1\nshows ${index}`
  )
  return [
    "set -euo pipefail",
    pnpm,
    `shows() { while IFS= read -r line; do grep -qE -- "$line" "$SAID/$1" || { echo "not shown: $line" > "$SAID/missing"; return 1; }; done < "$SAID/$1.shown"; }`,
    ...typed.flatMap((block, index) => [`echo "block ${index} at $SECONDS s"`, block]),
    "echo all"
  ].join("\n")
}

/** Nothing of the test's own environment but where programs are, and how npm reaches its registry. */
const inherited = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value !== undefined && /^(PATH|HOME|TMPDIR|LANG|npm_config_.*|.*_proxy)$/i.test(name) ? [[name, value]] : []
    )
  )

/** Runs bash with all that it starts, which ends with it; answers its exit code and what it said. */
const bash = (script: string, env: Readonly<Record<string, string>>) =>
  Effect.callback<{ readonly code: number | null; readonly said: string }>((resume) => {
    const shell = spawn("bash", ["-c", script], {
      cwd: workspace,
      detached: true,
      env: { ...inherited(), ...env },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let said = ""
    for (const stream of [shell.stdout, shell.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (said += text))
    }
    const end = () => {
      try {
        if (shell.pid !== undefined) process.kill(-shell.pid, "SIGKILL")
      } catch {
        // Nothing of its group is left.
      }
    }
    // What it left in the background ends first: until then nothing of it is closed.
    shell.on("exit", end)
    shell.on("close", (code) => resume(Effect.succeed({ code, said })))
    shell.on("error", (error) => resume(Effect.succeed({ code: null, said: String(error) })))
    return Effect.sync(end)
  })

const curlSettings = (port: number): string =>
  [`connect-to = "127.0.0.1:8080:127.0.0.1:${port}"`, "fail-with-body", "silent", "show-error", `noproxy = "*"`].join(
    "\n"
  )

/** Where the commands of a guide find the server. */
export interface At {
  readonly dataDir: string
  readonly port: number
  readonly env?: Readonly<Record<string, string>>
}

/** Types the commands of a guide; fails with the first that does not do what the guide says. */
export const type = Effect.fnUntraced(function* (name: string, { dataDir, env, port }: At) {
  const blocks = blocksOf(name).filter(({ kind }) => kind !== "start")
  assert.isNotEmpty(blocks)
  const folder = yield* BeckonProcess.temporaryFolder
  const said = path.join(folder, "said")
  mkdirSync(said)
  writeFileSync(path.join(folder, ".curlrc"), curlSettings(port))
  blocks.forEach(({ shown }, index) =>
    writeFileSync(path.join(said, `${index}.shown`), shown.map((line) => `${line}\n`).join(""))
  )
  const session = yield* bash(sessionOf(blocks), {
    BECKON_DATA_DIR: dataDir,
    CURL_HOME: folder,
    PORT: String(port),
    SAID: said,
    npm_config_prefer_offline: "true",
    ...env
  })
  const textOf = (file: string) => {
    const at = path.join(said, file)
    return existsSync(at) ? readFileSync(at, "utf8") : ""
  }
  if (session.code === 0 && session.said.endsWith("all\n")) return
  const last = Number(/block (\d+) at \d+ s\n(?!.*block \d)/s.exec(session.said)?.[1] ?? 0)
  assert.fail(
    [`${name} is not true:`, blocks[last]?.commands, textOf(String(last)), textOf("missing"), session.said].join("\n")
  )
})

/** The same with a server of its own, started as the guide says. */
export const follow = (name: string) =>
  Effect.scoped(
    Effect.flatMap(BeckonProcess.start({ env: settingsOf(blocksOf(name)) }), (server) => type(name, server))
  )
