import { expect, it } from "@effect/vitest"
import * as UwsHttpServer from "@beckon/infra/uws/UwsHttpServer"
import { UwsServer, type UwsServerOptions } from "@beckon/infra/uws/UwsServer"
import { Deferred, Effect, Layer, type Scope } from "effect"
import { HttpRouter, type HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { get, serving } from "./HttpContract.ts"
import { rawClient, rawExchange, requestHead } from "./RawClient.ts"

const limited = (options: Partial<UwsServerOptions>) =>
  UwsHttpServer.layer().pipe(Layer.provide(UwsServer.layer({ host: "127.0.0.1", port: 0, ...options })))

const live = (
  name: string,
  options: Partial<UwsServerOptions>,
  test: () => Effect.Effect<void, unknown, HttpServer.HttpServer | Scope.Scope>
) => it.live(name, () => Effect.scoped(test()).pipe(Effect.provide(limited(options))))

const length = HttpRouter.route(
  "POST",
  "/length",
  Effect.gen(function* () {
    const body = yield* (yield* HttpServerRequest.HttpServerRequest).arrayBuffer
    return HttpServerResponse.text(`<${body.byteLength}>`)
  })
)
const hello = HttpRouter.route("GET", "/hello", HttpServerResponse.text("hello"))

const problem = (answer: string): unknown => JSON.parse(answer.slice(answer.indexOf("{"), answer.lastIndexOf("}") + 1))

live("refuses a declared body over the limit with 413 that names it", { maxBodyBytes: 1000 }, () =>
  Effect.gen(function* () {
    const { base } = yield* serving([length])
    const refused = yield* get(`${base}/length`, { method: "POST", body: "x".repeat(1001) })
    expect(refused.status).toBe(413)
    expect(refused.headers.get("content-type")).toBe("application/problem+json")
    expect(JSON.parse(refused.text)).toEqual({
      type: "about:blank",
      status: 413,
      title: "Payload Too Large",
      detail: "The request body is larger than 1000 bytes.",
      limit: "maxBodyBytes",
      maxBodyBytes: 1000
    })
    expect((yield* get(`${base}/length`, { method: "POST", body: "x".repeat(1000) })).text).toBe("<1000>")
    // Large enough that the client is still sending when the answer comes.
    expect((yield* get(`${base}/length`, { method: "POST", body: "x".repeat(3_000_000) })).status).toBe(413)
  })
)

live("refuses a chunked body once it passes the limit", { maxBodyBytes: 1000 }, () =>
  Effect.gen(function* () {
    const { base, port } = yield* serving([length, hello])
    const chunk = `1f4\r\n${"x".repeat(500)}\r\n`
    const answer = yield* rawExchange(
      port,
      `${requestHead("POST /length", ["Transfer-Encoding: chunked"])}${chunk}${chunk}${chunk}0\r\n\r\n`,
      (received) => received.endsWith("0\r\n\r\n")
    )
    expect(answer).toMatch(/^HTTP\/1.1 413 /)
    expect(problem(answer)).toMatchObject({ status: 413, limit: "maxBodyBytes", maxBodyBytes: 1000 })
    const fits = yield* rawExchange(
      port,
      `${requestHead("POST /length", ["Transfer-Encoding: chunked"])}${chunk}${chunk}0\r\n\r\n`,
      (received) => received.includes(">")
    )
    expect(fits).toContain("<1000>")
    expect((yield* get(`${base}/hello`)).text).toBe("hello")
  })
)

live("refuses too many and too large headers with 431", { maxHeaderBytes: 2000, maxHeaderCount: 20 }, () =>
  Effect.gen(function* () {
    const { port } = yield* serving([hello])
    const done = (received: string) => received.includes("}") || received.includes("hello")
    const many = yield* rawExchange(
      port,
      requestHead(
        "GET /hello",
        Array.from({ length: 20 }, (_, i) => `X-${i}: a`)
      ),
      done
    )
    expect(many).toMatch(/^HTTP\/1.1 431 /)
    expect(problem(many)).toMatchObject({ limit: "maxHeaderCount", maxHeaderCount: 20 })
    const large = yield* rawExchange(port, requestHead("GET /hello", [`X-Large: ${"a".repeat(2000)}`]), done)
    expect(problem(large)).toMatchObject({ limit: "maxHeaderBytes", maxHeaderBytes: 2000 })
    const target = yield* rawExchange(port, requestHead(`GET /hello?${"a".repeat(2000)}`), done)
    expect(target).toMatch(/^HTTP\/1.1 431 /)
    expect(yield* rawExchange(port, requestHead("GET /hello", ["X-Small: a"]), done)).toContain("hello")
    // Beyond what the binding itself can hold.
    const huge = yield* rawExchange(port, requestHead("GET /hello", [`X-Huge: ${"a".repeat(60_000)}`]))
    expect(huge).toMatch(/^HTTP\/1.1 431 /)
  })
)

live("gives 408 to a body that does not arrive in time", { bodyTimeout: "500 millis" }, () =>
  Effect.gen(function* () {
    const { base, port } = yield* serving([length, hello])
    const client = yield* rawClient(port)
    client.write(`${requestHead("POST /length", ["Content-Length: 100"])}some`)
    const answer = yield* client.until((received) => received.includes("}"))
    expect(answer).toMatch(/^HTTP\/1.1 408 /)
    expect(problem(answer)).toMatchObject({ limit: "bodyTimeoutMillis", bodyTimeoutMillis: 500 })
    expect((yield* get(`${base}/hello`)).text).toBe("hello")
  })
)

live("gives 503 when the handler takes too long, and interrupts it", { handlerTimeout: "500 millis" }, () =>
  Effect.gen(function* () {
    const interrupted = yield* Deferred.make<void>()
    const { base } = yield* serving([
      HttpRouter.route(
        "GET",
        "/slow",
        Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
      )
    ])
    const response = yield* get(`${base}/slow`)
    expect(response.status).toBe(503)
    expect(JSON.parse(response.text)).toMatchObject({ limit: "handlerTimeoutMillis", handlerTimeoutMillis: 500 })
    yield* Deferred.await(interrupted)
  })
)
