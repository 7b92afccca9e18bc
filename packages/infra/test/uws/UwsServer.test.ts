import { expect, it } from "@effect/vitest"
import * as UwsHttpServer from "@beckon/infra/uws/UwsHttpServer"
import { ListenFailed, PortInUse, UwsServer } from "@beckon/infra/uws/UwsServer"
import { Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { spawn } from "node:child_process"
import { createServer } from "node:net"
import { get, serving } from "./HttpContract.ts"
import { rawExchange, requestHead } from "./RawClient.ts"

const loopback = { host: "127.0.0.1", port: 0 }

it.live("takes a free port for port 0 and tells which", () =>
  Effect.gen(function* () {
    const server = yield* UwsServer.make(loopback)
    expect(yield* server.port).toBeUndefined()
    const first = yield* server.listen
    expect(first.port).toBeGreaterThan(0)
    expect(yield* server.port).toBe(first.port)
    expect(yield* server.listen).toBe(first)
    expect(yield* server.address).toBe(first)
  }).pipe(Effect.scoped)
)

it.live("fails with PortInUse when this process, or another, holds the port", () =>
  Effect.gen(function* () {
    const first = yield* UwsServer.make(loopback)
    const { port } = yield* first.listen
    const second = yield* UwsServer.make({ host: "127.0.0.1", port })
    expect(yield* Effect.flip(second.listen)).toEqual(new PortInUse({ host: "127.0.0.1", port }))

    const other = yield* Effect.acquireRelease(
      Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
        const script =
          "const s = require('node:net').createServer().listen(0, '127.0.0.1', () => console.log(s.address().port))"
        const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] })
        child.stdout.once("data", (data) => resume(Effect.succeed({ port: Number(data), close: () => child.kill() })))
      }),
      (child) => Effect.sync(child.close)
    )
    const third = yield* UwsServer.make({ host: "127.0.0.1", port: other.port })
    expect(yield* Effect.flip(third.listen)).toEqual(new PortInUse({ host: "127.0.0.1", port: other.port }))
  }).pipe(Effect.scoped)
)

it.live("fails with ListenFailed for an address that is not this machine's", () =>
  Effect.gen(function* () {
    const server = yield* UwsServer.make({ host: "203.0.113.1", port: 0 })
    expect(yield* Effect.flip(server.listen)).toBeInstanceOf(ListenFailed)
    expect(yield* Effect.flip(UwsServer.make({ host: "not an address", port: 0 }))).toBeInstanceOf(ListenFailed)
  }).pipe(Effect.scoped)
)

it.live("answers 503 while no application is served", () =>
  Effect.gen(function* () {
    const server = yield* UwsServer
    const response = yield* get(`http://127.0.0.1:${yield* server.port}/`)
    expect(response.status).toBe(503)
    expect(response.headers.get("retry-after")).toBe("1")
  }).pipe(Effect.provide(Layer.provideMerge(UwsHttpServer.layer(), UwsServer.layer(loopback))))
)

/** Binds `port` with Node as soon as it is free, gives it back and tells which it was. */
const whenFree = (port: number): Effect.Effect<number> =>
  Effect.callback((resume) => {
    const probe = createServer()
    const listen = () => probe.listen(port, "127.0.0.1")
    probe.on("error", () => setImmediate(listen))
    probe.on("listening", () => {
      const address = probe.address()
      const bound = typeof address === "object" && address !== null ? address.port : port
      probe.close(() => resume(Effect.succeed(bound)))
    })
    listen()
  })

/** A server in its own scope, so that a test can stop it. */
const started = Effect.fnUntraced(function* (shutdownGrace: `${number} ${"millis" | "seconds"}`) {
  const free = yield* whenFree(0)
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
  const begun = yield* Deferred.make<void>()
  const finish = yield* Deferred.make<void>()
  const interrupted = yield* Deferred.make<void>()
  const context = yield* Layer.buildWithScope(
    UwsHttpServer.layer().pipe(Layer.provideMerge(UwsServer.layer({ host: "127.0.0.1", port: free, shutdownGrace }))),
    scope
  )
  const { base, port } = yield* serving([
    HttpRouter.route(
      "GET",
      "/slow",
      Deferred.succeed(begun, undefined).pipe(
        Effect.andThen(Deferred.await(finish)),
        Effect.as(HttpServerResponse.text("finished")),
        Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
      )
    )
  ]).pipe(Effect.provide(context), Scope.provide(scope))
  return { base, port, begun, finish, interrupted, stop: Scope.close(scope, Exit.void) }
})

it.live("lets a request in flight finish when it stops, and takes no new ones", () =>
  Effect.gen(function* () {
    const server = yield* started("5 seconds")
    const slow = yield* Effect.forkChild(get(`${server.base}/slow`))
    yield* Deferred.await(server.begun)
    const stopping = yield* Effect.forkChild(server.stop)
    // The port is free as soon as listening stopped.
    yield* whenFree(server.port)
    yield* Deferred.succeed(server.finish, undefined)
    const response = yield* Fiber.join(slow)
    expect(response.text).toBe("finished")
    expect(response.headers.get("connection")).toBe("close")
    yield* Fiber.join(stopping)
  }).pipe(Effect.scoped)
)

it.live("cuts what does not finish in the grace period", () =>
  Effect.gen(function* () {
    const server = yield* started("100 millis")
    const slow = yield* Effect.forkChild(rawExchange(server.port, requestHead("GET /slow")))
    yield* Deferred.await(server.begun)
    yield* server.stop
    yield* Deferred.await(server.interrupted)
    expect(yield* Fiber.join(slow)).toMatch(/^(HTTP\/1.1 503 |$)/)
  }).pipe(Effect.scoped)
)
