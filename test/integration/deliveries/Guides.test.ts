/**
 * The guides are true: what they tell a reader to type is typed here, word for word, against a server of its own.
 *
 * **Details**
 *
 * The `sh` blocks behind a line `<!-- run -->` are one session of bash, in which every command must end with 0. A `text` block that
 * follows one is what the reader then sees: each of its lines must be there, and `…` stands for anything. What is behind
 * `<!-- run until -->` is typed again until it shows that. The settings in front of the command behind `<!-- start -->` are the server's.
 *
 * **Gotchas**
 *
 * The addresses in the guides are those of a server on port 8080. curl's own configuration leads them to the server of the
 * test, and makes an answer of 400 or more a failure; the command line finds it by `PORT`.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import path from "node:path"
import { fileURLToPath } from "node:url"
import * as BeckonProcess from "../../support/BeckonProcess.ts"

const workspace = fileURLToPath(new URL("../../..", import.meta.url))

/** Seconds after which what is typed again should have shown what it is to show. */
const patience = 30

const fences = /^<!-- (run|run until|start) -->\n```sh\n(.*?)^```$(?:\n+```text\n(.*?)^```$)?/gms

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

const blocksOf = (guide: string): ReadonlyArray<Block> =>
  [...guide.matchAll(fences)].map(([, kind = "run", commands = "", text = ""]) => ({
    kind: kind as Block["kind"],
    commands,
    shown: text
      .split("\n")
      .filter((line) => line !== "")
      .map(patternOf)
  }))

const settingsOf = (blocks: ReadonlyArray<Block>): Record<string, string> => {
  const [words = ""] = blocks.flatMap(({ commands, kind }) => (kind === "start" ? [commands] : []))
  const pairs = words.matchAll(/(?<=^| )([A-Z_]+)=(\S+)/g)
  return Object.fromEntries([...pairs].map(([, name = "", value = ""]) => [name, value]))
}

/** One session: what a block says goes into a file of its number, and what it should say stands beside it. */
const sessionOf = (blocks: ReadonlyArray<Block>): string => {
  const typed = blocks.map(({ commands, kind }, index) =>
    kind === "run until"
      ? `begun=$SECONDS\nuntil { ${commands}\n} > "$SAID/${index}" 2>&1 && shows ${index}; do (( SECONDS - begun < ${patience} )); sleep 0.2; done`
      : `{ ${commands}\n} > "$SAID/${index}" 2>&1\nshows ${index}`
  )
  return [
    "set -euo pipefail",
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

const follow = Effect.fnUntraced(function* (name: string) {
  const guide = readFileSync(path.join(workspace, "docs/guides", name), "utf8")
  const all = blocksOf(guide)
  const blocks = all.filter(({ kind }) => kind !== "start")
  assert.isNotEmpty(blocks)
  assert.lengthOf(all, guide.match(/<!--/g)?.length ?? 0, "a marked block is not written as one")
  const { dataDir, port } = yield* BeckonProcess.start({ env: settingsOf(all) })
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
    npm_config_prefer_offline: "true"
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

for (const name of ["deliveries.md", "providers.md", "templates.md", "webhooks.md"]) {
  it.live(`what docs/guides/${name} tells to type works`, () => Effect.scoped(follow(name)), 240_000)
}
