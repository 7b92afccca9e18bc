/**
 * Writes `docs/configuration.md` and `deploy/env/*.env.example` from the table of settings; with `--check` it only says
 * whether they are current.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import path from "node:path"
import { chapters } from "../packages/server/src/layers/Settings.ts"
import type { Setting } from "../packages/server/src/layers/Settings.ts"

const root = path.resolve(import.meta.dirname, "..")

const row = ({ about, fallback, name, secret }: Setting<unknown>): string =>
  `| \`${name}\` | ${about}${secret === true ? " Secret: never logged." : ""} | ${fallback} |`

const page = `# Configuration

Generated from [\`Settings.ts\`](../packages/server/src/layers/Settings.ts) by \`pnpm docs\`. All settings are environment
variables, read once at the start; one that does not fit stops it with a line that names it. Durations are written as
\`500 millis\`, \`10 seconds\`, \`5 minutes\`.

${chapters
  .map(
    ([title, table]) =>
      `## ${title}\n| setting | what it does | default |\n|---|---|---|\n${Object.values(table).map(row).join("\n")}\n`
  )
  .join("\n")}`

const lines = (setting: Setting<unknown>, value: string | undefined): string =>
  `# ${setting.about}\n# Default: ${setting.fallback}\n${value === undefined ? `# ${setting.name}=` : `${setting.name}=${value}`}\n`

const example = (about: string, valueOf: (setting: Setting<unknown>) => string | undefined): string =>
  [
    `# ${about}\n`,
    ...chapters.flatMap(([title, table]) => [
      `# == ${title} ==\n`,
      ...Object.values(table).map((setting) => lines(setting, valueOf(setting)))
    ])
  ].join("\n")

const development = example("Development: everything has a default; nothing needs to be set.", () => undefined)

const production = example(
  "Production: several nodes on PostgreSQL and Redis. Replace every value that says change-me.",
  (setting) => setting.production
)

const files: Readonly<Record<string, string>> = {
  "docs/configuration.md": page,
  "deploy/env/development.env.example": development,
  "deploy/env/production.env.example": production
}

const read = (file: string): string => {
  try {
    return readFileSync(path.join(root, file), "utf8")
  } catch {
    return ""
  }
}

if (process.argv.includes("--check")) {
  const stale = Object.entries(files).filter(([file, text]) => read(file) !== text)
  for (const [file] of stale) console.log(`${file} is not what Settings.ts says: run \`pnpm docs\``)
  process.exitCode = stale.length === 0 ? 0 : 1
} else {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
    writeFileSync(path.join(root, file), text)
  }
}
