/**
 * What an `Idempotency-Key` says and what it stands for (draft-ietf-httpapi-idempotency-key-header-07).
 *
 * **Details**
 *
 * The draft wants a string in quotes (RFC 9651 section 3.3.3); many clients send it bare, and both forms of one text are the
 * same key. The fingerprint of a call is over its method, path, query and body.
 *
 * **Gotchas**
 *
 * What may be larger than memory has no fingerprint here: a `StreamedBody` endpoint knows its calls itself.
 */
import { ByteSize, Effect } from "effect"
import { MaxBodySize } from "effect/http/HttpIncomingMessage"
import type { HttpServerRequest } from "effect/http"
import type { HttpServerError } from "effect/http/HttpServerError"
import { BodyTooLarge } from "@beckon/domain/api/CallbackApi"
import { BadRequest } from "@beckon/domain/Problem"
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

/** Bytes of a body that is read to tell calls apart; a larger one only an endpoint takes that reads it as it comes. */
const maxBodyBytes = 1_048_576

const maxBodySize = ByteSize.bytes(maxBodyBytes)

const hasBody = ({ headers }: HttpServerRequest.HttpServerRequest): boolean =>
  headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0"

const bodyProblem = ({ reason }: HttpServerError) =>
  reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge"
    ? new BodyTooLarge({ detail: `body: at most ${maxBodyBytes} bytes` })
    : new BadRequest({ detail: "The request body could not be read to its end" })

/** SHA-256 of what the call is, in hexadecimal. Reads the body, which stays readable. */
export const fingerprintOf = (
  request: HttpServerRequest.HttpServerRequest
): Effect.Effect<string, BadRequest | BodyTooLarge> => {
  const { method, url } = request
  const hash = createHash("sha256").update(`${method}\n${url}\n`)
  if (!hasBody(request)) return Effect.sync(() => hash.digest("hex"))
  return request.arrayBuffer.pipe(
    Effect.provideService(MaxBodySize, maxBodySize),
    Effect.mapBoth({ onFailure: bodyProblem, onSuccess: (body) => hash.update(new Uint8Array(body)).digest("hex") })
  )
}
