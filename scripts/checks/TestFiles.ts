/** A test file that no project of vitest.config.ts includes would never run, and nobody would notice. */
import { readdirSync } from "node:fs"
import path from "node:path"

const places = [
  /^packages\/[^/]+\/test\/.+\.test\.tsx?$/,
  /^scripts\/.+\.test\.ts$/,
  /^test\/(contract|integration|cluster|e2e)\/.+\.test\.ts$/
]
const ignored = new Set(["node_modules", "dist", ".git", ".beckon", ".cache"])

const filesUnder = (root: string, folder: string): ReadonlyArray<string> =>
  readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (ignored.has(entry.name)) return []
    const relative = path.posix.join(folder, entry.name)
    return entry.isDirectory() ? filesUnder(root, relative) : [relative]
  })

/** Test files that lie where no project looks. */
export const strayTestFaults = (root: string): ReadonlyArray<string> =>
  filesUnder(root, "")
    .filter((file) => /\.(test|spec)\.[cm]?[jt]sx?$/.test(file) && !places.some((place) => place.test(file)))
    .map((file) => `${file} belongs to no project of vitest.config.ts: it would never run`)
