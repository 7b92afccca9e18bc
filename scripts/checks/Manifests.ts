/**
 * What the manifests promise: every direct dependency is named with its licence in `docs/dependencies.md`, nothing is named
 * there that nobody uses, and the lockfile fixes contents (integrity), not the host that they were fetched from.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import path from "node:path"

interface Manifest {
  readonly name?: string
  readonly license?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

const manifestIn = (folder: string): Manifest => JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"))

/** The folders of the workspace that hold a package.json, as pnpm-workspace.yaml lists them. */
const workspaceFolders = (root: string): ReadonlyArray<string> => [
  root,
  path.join(root, "test"),
  ...readdirSync(path.join(root, "packages")).map((name) => path.join(root, "packages", name))
]

/** Every direct dependency that is not of this workspace, with the licence that its installed copy states. */
const directDependencies = (root: string): ReadonlyMap<string, string> => {
  const found = new Map<string, string>()
  for (const folder of workspaceFolders(root).filter((candidate) => existsSync(path.join(candidate, "package.json")))) {
    const manifest = manifestIn(folder)
    const declared = {
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...manifest.optionalDependencies,
      ...manifest.peerDependencies
    }
    for (const [name, version] of Object.entries(declared)) {
      if (version.startsWith("workspace:")) continue
      found.set(name, manifestIn(path.join(folder, "node_modules", name)).license ?? "none stated")
    }
  }
  return found
}

/** Faults of `docs/dependencies.md`, whose table rows begin with the name in backquotes and end with the licence. */
export const dependencyFaults = (root: string): ReadonlyArray<string> => {
  const document = readFileSync(path.join(root, "docs/dependencies.md"), "utf8")
  const rows = new Map<string, string>()
  for (const [, name = "", licence = ""] of document.matchAll(/^\| `([^`]+)` \|.*\| ([^|]+) \|$/gm))
    rows.set(name, licence)
  const direct = directDependencies(root)
  const faults = [...direct].flatMap(([name, licence]) => {
    const stated = rows.get(name)
    if (stated === undefined) return [`${name} has no row in docs/dependencies.md`]
    return stated === licence ? [] : [`${name}: docs/dependencies.md says "${stated}", the package says "${licence}"`]
  })
  const stale = [...rows.keys()].filter((name) => !direct.has(name))
  return [...faults, ...stale.map((name) => `${name} is in docs/dependencies.md, but nobody depends on it`)]
}

/** Lines of the lockfile that name a host. */
export const lockfileFaults = (root: string): ReadonlyArray<string> =>
  readFileSync(path.join(root, "pnpm-lock.yaml"), "utf8")
    .split("\n")
    .flatMap((line, index) => (/:\/\/|^\s*tarball:/.test(line) ? [`pnpm-lock.yaml:${index + 1}: ${line.trim()}`] : []))
