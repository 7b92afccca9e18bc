/**
 * Which pages may call the API (Fetch, section 3.2): those that the caller's tenant allows.
 *
 * **Details**
 *
 * A preflight has no credential, so its tenant is not known. It is answered for every origin: it tells nothing of anybody, and
 * allows nothing by itself. The call that follows carries a token, and is refused before it does anything when the tenant of the
 * token does not allow the page's origin. Tokens are no cookies: a browser sends none by itself, so a page can only call with a
 * token that it was given.
 *
 * Outside of `/api/` nothing is for other pages, `/dev/token` least of all.
 */
import { HttpServerResponse } from "effect/http"
import type { HttpServerRequest } from "effect/http"

const methods = "GET, HEAD, POST, PUT, PATCH, DELETE"

const exposed = [
  "etag",
  "location",
  "retry-after",
  "ratelimit-limit",
  "ratelimit-policy",
  "ratelimit-remaining",
  "ratelimit-reset",
  "idempotency-replayed",
  "traceparent",
  "x-correlation-id"
].join(", ")

/** Seconds for which a browser need not ask again. */
const maxAge = "600"

/** What a browser may ask to send, and no more of it than fits a header. */
const askedShape = /^[a-z0-9!#$%&'*+.^_`|~\-, ]{1,1024}$/i

const isShared = (url: string): boolean => url.startsWith("/api/")

/** The answer to a preflight, or nothing when it is none. */
export const preflight = (
  request: HttpServerRequest.HttpServerRequest
): HttpServerResponse.HttpServerResponse | undefined => {
  const { headers, method, url } = request
  const origin = headers["origin"]
  if (method !== "OPTIONS" || origin === undefined || headers["access-control-request-method"] === undefined) {
    return undefined
  }
  if (!isShared(url)) return undefined
  const asked = headers["access-control-request-headers"]
  return HttpServerResponse.empty({
    status: 204,
    headers: {
      "access-control-allow-origin": origin,
      "access-control-allow-methods": methods,
      "access-control-max-age": maxAge,
      ...(asked !== undefined && askedShape.test(asked) ? { "access-control-allow-headers": asked } : {}),
      vary: "origin, access-control-request-headers"
    }
  })
}

/** Whether the page is one of ours: it came from the address that it calls. */
const isOwn = (origin: string, host: string | undefined): boolean =>
  host !== undefined && (origin === `http://${host}` || origin === `https://${host}`)

/** Whether a page of this origin may call; `allowed` absent: every page may. */
export const allows = (
  origin: string | undefined,
  host: string | undefined,
  allowed: ReadonlyArray<string> | undefined
): boolean => origin === undefined || allowed === undefined || allowed.includes(origin) || isOwn(origin, host)

/** Adds to `added` what lets the page read the answer. */
export const add = (
  added: Record<string, string>,
  { headers, url }: HttpServerRequest.HttpServerRequest,
  refused: boolean
): void => {
  const origin = headers["origin"]
  if (origin === undefined || !isShared(url)) return
  added["vary"] = "origin"
  if (refused) return
  added["access-control-allow-origin"] = origin
  added["access-control-expose-headers"] = exposed
}
