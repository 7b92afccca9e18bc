/**
 * effect/http's `HttpServerRequest` over an `Exchange`. Views made by `modify` share the one body.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Cookies from "effect/http/Cookies"
import * as Headers from "effect/http/Headers"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import { HttpServerError, InternalError, RequestParseError } from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Multipart from "effect/http/Multipart"
import * as UrlParams from "effect/http/UrlParams"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import type * as Record from "effect/Record"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import type { Exchange } from "./UwsExchange.ts"
import type { BodyFailure } from "./UwsRequestBody.ts"

interface Overrides {
  readonly url?: string | undefined
  readonly headers?: Headers.Headers | undefined
  readonly remoteAddress?: Option.Option<string> | undefined
  readonly peerAddress?: Option.Option<string> | undefined
  readonly protocol?: "http" | "https" | undefined
}

type PersistedMultipart = Effect.Effect<
  Multipart.Persisted,
  Multipart.MultipartError,
  Scope.Scope | FileSystem.FileSystem | Path.Path
>

const textDecoder = new TextDecoder()
const formDecoder = new TextDecoder("utf-8", { ignoreBOM: true })
const noBody = Effect.sync(() => new ArrayBuffer(0))

export class UwsHttpRequest extends Inspectable.Class implements HttpServerRequest.HttpServerRequest {
  readonly [HttpServerRequest.TypeId]: typeof HttpServerRequest.TypeId = HttpServerRequest.TypeId
  readonly [HttpIncomingMessage.TypeId]: typeof HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly source: Exchange
  readonly method: string
  readonly url: string
  readonly headers: Headers.Headers
  readonly protocol: "http" | "https" | undefined
  private readonly overrides: Overrides
  private cachedCookies: Record.ReadonlyRecord<string, string> | undefined
  private cachedMultipart: PersistedMultipart | undefined

  constructor(source: Exchange, overrides: Overrides = {}) {
    super()
    this.source = source
    this.overrides = overrides
    this.method = source.method
    this.url = overrides.url ?? source.target
    this.headers = overrides.headers ?? Headers.fromRecordUnsafe(source.headers)
    this.protocol = overrides.protocol
  }

  get originalUrl(): string {
    const host = this.source.headers["host"]
    return host === undefined ? this.source.target : `http://${host}${this.source.target}`
  }

  get remoteAddress(): Option.Option<string> {
    return (
      this.overrides.remoteAddress ??
      (this.source.remoteAddress === "" ? Option.none() : Option.some(this.source.remoteAddress))
    )
  }

  get peerAddress(): Option.Option<string> {
    return this.overrides.peerAddress ?? this.remoteAddress
  }

  get cookies(): Record.ReadonlyRecord<string, string> {
    return (this.cachedCookies ??= Cookies.parseHeader(this.headers["cookie"] ?? ""))
  }

  modify(options: Overrides): UwsHttpRequest {
    return new UwsHttpRequest(this.source, {
      url: options.url ?? this.url,
      headers: options.headers ?? this.headers,
      remoteAddress: "remoteAddress" in options ? options.remoteAddress : this.overrides.remoteAddress,
      peerAddress: options.peerAddress ?? this.overrides.peerAddress,
      protocol: options.protocol ?? this.protocol
    })
  }

  get arrayBuffer(): Effect.Effect<ArrayBuffer, HttpServerError> {
    const { body } = this.source
    if (body === undefined) return noBody
    return Effect.withFiber((fiber) => {
      const maxBytes = fiber.getRef(HttpIncomingMessage.MaxBodySize)
      return Effect.mapError(
        body.collect(maxBytes === undefined ? Number.POSITIVE_INFINITY : Number(maxBytes)),
        (failure) => this.bodyError(failure)
      )
    })
  }

  get text(): Effect.Effect<string, HttpServerError> {
    return Effect.map(this.arrayBuffer, (bytes) => textDecoder.decode(bytes))
  }

  get json(): Effect.Effect<Schema.Json, HttpServerError> {
    return Effect.flatMap(this.text, (text) =>
      Effect.try({
        try: (): Schema.Json => (text === "" ? null : JSON.parse(text)),
        catch: (cause) =>
          new HttpServerError({ reason: new RequestParseError({ request: this, reason: "Parse", cause }) })
      })
    )
  }

  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams, HttpServerError> {
    // A leading "?" is form data; URLSearchParams would drop it as a query prefix.
    return Effect.map(this.arrayBuffer, (bytes) =>
      UrlParams.fromInput(new URLSearchParams(formDecoder.decode(bytes).replace(/^\?/, "%3F")))
    )
  }

  get stream(): Stream.Stream<Uint8Array, HttpServerError> {
    const { body } = this.source
    if (body === undefined) return Stream.empty
    return Stream.mapError(Stream.fromPull(body.open), (failure) => this.bodyError(failure))
  }

  get multipartStream(): Stream.Stream<Multipart.Part, Multipart.MultipartError> {
    return Stream.pipeThroughChannel(
      Stream.mapError(this.stream, (cause) =>
        Multipart.MultipartError.fromReason(
          cause.reason._tag === "RequestParseError" && cause.reason.reason === "BodyTooLarge"
            ? "BodyTooLarge"
            : "InternalError",
          cause
        )
      ),
      Multipart.makeChannel(this.headers)
    )
  }

  get multipart(): PersistedMultipart {
    // `cached` builds a closure and runs nothing, so that a synchronous run cannot fail or wait.
    return (this.cachedMultipart ??= Effect.runSync(Effect.cached(Multipart.toPersisted(this.multipartStream))))
  }

  get upgrade(): Effect.Effect<Socket.Socket, HttpServerError> {
    return Effect.fail(
      new HttpServerError({
        reason: new InternalError({
          request: this,
          description:
            "uWebSockets.js cannot upgrade inside an HTTP handler; register the path with UwsServer.websocket"
        })
      })
    )
  }

  upgradeWith(): Effect.Effect<Socket.Socket, HttpServerError> {
    return this.upgrade
  }

  override toString(): string {
    return `UwsHttpRequest(${this.method} ${UrlParams.redactUrl(this.url)})`
  }

  toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, {
      _id: "HttpServerRequest",
      method: this.method,
      url: UrlParams.redactUrl(this.originalUrl)
    })
  }

  private bodyError(failure: BodyFailure): HttpServerError {
    return new HttpServerError({
      reason: new RequestParseError({
        request: this,
        reason: failure === "TooLarge" ? "BodyTooLarge" : "Parse",
        description: bodyFailureText[failure]
      })
    })
  }
}

const bodyFailureText: Record.ReadonlyRecord<BodyFailure, string> = {
  TooLarge: "The request body is too large",
  Aborted: "The client went away before the request body was complete",
  TimedOut: "The request body did not arrive in time",
  AlreadyRead: "The request body was already read as a stream"
}
