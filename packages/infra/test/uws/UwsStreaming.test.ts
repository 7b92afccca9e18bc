import { Buffer } from "node:buffer"
import { expect, it } from "@effect/vitest"
import * as UwsHttpServer from "@beckon/infra/uws/UwsHttpServer"
import { UwsServer } from "@beckon/infra/uws/UwsServer"
import { Deferred, Effect, Layer, Stream } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { serving } from "./HttpContract.ts"
import { rawClient, requestHead } from "./RawClient.ts"

const server = UwsHttpServer.layer().pipe(
  Layer.provide(UwsServer.layer({ host: "127.0.0.1", port: 0, maxBodyBytes: 200_000_000 }))
)

const pieces = 800
const piece = Buffer.alloc(65_536, "x")

for (const kind of ["chunked", "counted"] as const) {
  it.live(`a slow reader holds a ${kind} response back instead of filling memory`, () =>
    Effect.scoped(
      Effect.gen(function* () {
        let produced = 0
        const { port } = yield* serving([
          HttpRouter.route(
            "GET",
            "/down",
            HttpServerResponse.stream(
              Stream.range(1, pieces).pipe(
                Stream.rechunk(1),
                Stream.map(() => {
                  produced++
                  return piece
                })
              ),
              kind === "counted" ? { contentLength: pieces * piece.length } : {}
            )
          ),
          // Answered only when the event loop is free, after the stream has come to rest.
          HttpRouter.route(
            "GET",
            "/produced",
            Effect.sync(() => HttpServerResponse.text(`<${produced}>`))
          )
        ])
        const before = process.memoryUsage().rss
        const client = yield* rawClient(port)
        client.socket.pause()
        client.write(requestHead("GET /down"))
        let last = -1
        const settle = Effect.gen(function* () {
          const other = yield* rawClient(port)
          other.write(requestHead("GET /produced"))
          const answer = yield* other.until((received) => received.endsWith(">"))
          const now = Number(/<(\d+)>/.exec(answer)?.[1])
          const still = now > 0 && now === last
          last = now
          return still
        }).pipe(Effect.scoped)
        yield* Effect.repeat(settle, { until: (still) => still })
        // The kernel's buffers of both ends hold a few MB; the rest has not been produced.
        expect(last).toBeLessThan(pieces / 2)
        expect(process.memoryUsage().rss - before).toBeLessThan(30_000_000)

        let received = 0
        client.socket.removeAllListeners("data")
        yield* Effect.callback<void>((resume) => {
          client.socket.on("data", (data: string) => {
            received += data.length
            if (data.endsWith("0\r\n\r\n") || received > pieces * piece.length) resume(Effect.void)
          })
          client.socket.resume()
        })
        expect(received).toBeGreaterThan(pieces * piece.length)
        expect(produced).toBe(pieces)
      })
    ).pipe(Effect.provide(server))
  )
}

it.live("a handler that does not read holds its upload back", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const read = yield* Deferred.make<void>()
      const { port } = yield* serving([
        HttpRouter.route(
          "POST",
          "/up",
          Effect.gen(function* () {
            yield* Deferred.await(read)
            const request = yield* HttpServerRequest.HttpServerRequest
            const bytes = yield* Stream.runFold(
              request.stream,
              () => 0,
              (sum, chunk) => sum + chunk.length
            )
            return HttpServerResponse.text(`<${bytes}>`)
          })
        )
      ])
      const total = 50_000_000
      const client = yield* rawClient(port)
      client.write(requestHead("POST /up", [`Content-Length: ${total}`]))
      const body = Buffer.alloc(total, "x")
      // Node reports here what its own kernel buffers did not take.
      yield* Effect.callback<void>((resume) => {
        client.socket.write(body)
        let left = -1
        const look = () => {
          if (client.socket.writableLength === left && left > 0 && client.socket.bytesWritten > 0)
            return resume(Effect.void)
          left = client.socket.writableLength
          setImmediate(() => setImmediate(look))
        }
        look()
      })
      expect(client.socket.writableLength).toBeGreaterThan(total / 2)
      yield* Deferred.succeed(read, undefined)
      expect(yield* client.until((received) => received.endsWith(">"))).toContain(`<${total}>`)
    })
  ).pipe(Effect.provide(server))
)

it.live("a client that goes away ends the stream that feeds it", () =>
  Effect.scoped(
    Effect.gen(function* () {
      const ended = yield* Deferred.make<void>()
      const { port } = yield* serving([
        HttpRouter.route(
          "GET",
          "/endless",
          HttpServerResponse.stream(
            Stream.concat(Stream.make(Buffer.from("first")), Stream.never).pipe(
              Stream.ensuring(Deferred.succeed(ended, undefined))
            )
          )
        )
      ])
      const client = yield* rawClient(port)
      client.write(requestHead("GET /endless"))
      yield* client.until((received) => received.includes("first"))
      client.socket.destroy()
      yield* Deferred.await(ended)
    })
  ).pipe(Effect.provide(server))
)
