import { Deferred, Effect, Latch, Layer, Queue, Redacted } from "effect"
import { createServer as createHttp } from "node:http"
import type { IncomingHttpHeaders, RequestListener, ServerResponse } from "node:http"
import { createServer as createHttps } from "node:https"
import { createServer as createRaw } from "node:net"
import type { AddressInfo, Server, Socket } from "node:net"
import { DeliveryId } from "@beckon/domain/Delivery"
import { TenantId } from "@beckon/domain/Identifiers"
import type { Outgoing, WebhookMessage } from "@beckon/domain/ports/ChannelProvider"
import { OutboundPost } from "../../src/webhook/OutboundPost.ts"
import type { OutboundSettings } from "../../src/webhook/OutboundPost.ts"

export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

const listening = (server: Server, host: string) =>
  Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, host, () => resume(Effect.succeed((server.address() as AddressInfo).port)))
    }),
    () => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )

/** Connections of a server, ended with the scope: a server that hangs on purpose would never close. */
const tracked = Effect.fnUntraced(function* (server: Server, host: string) {
  const sockets = new Set<Socket>()
  let connections = 0
  server.on("connection", (socket: Socket) => {
    connections++
    sockets.add(socket)
    socket.on("error", () => undefined)
    socket.on("close", () => sockets.delete(socket))
  })
  const port = yield* listening(server, host)
  yield* Effect.addFinalizer(() => Effect.sync(() => sockets.forEach((socket) => socket.destroy())))
  return { port, connections: () => connections, open: () => sockets.size }
})

/** An HTTP server on loopback that keeps what it gets and answers as it is told. */
export const receiver = Effect.fnUntraced(function* (
  answer: (response: ServerResponse, received: Received) => void,
  tls?: { readonly key: string; readonly cert: string },
  host = "127.0.0.1"
) {
  const received = yield* Queue.unbounded<Received>()
  const listener: RequestListener = (request, response) => {
    const chunks: Array<Buffer> = []
    request.on("error", () => undefined)
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const one = {
        method: request.method ?? "",
        path: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks).toString("utf8")
      }
      Queue.offerUnsafe(received, one)
      answer(response, one)
    })
  }
  const server = tls === undefined ? createHttp(listener) : createHttps(tls, listener)
  const { connections, open, port } = yield* tracked(server, host)
  return { port, connections, open, received, take: Queue.take(received), url: `http://${host}:${port}/hook` }
})

/** A server that writes bytes as it likes, from the moment at which a whole request has come. */
export const rawReceiver = Effect.fnUntraced(function* (answer: (socket: Socket) => void) {
  const asked = yield* Latch.make()
  const closed = yield* Deferred.make<void>()
  const server = createRaw((socket) => {
    socket.on("close", () => Deferred.doneUnsafe(closed, Effect.void))
    socket.once("data", () => {
      asked.openUnsafe()
      answer(socket)
    })
  })
  const { connections, port } = yield* tracked(server, "127.0.0.1")
  return {
    port,
    connections,
    url: `http://127.0.0.1:${port}/hook`,
    asked: asked.await,
    /** Its first connection has ended. */
    closed: Deferred.await(closed)
  }
})

/** Base64 of 32 bytes. */
export const secretOf = (byte: number) => Redacted.make(`whsec_${Buffer.alloc(32, byte).toString("base64")}`)

export const tenantId = TenantId.make("acme")

export const outgoing = (
  url: string,
  message: Partial<WebhookMessage> = {},
  correlationId?: string
): Outgoing<"webhook"> => ({
  tenantId,
  deliveryId: DeliveryId.make("delivery-1"),
  correlationId,
  message: {
    endpointId: "endpoint-1",
    url,
    secrets: [secretOf(1)],
    id: "msg_1",
    body: { type: "ping", timestamp: "2026-01-01T00:00:00.000Z", data: { text: "Grüße 👋" } },
    ...message
  }
})

/** http, and the loopback network. */
export const onLoopback = (settings: Partial<OutboundSettings> = {}) =>
  Layer.orDie(OutboundPost.layer({ allowInsecure: true, allowedNetworks: ["127.0.0.0/8", "::1/128"], ...settings }))
