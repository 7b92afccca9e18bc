import type { PGlite } from "@electric-sql/pglite"
import { NodeFS } from "@electric-sql/pglite/nodefs"
import { Predicate } from "effect"
// The default import, so that a test can watch the call.
import Fs from "node:fs"

/**
 * PGlite's Node file system with a working `fsync`: Emscripten's has none, so that PostgreSQL's request to flush its log
 * at a commit would do nothing.
 */
export class PgliteFlushFs extends NodeFS {
  override async init(pglite: PGlite, options: Parameters<NodeFS["init"]>[1]): ReturnType<NodeFS["init"]> {
    const made = await super.init(pglite, options)
    const preRun = made.emscriptenOpts.preRun
    made.emscriptenOpts.preRun = [...(typeof preRun === "function" ? [preRun] : (preRun ?? [])), addFlush]
    return made
  }
}

const addFlush = (module: unknown): void => {
  if (!Predicate.hasProperty(module, "NODEFS") || !Predicate.hasProperty(module.NODEFS, "stream_ops")) {
    throw new Error("This PGlite has no Node file system to flush")
  }
  Object.assign(Object(module.NODEFS.stream_ops), {
    fsync: (stream: { readonly nfd: number }): number => {
      Fs.fsyncSync(stream.nfd)
      return 0
    }
  })
}

/** How PostgreSQL must be started to use it: without PGlite's `-F`, and by `fsync`, for Emscripten ignores `fdatasync`. */
export const flushParameters = (defaults: ReadonlyArray<string>): Array<string> => [
  ...defaults.filter((parameter) => parameter !== "-F"),
  "-c",
  "wal_sync_method=fsync"
]
