/**
 * What an `Idempotency-Key` says and what it stands for (draft-ietf-httpapi-idempotency-key-header-07).
 *
 * **Details**
 *
 * The draft wants a string in quotes (RFC 9651 section 3.3.3); many clients send it bare, and both forms of one text are the
 * same key. The fingerprint of a call is over its method, path, query and body. Of a body that is not JSON its type, its length and
 * its `Content-Digest` (RFC 9530) stand for it: an upload may be larger than memory.
 */
import { Effect } from "effect"
import type { HttpServerRequest } from "effect/http"
import type { HttpServerError } from "effect/http/HttpServerError"
import { createHash } from "node:crypto"

const maxLength = 255

const quoted = /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/
const bare = /^[\x21\x23-\x7e]+$/

export const expectation = `idempotency-key: a text of 1 to ${maxLength} visible ASCII characters, in quotes or without`

/** The key; nothing when the header is none. */
export const parse = (header: string): string | undefined => {
  const text = header.trim()
  const inQuotes = quoted.exec(text)?.[1]?.replaceAll(/\\(["\\])/g, "$1")
  const key = inQuotes ?? (bare.test(text) ? text : undefined)
  return key === undefined || key.length === 0 || key.length > maxLength ? undefined : key
}

const isJson = (contentType: string | undefined): boolean =>
  contentType === undefined || /^[a-z]+\/(?:[a-z0-9.+-]+\+)?json\s*(?:;|$)/i.test(contentType)

/** SHA-256 of what the call is, in hexadecimal. Reads the body, which stays readable. */
export const fingerprintOf = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<string, HttpServerError> => {
  const { headers, method, url } = request
  const hash = createHash("sha256").update(`${method}\n${url}\n`)
  if (!isJson(headers["content-type"])) {
    // A form has another boundary each time that it is sent.
    const [mediaType = ""] = (headers["content-type"] ?? "").split(";")
    const described = [mediaType, ...["content-length", "content-digest"].map((name) => headers[name] ?? "")]
    return Effect.sync(() => hash.update(described.join("\n")).digest("hex"))
  }
  return Effect.map(request.arrayBuffer, (body) => hash.update(new Uint8Array(body)).digest("hex"))
}
