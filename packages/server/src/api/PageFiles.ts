/**
 * The files of the demo page: built from `web/` when the server runs from its sources, read from `dist/web` when it is built.
 *
 * **Details**
 *
 * esbuild bundles the script in a few 100 ms and is needed only in the first case; `scripts/build-web.ts` makes the files of
 * the second by the same `build`.
 */
import { Effect, FileSystem, Path, Schema } from "effect"

/** A page's file could not be built or read. */
export class PageBroken extends Schema.TaggedError<PageBroken>()("PageBroken", {
  file: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `The page's file ${this.file} could not be built or read`
  }
}

/** The names, where they are served, and as what. */
export const files = [
  { name: "demo.html", path: "/", contentType: "text/html; charset=utf-8" },
  { name: "demo.css", path: "/assets/demo.css", contentType: "text/css; charset=utf-8" },
  { name: "demo.js", path: "/assets/demo.js", contentType: "text/javascript; charset=utf-8" },
  { name: "favicon.svg", path: "/favicon.svg", contentType: "image/svg+xml" }
] as const

export type FileName = (typeof files)[number]["name"]

export type Contents = Readonly<Record<FileName, Uint8Array>>

const read = Effect.fnUntraced(function* (folder: URL, file: string) {
  const fs = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  return yield* Effect.flatMap(paths.fromFileUrl(new URL(file, folder)), (path) => fs.readFile(path)).pipe(
    Effect.mapError((cause) => new PageBroken({ file, cause }))
  )
})

const bundle = Effect.fnUntraced(function* (folder: URL, file: string) {
  const paths = yield* Path.Path
  const built = yield* Effect.flatMap(paths.fromFileUrl(new URL(file, folder)), (entry) =>
    Effect.tryPromise(() =>
      import("esbuild").then((esbuild) =>
        esbuild.build({
          entryPoints: [entry],
          bundle: true,
          write: false,
          minify: true,
          format: "esm",
          target: "es2022",
          platform: "browser",
          logLevel: "silent"
        })
      )
    )
  ).pipe(Effect.mapError((cause) => new PageBroken({ file, cause })))
  const [script] = built.outputFiles
  if (script === undefined) return yield* new PageBroken({ file, cause: "esbuild gave no output" })
  return script.contents
})

/** Builds the files from their sources. */
export const build = Effect.suspend(() => {
  const folder = new URL("../../web/", import.meta.url)
  return Effect.all(
    {
      "demo.html": read(folder, "demo.html"),
      "demo.css": read(folder, "demo.css"),
      "demo.js": bundle(folder, "demo.ts"),
      "favicon.svg": read(folder, "favicon.svg")
    },
    { concurrency: "unbounded" }
  )
}).pipe(Effect.withSpan("PageFiles.build"))

/** Reads the files that were built with the package. */
const readBuilt = Effect.suspend(() => {
  const folder = new URL("../web/", import.meta.url)
  return Effect.all({
    "demo.html": read(folder, "demo.html"),
    "demo.css": read(folder, "demo.css"),
    "demo.js": read(folder, "demo.js"),
    "favicon.svg": read(folder, "favicon.svg")
  })
})

/** The files, whichever way this program runs. */
export const load: Effect.Effect<Contents, PageBroken, FileSystem.FileSystem | Path.Path> = import.meta.url.endsWith(
  ".ts"
)
  ? build
  : readBuilt
