/**
 * The project's own lint rules, as an oxlint plugin: what the style asks for and no stock rule can say.
 *
 * **Details**
 *
 * Which rule applies to which files is decided in `.oxlintrc.json`; a rule here only knows what it forbids. The exception is
 * `import-direction`, whose subject is the place of a file.
 */
import { readFileSync } from "node:fs"
import path from "node:path"
import type { RuleTester } from "oxlint/plugins-dev"

// oxlint exports no type of a rule or of a node, but its RuleTester takes one.
type Rule = Extract<Parameters<RuleTester["run"]>[1], { create: unknown }>
type Visitor = ReturnType<Rule["create"]>
type Node = Parameters<NonNullable<Visitor[string]>>[0]
type NodeOf<K extends keyof Visitor> = Parameters<NonNullable<Visitor[K]>>[0]
type Func = NodeOf<"FunctionDeclaration"> | NodeOf<"ArrowFunctionExpression">

interface Room {
  /** Workspace packages that may be imported. */
  readonly workspace: ReadonlyArray<string>
  /** Whether Node's own modules may be imported. */
  readonly node: boolean
  /** Libraries that may be imported; absent: whatever the package declares. */
  readonly libraries?: ReadonlyArray<string>
}

/** domain <- infra <- server, domain <- client. */
const rooms: Readonly<Record<string, Room>> = {
  domain: { workspace: [], node: false, libraries: ["effect"] },
  client: { workspace: ["@beckon/domain"], node: false, libraries: ["effect"] },
  infra: { workspace: ["@beckon/domain"], node: true },
  server: { workspace: ["@beckon/domain", "@beckon/infra"], node: true }
}

const packagePattern = /^(.*\/packages\/([^/]+))\/(src|test)\//

/** `@scope/name/sub` -> `@scope/name`, `name/sub` -> `name`. */
const packageNameOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")

const declaredCache = new Map<string, ReadonlySet<string>>()
const declaredBy = (folder: string): ReadonlySet<string> => {
  const known = declaredCache.get(folder)
  if (known !== undefined) return known
  const manifest: Record<string, Record<string, string> | undefined> = JSON.parse(
    readFileSync(path.join(folder, "package.json"), "utf8")
  )
  const names = new Set(Object.keys({ ...manifest["dependencies"], ...manifest["peerDependencies"] }))
  declaredCache.set(folder, names)
  return names
}

/** Why `specifier` may not be imported by `filename`, or nothing. */
export const importFault = (filename: string, specifier: string): string | undefined => {
  const match = packagePattern.exec(filename.replaceAll("\\", "/"))
  if (match === null) return undefined
  const [, folder = "", name = "", part = ""] = match
  const room = rooms[name]
  if (room === undefined) return `Package "${name}" has no import rules yet: add it to scripts/lint/BeckonRules.ts.`
  if (specifier.startsWith(".")) {
    const target = path.posix.resolve(path.posix.dirname(filename), specifier)
    return target.startsWith(`${folder}/`) ? undefined : `"${specifier}" leaves the package: import it by its name.`
  }
  const library = packageNameOf(specifier)
  if (library.startsWith("@beckon/")) {
    if (library === `@beckon/${name}`) return part === "test" ? undefined : "Import your own package by relative path."
    // The command line is a client of the running server, although it ships with it.
    const isClientProgram = name === "server" && library === "@beckon/client" && filename.includes("/src/cli/")
    if (!room.workspace.includes(library) && !isClientProgram)
      return `"${name}" must not import "${library}" (domain <- infra <- server, domain <- client).`
    return library === specifier ? `Import "${library}" by subpath: it has no barrel.` : undefined
  }
  if (part === "test") return undefined
  if (specifier.startsWith("node:"))
    return room.node ? undefined : `"${name}" does no I/O: it must not import "${specifier}".`
  const allowed = room.libraries === undefined ? declaredBy(folder).has(library) : room.libraries.includes(library)
  return allowed
    ? undefined
    : `"${name}" must not import "${library}"${room.libraries === undefined ? ": package.json does not declare it" : ""}.`
}

const importDirection: Rule = {
  create(context) {
    const check = (source: Node | null) => {
      if (source?.type !== "Literal" || typeof source.value !== "string") return
      const message = importFault(context.filename, source.value)
      if (message !== undefined) context.report({ node: source, message })
    }
    return {
      ImportDeclaration: (node) => check(node.source),
      ExportNamedDeclaration: (node) => check(node.source),
      ExportAllDeclaration: (node) => check(node.source),
      ImportExpression: (node) => check(node.source),
      TSImportType: (node) => check(node.source)
    }
  }
}

/** `a.b` -> `["a", "b"]` for plain names, computed string keys included. */
const memberOf = (node: Node): readonly [string, string] | undefined => {
  if (node.type !== "MemberExpression" || node.object.type !== "Identifier") return undefined
  const { property } = node
  if (!node.computed && property.type === "Identifier") return [node.object.name, property.name]
  if (property.type === "Literal" && typeof property.value === "string") return [node.object.name, property.value]
  return undefined
}

const noAsync: Rule = {
  create(context) {
    const check = (node: Func) => {
      if (node.async) context.report({ node, message: "No async outside adapters: write an Effect." })
    }
    return { FunctionDeclaration: check, FunctionExpression: check, ArrowFunctionExpression: check }
  }
}

const noEffectRun: Rule = {
  create: (context) => ({
    MemberExpression(node) {
      const [object, property] = memberOf(node) ?? ["", ""]
      const runs = object === "Effect" && /^run(Promise|Sync|Fork|Callback)/.test(property)
      const mains = property === "runMain" && (object === "NodeRuntime" || object === "Runtime")
      const managed = object === "ManagedRuntime" && property === "make"
      if (runs || mains || managed) {
        context.report({
          node,
          message: `No ${object}.${property} outside main and the native callbacks of an adapter.`
        })
      }
    }
  })
}

const ambient: Readonly<Record<string, string>> = {
  "Date.now": "Clock or DateTime",
  "performance.now": "Clock",
  "Math.random": "Random",
  "process.env": "Config"
}

const noAmbient: Rule = {
  create: (context) => ({
    MemberExpression(node) {
      const name = memberOf(node)?.join(".") ?? ""
      const instead = Object.hasOwn(ambient, name) ? ambient[name] : undefined
      if (instead !== undefined)
        context.report({ node, message: `No ${name}: use ${instead}, so that tests drive it.` })
    },
    NewExpression(node) {
      if (node.callee.type === "Identifier" && node.callee.name === "Date" && node.arguments.length === 0) {
        context.report({ node, message: "No new Date(): use Clock or DateTime, so that tests drive it." })
      }
    },
    CallExpression(node) {
      if (node.callee.type === "Identifier" && node.callee.name === "Date") {
        context.report({ node, message: "No Date(): use Clock or DateTime, so that tests drive it." })
      }
    },
    ImportDeclaration(node) {
      if (!/^(node:)?process$/.test(node.source.value)) return
      if (
        node.specifiers.some(
          (s) => s.type === "ImportSpecifier" && s.imported.type === "Identifier" && s.imported.name === "env"
        )
      ) {
        context.report({ node, message: "No env of node:process: use Config." })
      }
    }
  })
}

const compiler = /^((decode|encode)(Unknown)?(Effect|Exit|Option|Promise|Result|Sync)|is|asserts)$/

const codecAtModuleScope: Rule = {
  create(context) {
    const parameters: Array<ReadonlySet<string>> = []
    const enter = (node: Func) => {
      const names = node.params.flatMap((parameter) => (parameter.type === "Identifier" ? [parameter.name] : []))
      parameters.push(new Set(names))
    }
    const leave = () => void parameters.pop()
    return {
      FunctionDeclaration: enter,
      FunctionExpression: enter,
      ArrowFunctionExpression: enter,
      "FunctionDeclaration:exit": leave,
      "FunctionExpression:exit": leave,
      "ArrowFunctionExpression:exit": leave,
      CallExpression(node) {
        const [object, property] = memberOf(node.callee) ?? ["", ""]
        if ((object !== "Schema" && object !== "SchemaParser") || !compiler.test(property) || parameters.length === 0)
          return
        // A function that is given the schema is a factory; its callers stand at module scope.
        const [schema] = node.arguments
        if (schema?.type === "Identifier" && parameters.some((names) => names.has(schema.name))) return
        context.report({
          node,
          message: `${object}.${property} compiles a codec at every call: lift it to module scope.`
        })
      }
    }
  }
}

const rootOf = (node: Node): string => {
  if (node.type === "MemberExpression") return rootOf(node.object)
  if (node.type === "CallExpression") return rootOf(node.callee)
  return node.type === "Identifier" ? node.name : ""
}

const noSwitchedOffTests: Rule = {
  create: (context) => ({
    MemberExpression(node) {
      if (node.computed || node.property.type !== "Identifier") return
      if (!/^(only|skip|todo|fails|skipIf|runIf)$/.test(node.property.name)) return
      if (!/^(it|test|describe|suite|bench)$/.test(rootOf(node.object))) return
      context.report({ node, message: `No .${node.property.name}: every test runs, everywhere.` })
    }
  })
}

const noForcedTypes: Rule = {
  create: (context) => ({
    TSAsExpression(node) {
      const to = node.typeAnnotation.type
      const through = node.expression.type === "TSAsExpression" ? node.expression.typeAnnotation.type : undefined
      if (to === "TSNeverKeyword" || to === "TSAnyKeyword" || through === "TSUnknownKeyword") {
        context.report({ node, message: "No type forced past the checker." })
      }
    }
  })
}

const vague = new Set(["util", "utils", "helper", "helpers", "common", "misc", "types", "index"])

const noVagueFiles: Rule = {
  create: (context) => ({
    Program(node) {
      const parts = context.filename.replaceAll("\\", "/").split("/src/").slice(1).join("/").split("/")
      const found = parts.find((part) => vague.has(part.replace(/\..*$/, "").toLowerCase()))
      if (found !== undefined)
        context.report({ node, message: `"${found}" says nothing: name the one thing that it holds.` })
    }
  })
}

const disableNeedsReason: Rule = {
  create: (context) => ({
    Program() {
      for (const comment of context.sourceCode.getAllComments()) {
        if (!/^\s*(oxlint|eslint)-disable/.test(comment.value) || /\s--\s+\S/.test(comment.value)) continue
        context.report({ loc: comment.loc, message: "Say why: `oxlint-disable-next-line rule -- reason`." })
      }
    }
  })
}

export default {
  meta: { name: "beckon" },
  rules: {
    "import-direction": importDirection,
    "no-async": noAsync,
    "no-effect-run": noEffectRun,
    "no-ambient": noAmbient,
    "codec-at-module-scope": codecAtModuleScope,
    "no-switched-off-tests": noSwitchedOffTests,
    "no-forced-types": noForcedTypes,
    "no-vague-files": noVagueFiles,
    "disable-needs-reason": disableNeedsReason
  }
}
