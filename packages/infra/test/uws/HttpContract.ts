import { Buffer } from "node:buffer"
import { createHash } from "node:crypto"
import { connect } from "node:net"
import { Readable } from "node:stream"
import { expect, it } from "@effect/vitest"
import { Deferred, Effect, FileSystem, type Layer, Option, type Scope, Stream } from "effect"
import type { HttpPlatform } from "effect/http"
import {
  HttpBody,
  HttpMiddleware,
  HttpRouter,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse,
  Multipart
} from "effect/http"
import type * as Etag from "effect/http/Etag"
import type * as Path from "effect/Path"
import { rawClient, rawExchange, requestHead } from "./RawClient.ts"

type ServerServices =
  | HttpServer.HttpServer
  | HttpPlatform.HttpPlatform
  | FileSystem.FileSystem
  | Path.Path
  | Etag.Generator

/** Serves `routes` and gives the base address and port. */
export const serving = Effect.fnUntraced(function* <E, R>(routes: ReadonlyArray<HttpRouter.Route<E, R>>) {
  const app = yield* HttpRouter.toHttpEffect(HttpRouter.addAll(routes))
  const server = yield* HttpServer.HttpServer
  yield* server.serve(app, HttpMiddleware.cors({ allowedOrigins: ["https://app.test"] }))
  const base = HttpServer.formatAddress(server.address)
  return { base, port: Number(new URL(base).port) }
})

export const get = (url: string, init: RequestInit = {}) =>
  Effect.promise(async (signal) => {
    const response = await fetch(url, { signal, ...init })
    return { status: response.status, headers: response.headers, text: await response.text() }
  })

const request = HttpServerRequest.HttpServerRequest

/** What every HTTP server of this house must do; the layer decides which one. */
export const httpContract = (server: Layer.Layer<ServerServices, unknown>): void => {
  const live = (name: string, test: () => Effect.Effect<void, unknown, ServerServices | Scope.Scope>) =>
    it.live(name, () => Effect.scoped(test()).pipe(Effect.provide(server)))

  live("answers text with its length and type", () =>
    Effect.gen(function* () {
      const { base } = yield* serving([HttpRouter.route("GET", "/text", HttpServerResponse.text("grüße"))])
      const response = yield* get(`${base}/text`)
      expect(response.status).toBe(200)
      expect(response.text).toBe("grüße")
      expect(response.headers.get("content-length")).toBe("7")
      expect(response.headers.get("content-type")).toBe("text/plain")
    })
  )

  live("answers an unknown path with effect/http's 404 and a failing handler with 500", () =>
    Effect.gen(function* () {
      const { base } = yield* serving([HttpRouter.route("GET", "/broken", Effect.die("broken"))])
      expect((yield* get(`${base}/unknown`)).status).toBe(404)
      expect((yield* get(`${base}/broken`)).status).toBe(500)
      expect((yield* get(`${base}/unknown`)).status).toBe(404)
    })
  )

  live("passes method, target, query, headers, cookies and the peer's address", () =>
    Effect.gen(function* () {
      const { base } = yield* serving([
        HttpRouter.route(
          "PATCH",
          "/items/:id",
          Effect.gen(function* () {
            const r = yield* request
            return HttpServerResponse.jsonUnsafe({
              method: r.method,
              url: r.url,
              id: (yield* HttpRouter.params)["id"],
              custom: r.headers["x-custom"],
              cookies: r.cookies,
              address: Option.getOrNull(r.remoteAddress)
            })
          })
        )
      ])
      const response = yield* get(`${base}/items/7?a=1&b=%20x`, {
        method: "PATCH",
        headers: { "X-Custom": "Yes", cookie: "a=1; b=two" }
      })
      expect(JSON.parse(response.text)).toEqual({
        method: "PATCH",
        url: "/items/7?a=1&b=%20x",
        id: "7",
        custom: "Yes",
        cookies: { a: "1", b: "two" },
        address: "127.0.0.1"
      })
    })
  )

  live("reads json, text, form and empty bodies, and the same body twice", () =>
    Effect.gen(function* () {
      const { base } = yield* serving([
        HttpRouter.route(
          "POST",
          "/json",
          Effect.gen(function* () {
            const r = yield* request
            return HttpServerResponse.jsonUnsafe({ json: yield* r.json, text: yield* r.text })
          })
        ),
        HttpRouter.route(
          "POST",
          "/form",
          Effect.gen(function* () {
            return HttpServerResponse.jsonUnsafe([...(yield* (yield* request).urlParamsBody)])
          })
        ),
        HttpRouter.route(
          "POST",
          "/text",
          Effect.gen(function* () {
            return HttpServerResponse.text(`<${yield* (yield* request).text}>`)
          })
        )
      ])
      const json = yield* get(`${base}/json`, { method: "POST", body: '{"a":[1,"ü"]}' })
      expect(JSON.parse(json.text)).toEqual({ json: { a: [1, "ü"] }, text: '{"a":[1,"ü"]}' })
      expect((yield* get(`${base}/json`, { method: "POST", body: "{" })).status).toBe(400)
      const form = yield* get(`${base}/form`, { method: "POST", body: new URLSearchParams({ a: "1 2", b: "&" }) })
      expect(JSON.parse(form.text)).toEqual([
        ["a", "1 2"],
        ["b", "&"]
      ])
      expect((yield* get(`${base}/text`, { method: "POST" })).text).toBe("<>")
    })
  )

  live("reads a chunked body that arrives in pieces", () =>
    Effect.gen(function* () {
      const { port } = yield* serving([
        HttpRouter.route(
          "POST",
          "/text",
          Effect.gen(function* () {
            return HttpServerResponse.text(`<${yield* (yield* request).text}>`)
          })
        )
      ])
      const answer = yield* rawExchange(
        port,
        `${requestHead("POST /text", ["Transfer-Encoding: chunked"])}5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n`,
        (received) => received.includes(">")
      )
      expect(answer).toContain("HTTP/1.1 200 OK")
      expect(answer).toContain("<hello world>")
    })
  )

  live("streams 20 MB up without losing a byte", () =>
    Effect.gen(function* () {
      const { base } = yield* serving([
        HttpRouter.route(
          "POST",
          "/up",
          Effect.gen(function* () {
            const hash = createHash("sha256")
            let bytes = 0
            yield* Stream.runForEach((yield* request).stream, (chunk) =>
              Effect.sync(() => {
                hash.update(chunk)
                bytes += chunk.length
              })
            )
            return HttpServerResponse.jsonUnsafe({ bytes, sha: hash.digest("hex") })
          })
        )
      ])
      const body = Buffer.alloc(20_000_000, "0123456789abcdef!")
      const answer = JSON.parse((yield* get(`${base}/up`, { method: "POST", body })).text)
      expect(answer).toEqual({ bytes: body.length, sha: createHash("sha256").update(body).digest("hex") })
    })
  )

  live("reads multipart fields and files", () =>
    Effect.gen(function* () {
      const { base } = yield* serving([
        HttpRouter.route(
          "POST",
          "/multipart",
          Effect.scoped(
            Effect.gen(function* () {
              const fs = yield* FileSystem.FileSystem
              const parts = yield* (yield* request).multipart
              const file = parts["file"]?.[0]
              if (!Multipart.isPersistedFile(file)) return HttpServerResponse.empty({ status: 400 })
              return HttpServerResponse.jsonUnsafe({
                field: parts["field"],
                name: file.name,
                size: String((yield* fs.stat(file.path)).size)
              })
            })
          )
        )
      ])
      const form = new FormData()
      form.append("field", "value")
      form.append("file", new Blob([Buffer.alloc(300_000, 1)]), "data.bin")
      const response = yield* get(`${base}/multipart`, { method: "POST", body: form })
      expect(JSON.parse(response.text)).toEqual({ field: "value", name: "data.bin", size: "300000" })
    })
  )

  live("writes every kind of body", () =>
    Effect.gen(function* () {
      const pieces = ["one,", "two,", "three"].map((text) => Buffer.from(text))
      const form = new FormData()
      form.append("field", "value")
      const { base } = yield* serving([
        HttpRouter.route("GET", "/empty", HttpServerResponse.empty({ status: 200 })),
        HttpRouter.route("GET", "/none", HttpServerResponse.empty()),
        HttpRouter.route("GET", "/bytes", HttpServerResponse.uint8Array(Buffer.alloc(3_000_000, 7))),
        HttpRouter.route("GET", "/stream", HttpServerResponse.stream(Stream.fromIterable(pieces))),
        HttpRouter.route(
          "GET",
          "/counted",
          HttpServerResponse.stream(Stream.fromIterable(pieces), { contentLength: 13 })
        ),
        HttpRouter.route(
          "GET",
          "/readable",
          Effect.sync(() => HttpServerResponse.raw(Readable.from(pieces)))
        ),
        HttpRouter.route("GET", "/raw", HttpServerResponse.raw("raw text")),
        HttpRouter.route(
          "GET",
          "/form",
          Effect.succeed(HttpServerResponse.setBody(HttpServerResponse.empty({ status: 200 }), HttpBody.formData(form)))
        )
      ])
      const empty = yield* get(`${base}/empty`)
      expect([empty.status, empty.text]).toEqual([200, ""])
      const none = yield* get(`${base}/none`)
      expect([none.status, none.headers.get("content-length")]).toEqual([204, null])
      expect((yield* get(`${base}/bytes`)).text).toBe("\u0007".repeat(3_000_000))
      const stream = yield* get(`${base}/stream`)
      expect([stream.text, stream.headers.get("transfer-encoding")]).toEqual(["one,two,three", "chunked"])
      const counted = yield* get(`${base}/counted`)
      expect([counted.text, counted.headers.get("content-length")]).toEqual(["one,two,three", "13"])
      expect((yield* get(`${base}/readable`)).text).toBe("one,two,three")
      expect((yield* get(`${base}/raw`)).text).toBe("raw text")
      const formResponse = yield* get(`${base}/form`)
      expect(formResponse.headers.get("content-type")).toContain("multipart/form-data; boundary=")
      expect(formResponse.text).toContain('name="field"')
    })
  )

  live("serves files through HttpPlatform", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* fs.makeTempFileScoped({ suffix: ".html" })
      yield* fs.writeFileString(path, "<p>page</p>".repeat(20_000))
      const { base } = yield* serving([HttpRouter.route("GET", "/page", HttpServerResponse.file(path))])
      const response = yield* get(`${base}/page`)
      expect(response.text).toBe("<p>page</p>".repeat(20_000))
      expect(response.headers.get("content-type")).toContain("text/html")
      expect(response.headers.get("content-length")).toBe("220000")
    })
  )

  live("sets cookies one header each, and keeps CORS middleware working", () =>
    Effect.gen(function* () {
      const { base } = yield* serving([
        HttpRouter.route(
          "GET",
          "/cookies",
          HttpServerResponse.text("ok").pipe(
            HttpServerResponse.setCookieUnsafe("a", "1", { httpOnly: true }),
            HttpServerResponse.setCookieUnsafe("b", "2")
          )
        )
      ])
      const response = yield* get(`${base}/cookies`, { headers: { origin: "https://app.test" } })
      expect(response.headers.getSetCookie()).toEqual(["a=1; HttpOnly", "b=2"])
      expect(response.headers.get("access-control-allow-origin")).toBe("https://app.test")
      expect((yield* get(`${base}/cookies`, { method: "OPTIONS" })).status).toBe(204)
    })
  )

  live("answers HEAD with the length of GET and keeps the connection usable", () =>
    Effect.gen(function* () {
      const { port } = yield* serving([HttpRouter.route("GET", "/text", HttpServerResponse.text("hello"))])
      const answer = yield* rawExchange(
        port,
        requestHead("HEAD /text") + requestHead("GET /text", ["Connection: close"]),
        (received) => received.endsWith("hello")
      )
      const [head = "", next = ""] = answer.split("\r\n\r\n")
      expect(head.toLowerCase()).toContain("content-length: 5")
      expect(next).toContain("HTTP/1.1 200 OK")
      expect(answer.match(/hello/g)).toHaveLength(1)
    })
  )

  live("answers several requests on one connection", () =>
    Effect.gen(function* () {
      const { port } = yield* serving([
        HttpRouter.route(
          "POST",
          "/text",
          Effect.gen(function* () {
            return HttpServerResponse.text(`<${yield* (yield* request).text}>`)
          })
        ),
        // Leaves its body unread.
        HttpRouter.route("POST", "/ignore", HttpServerResponse.text("<ignored>"))
      ])
      const answers = yield* Effect.callback<string>((resume) => {
        let received = ""
        const send = [
          `${requestHead("POST /text", ["Content-Length: 3"])}one`,
          `${requestHead("POST /ignore", ["Content-Length: 100000"])}${"x".repeat(100_000)}`,
          `${requestHead("POST /text", ["Content-Length: 3"])}two`
        ]
        const socket = connect(port, "127.0.0.1", () => socket.write(send.shift() ?? ""))
        socket.on("data", (data) => {
          received += data.toString("latin1")
          if (!received.endsWith(">")) return
          const next = send.shift()
          if (next === undefined) socket.destroy()
          else socket.write(next)
        })
        socket.on("close", () => resume(Effect.succeed(received)))
      })
      expect(answers.match(/<\w+>/g)).toEqual(["<one>", "<ignored>", "<two>"])
    })
  )

  live("interrupts the handler when the client goes away", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const interrupted = yield* Deferred.make<void>()
      const { base } = yield* serving([
        HttpRouter.route(
          "GET",
          "/wait",
          Deferred.succeed(started, undefined).pipe(
            Effect.andThen(Effect.never),
            Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
          )
        )
      ])
      const controller = new AbortController()
      fetch(`${base}/wait`, { signal: controller.signal }).catch(() => {})
      yield* Deferred.await(started)
      controller.abort()
      yield* Deferred.await(interrupted)
    })
  )

  live("refuses response headers that would split the response", () =>
    Effect.gen(function* () {
      const { base } = yield* serving([
        HttpRouter.route("GET", "/split", HttpServerResponse.text("x", { headers: { "x-a": "1\r\nx-evil: 2" } }))
      ])
      const response = yield* get(`${base}/split`)
      expect(response.status).toBe(500)
      expect(response.headers.get("x-evil")).toBeNull()
    })
  )

  live("cuts the connection when a streamed body fails half way", () =>
    Effect.gen(function* () {
      const seen = yield* Deferred.make<void>()
      const { port } = yield* serving([
        HttpRouter.route(
          "GET",
          "/half",
          HttpServerResponse.stream(
            Stream.concat(
              Stream.make(Buffer.from("half")),
              Stream.fromEffect(Effect.andThen(Deferred.await(seen), Effect.fail("broken")))
            )
          )
        )
      ])
      const client = yield* rawClient(port)
      client.write(requestHead("GET /half"))
      yield* client.until((received) => received.includes("half"))
      yield* Deferred.succeed(seen, undefined)
      expect(yield* client.closed).not.toContain("0\r\n\r\n")
    })
  )

  live("does not take malformed HTTP for a request and goes on serving", () =>
    Effect.gen(function* () {
      const { base, port } = yield* serving([HttpRouter.route("GET", "/text", HttpServerResponse.text("hello"))])
      const malformed = yield* rawClient(port)
      malformed.write("GET /text HTTP/1.1\r\nno colon here\r\n\r\n")
      const smuggled = yield* rawExchange(
        port,
        `${requestHead("POST /text", ["Content-Length: 4", "Transfer-Encoding: chunked"])}0\r\n\r\n`
      )
      expect(smuggled).toMatch(/^HTTP\/1.1 400 /)
      const twoLengths = yield* rawExchange(
        port,
        `${requestHead("POST /text", ["Content-Length: 3", "Content-Length: 5"])}abcde`,
        (received) => received.includes("400")
      )
      expect(twoLengths).toMatch(/^HTTP\/1.1 400 /)
      expect((yield* get(`${base}/text`)).text).toBe("hello")
      expect(yield* malformed.until(() => true)).not.toContain("hello")
    })
  )
}
