/**
 * What browsers are told about every answer.
 *
 * **Details**
 *
 * What a handler has set stands. An answer of the API is data: no page may frame it, run anything of it, or keep it. The page
 * of the interactive documentation brings its script and styles with it, and calls wherever its reader tells it to.
 */
import type { HttpServerResponse } from "effect/http"

const data = "default-src 'none'; frame-ancestors 'none'"

const page = [
  "default-src 'none'",
  "script-src 'self' 'unsafe-inline'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "connect-src *",
  "worker-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'"
].join("; ")

/** A year, as the preload lists ask for. */
const transport = "max-age=31536000; includeSubDomains"

export interface Circumstances {
  /** The client came over TLS, here or at a trusted proxy. */
  readonly secure: boolean
  /** The answer is for one caller. */
  readonly personal: boolean
  readonly etag: string | undefined
}

/** Adds to `added` what the answer does not have. */
export const add = (
  added: Record<string, string>,
  { headers }: HttpServerResponse.HttpServerResponse,
  { etag, personal, secure }: Circumstances
): void => {
  const put = (name: string, value: string) => {
    if (headers[name] === undefined) added[name] = value
  }
  put("x-content-type-options", "nosniff")
  put("referrer-policy", "no-referrer")
  put("content-security-policy", headers["content-type"]?.startsWith("text/html") === true ? page : data)
  // With an entity tag it may be kept and has to be asked for again (RFC 9111 section 5.2.2.4).
  if (personal) put("cache-control", etag === undefined ? "no-store" : "private, no-cache")
  if (secure) put("strict-transport-security", transport)
}
