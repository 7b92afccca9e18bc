/**
 * Writes effect/http responses to an `Exchange`.
 *
 * **Details**
 *
 * Small bodies go out with their head in one write. Everything else waits for the socket between pieces of at most
 * 64 KiB, so that a slow reader costs one piece and not the body. A body with a declared length is sent with
 * `content-length`, others chunked. A body that fails or does not have the length it declared cuts the connection:
 * ending it normally would make a part look whole.
 */
import { Buffer } from "node:buffer"
import { Readable } from "node:stream"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { causeResponse, HttpServerError, ResponseError } from "effect/http/HttpServerError"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Response from "effect/http/HttpServerResponse"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import { BodyWriter, pieceBytes } from "./UwsBodyWriter.ts"
import type { Exchange } from "./UwsExchange.ts"
import { statusLine } from "./UwsProblem.ts"
import { type Head, headOf, writeHead } from "./UwsResponseHead.ts"

/** Sends `response` as the answer of `exchange`; succeeds when the socket took all of it, or is gone. */
export const sendResponse = (
  exchange: Exchange,
  request: HttpServerRequest,
  response: HttpServerResponse
): Effect.Effect<void, HttpServerError> => {
  if (exchange.answered || exchange.headWritten) return dropBody(response)
  try {
    return writeResponse(exchange, request, response)
  } catch (defect) {
    return Effect.andThen(dropBody(response), answerCause(exchange, response, Cause.die(defect)))
  }
}

const writeResponse = (
  exchange: Exchange,
  request: HttpServerRequest,
  response: HttpServerResponse
): Effect.Effect<void, HttpServerError> => {
  const { body } = response
  if (exchange.method === "HEAD" || Response.omitsBody(response)) {
    const head = headOf(response)
    exchange.end((res, close) => {
      writeHead(exchange, res, head)
      // Given any argument the binding waits for bytes that never come, so that these are plain headers.
      if (head.length !== undefined && response.status !== 204 && response.status !== 205) {
        res.writeHeader("content-length", head.length)
      }
      if (close || head.closes) res.writeHeader("connection", "close")
      res.endWithoutBody()
    })
    return dropBody(response)
  }
  switch (body._tag) {
    case "Empty":
      return endWith(exchange, response, undefined)
    case "Uint8Array":
      return body.contentLength <= pieceBytes
        ? endWith(exchange, response, body.text ?? body.body)
        : pump(exchange, response, headOf(response, body.contentLength), Stream.succeed(body.body))
    case "Stream":
      return pump(exchange, response, headOf(response), body.stream)
    case "FormData": {
      const encoded = new globalThis.Response(body.formData)
      const contentType = encoded.headers.get("content-type")
      return pump(
        exchange,
        response,
        headOf(contentType === null ? response : Response.setHeader(response, "content-type", contentType)),
        webStream(encoded.body)
      )
    }
    case "Raw": {
      const raw = body.body
      if (typeof raw === "string") return endWith(exchange, response, raw)
      const bytes = raw instanceof ArrayBuffer ? new Uint8Array(raw) : raw
      if (bytes === undefined || bytes === null) return endWith(exchange, response, undefined)
      if (bytes instanceof Uint8Array) {
        return pump(exchange, response, headOf(response, bytes.byteLength), Stream.succeed(bytes))
      }
      const source = rawStream(bytes)
      if (source === undefined) {
        return Effect.fail(
          new HttpServerError({
            reason: new ResponseError({ request, response, description: "The raw response body is of no known kind" })
          })
        )
      }
      return pump(exchange, response, headOf(response), source)
    }
  }
}

const endWith = (
  exchange: Exchange,
  response: HttpServerResponse,
  body: string | Uint8Array | undefined
): Effect.Effect<void> => {
  const head = headOf(response)
  exchange.end((res, close) => {
    writeHead(exchange, res, head)
    res.end(body, close || head.closes)
  })
  return Effect.void
}

const pump = (
  exchange: Exchange,
  response: HttpServerResponse,
  head: Head,
  source: Stream.Stream<Uint8Array, unknown>
): Effect.Effect<void, HttpServerError> => {
  exchange.responding = true
  const total = head.length === undefined ? undefined : Number(head.length)
  const writer = new BodyWriter(exchange, head, total)
  return source.pipe(
    Stream.orDie,
    Stream.runForEachArray((chunks) => writer.writeAll(chunks)),
    Effect.andThen(Effect.suspend(() => writer.complete())),
    Effect.interruptible,
    Effect.catchCause((cause) => answerCause(exchange, response, cause))
  )
}

/** Answers with what `cause` stands for, or cuts the connection when an answer has begun. */
const answerCause = (
  exchange: Exchange,
  original: HttpServerResponse,
  cause: Cause.Cause<never>
): Effect.Effect<never> =>
  Effect.flatMap(causeResponse(cause), ([response, reported]) => {
    const began = exchange.headWritten
    if (began) {
      exchange.abort()
    } else if (!exchange.answered) {
      exchange.end((res, close) => {
        exchange.headWritten = true
        res.writeStatus(statusLine(response.status)).end(undefined, close)
      })
    }
    return Effect.failCause(began ? Cause.combine(cause, Cause.die(original)) : reported)
  })

/** A readable that nobody will read has to be told. */
const dropBody = (response: HttpServerResponse): Effect.Effect<void> => {
  const raw = response.body._tag === "Raw" ? response.body.body : undefined
  return raw instanceof Readable ? Effect.sync(() => void raw.destroy()) : Effect.void
}

const rawStream = (raw: unknown): Stream.Stream<Uint8Array, unknown> | undefined => {
  if (raw instanceof Readable) return readableStream(raw)
  if (raw instanceof ReadableStream) return webStream(raw)
  if (raw instanceof Blob) return webStream(raw.stream())
  if (raw instanceof globalThis.Response) return webStream(raw.body)
  return undefined
}

const readableStream = (readable: Readable): Stream.Stream<Uint8Array, unknown> =>
  Stream.fromAsyncIterable<unknown, unknown>(readable, (cause) => cause).pipe(
    Stream.map(toBytes),
    // The client may go away while nothing is being read.
    Stream.ensuring(Effect.sync(() => void readable.destroy()))
  )

const webStream = (body: ReadableStream<unknown> | null): Stream.Stream<Uint8Array, unknown> =>
  body === null
    ? Stream.empty
    : Stream.map(Stream.fromReadableStream({ evaluate: () => body, onError: (cause) => cause }), toBytes)

const toBytes = (chunk: unknown): Uint8Array => {
  if (chunk instanceof Uint8Array) return chunk
  if (typeof chunk === "string") return Buffer.from(chunk)
  throw new TypeError("The raw response body gives neither bytes nor text")
}
