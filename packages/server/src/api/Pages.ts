/**
 * The demo page at `/`, and a problem for every path that nobody else answers.
 *
 * **Details**
 *
 * The files are loaded at the first request and kept, plain and compressed. Browsers keep them too and ask by entity tag
 * whether they are current (RFC 9110 section 8.8.3). The page runs no inline script or style and talks to its own origin only.
 */
import { Effect, Layer } from "effect"
import type { FileSystem, Path } from "effect"
import { HttpRouter, HttpServerRespondable, HttpServerResponse } from "effect/http"
import type { HttpServerRequest } from "effect/http"
import { createHash } from "node:crypto"
import { gzipSync } from "node:zlib"
import { NotFound, Unavailable } from "@beckon/domain/Problem"
import * as PageFiles from "./PageFiles.ts"

const securityHeaders = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'"
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff"
} as const

export interface Ready {
  readonly plain: Uint8Array
  readonly gzipped: Uint8Array
  readonly etag: string
}

/** The tag is weak: it stands for the plain and the compressed bytes. */
export const prepare = (plain: Uint8Array): Ready => ({
  plain,
  gzipped: gzipSync(plain),
  etag: `W/"${createHash("sha256").update(plain).digest("base64url").slice(0, 22)}"`
})

/** Whether the client has this version already (RFC 9110 section 13.1.2, weak comparison). */
const isCurrent = (ifNoneMatch: string | undefined, etag: string): boolean =>
  ifNoneMatch !== undefined &&
  (ifNoneMatch.trim() === "*" || ifNoneMatch.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag.slice(2)))

const takesGzip = (acceptEncoding: string | undefined): boolean =>
  acceptEncoding !== undefined && /(^|,)\s*gzip\s*(;\s*q=(?!0(\.0*)?\s*(,|$))|,|$)/i.test(acceptEncoding)

/** 304 when the client has it already; compressed for those who take it. */
export const respond = (
  ready: Ready,
  contentType: string,
  request: HttpServerRequest.HttpServerRequest,
  others: Readonly<Record<string, string>> = securityHeaders
) => {
  const headers = { ...others, "cache-control": "no-cache", etag: ready.etag, vary: "accept-encoding" }
  if (isCurrent(request.headers["if-none-match"], ready.etag)) return HttpServerResponse.empty({ status: 304, headers })
  return takesGzip(request.headers["accept-encoding"])
    ? HttpServerResponse.uint8Array(ready.gzipped, { contentType, headers: { ...headers, "content-encoding": "gzip" } })
    : HttpServerResponse.uint8Array(ready.plain, { contentType, headers })
}

const layerDemo = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const services = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
    const ready = yield* PageFiles.load.pipe(
      Effect.map((contents) => {
        const prepared = new Map<PageFiles.FileName, Ready>()
        for (const { name } of PageFiles.files) prepared.set(name, prepare(contents[name]))
        return prepared
      }),
      Effect.provideContext(services),
      Effect.cached
    )
    const serve = (name: PageFiles.FileName, contentType: string) => (request: HttpServerRequest.HttpServerRequest) =>
      Effect.flatMap(ready, (files) => {
        const file = files.get(name)
        return file === undefined
          ? Effect.fail(new PageFiles.PageBroken({ file: name, cause: "not loaded" }))
          : Effect.succeed(respond(file, contentType, request))
      }).pipe(
        Effect.catch((error) =>
          Effect.andThen(
            Effect.logError(error.message, error.cause),
            HttpServerRespondable.toResponse(new Unavailable({ detail: error.message }))
          )
        )
      )
    for (const { contentType, name, path } of PageFiles.files) yield* router.add("GET", path, serve(name, contentType))
    // Browsers ask for this one by themselves, also for pages that are not ours.
    yield* router.add("GET", "/favicon.ico", serve("favicon.svg", "image/svg+xml"))
  })
)

/** Not `*`: that would take HEAD too, which the router answers by the route of GET. */
const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const

/** Every path that nobody else answers. */
const layerUnknownPath = HttpRouter.use((router) =>
  Effect.forEach(
    methods,
    (method) =>
      router.add(method, "*", (request) =>
        HttpServerRespondable.toResponse(
          new NotFound({
            detail: `${method} ${request.url.split("?")[0]}: there is no such path or method; /docs lists them.`
          })
        )
      ),
    { discard: true }
  )
)

export const layer = Layer.merge(layerDemo, layerUnknownPath)
