/**
 * Writes `docs/configuration.md` and `deploy/env/*.env.example` from the table of settings; with `--check` it only says
 * whether they are current.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import path from "node:path"
import { settings } from "../packages/server/src/layers/Settings.ts"
import type { Setting } from "../packages/server/src/layers/Settings.ts"

const root = path.resolve(import.meta.dirname, "..")
const table: ReadonlyArray<Setting<unknown>> = Object.values(settings)

const row = ({ about, fallback, name, secret }: Setting<unknown>): string =>
  `| \`${name}\` | ${about}${secret === true ? " Secret: never logged." : ""} | ${fallback} |`

const page = `# Configuration

Generated from [\`Settings.ts\`](../packages/server/src/layers/Settings.ts) by \`pnpm docs\`. All settings are environment
variables, read once at the start; one that does not fit stops it with a line that names it. Durations are written as
\`500 millis\`, \`10 seconds\`, \`5 minutes\`.

| setting | what it does | default |
|---|---|---|
${table.map(row).join("\n")}
`

const lines = (setting: Setting<unknown>, value: string | undefined): string =>
  `# ${setting.about}\n# Default: ${setting.fallback}\n${value === undefined ? `# ${setting.name}=` : `${setting.name}=${value}`}\n`

const development = `# Development: everything has a default; nothing needs to be set.\n\n${table
  .map((setting) => lines(setting, undefined))
  .join("\n")}`

const production = `# Production: several nodes on PostgreSQL and Redis. Replace every value that says change-me.\n\n${table
  .map((setting) => lines(setting, setting.production))
  .join("\n")}`

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
