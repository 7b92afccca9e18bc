import { expect, layer } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber } from "effect"
import { existsSync } from "node:fs"
import path from "node:path"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { DataFolders } from "./DataFolders.ts"
import { held } from "./HeldRequest.ts"

const sendPath = "/api/v1/services/notifications/send"
const draft = { user_id: "alice", type: "message", title: "Hello", message: "while stopping" }

const serverOnUsedData = (env: Record<string, string> = {}) =>
  Effect.gen(function* () {
    const { used } = yield* DataFolders
    return yield* BeckonProcess.start({ dataDir: yield* used, env })
  })

const inboxOf = (server: BeckonProcess.BeckonProcess, user: string) =>
  Effect.gen(function* () {
    const token = yield* server.token({ sub: user })
    return yield* Effect.promise(() =>
      fetch(`${server.url}/api/v1/users/me/notifications`, { headers: { authorization: `Bearer ${token}` } }).then(
        (answer) => answer.text()
      )
    )
  })

const openSocket = (url: string, token: string) =>
  Effect.gen(function* () {
    const opened = yield* Deferred.make<void>()
    const closed = yield* Deferred.make<{ readonly code: number; readonly reason: string }>()
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const socket = new WebSocket(`${url.replace("http", "ws")}/api/v1/socket`, ["beckon.v1", `bearer.${token}`])
        socket.addEventListener("open", () => Deferred.doneUnsafe(opened, Effect.void))
        socket.addEventListener("close", ({ code, reason }) =>
          Deferred.doneUnsafe(closed, Effect.succeed({ code, reason }))
        )
        return socket
      }),
      (socket) => Effect.sync(() => socket.close())
    )
    yield* Deferred.await(opened)
    return Deferred.await(closed)
  })

const stopped = { code: 0, signal: null }

layer(DataFolders.layer, { excludeTestServices: true, timeout: "60 seconds" })("beckon serve", (it) => {
  it.effect("tells on the first start what it does, and ends stdout with the URL and the way to a token", () =>
    Effect.gen(function* () {
      const { empty } = yield* DataFolders
      const dataDir = yield* empty
      const server = yield* BeckonProcess.start({ dataDir })
      expect(server.stderr[0]).toBe(`Creating the database in ${dataDir} (only the first time, a few seconds) …`)
      expect(server.stdout).toEqual([
        `Beckon is ready at ${server.url} — get a token with: npx --yes pnpm beckon token alice --data-dir ${dataDir}`
      ])
      const made = yield* BeckonProcess.run({ args: ["token", "alice", "--data-dir", dataDir] })
      expect(made.code).toBe(0)
      const answer = yield* Effect.promise(() =>
        fetch(`${server.url}/api/v1/users/me/unread-count`, { headers: { authorization: `Bearer ${made.stdout}` } })
      )
      expect(answer.status).toBe(200)
      expect(yield* Effect.promise(() => answer.json())).toEqual({ data: { unread: 0 } })
    })
  )

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it.effect(`on ${signal} closes sockets with 4000, finishes what is in flight, saves it and ends with 0`, () =>
      Effect.gen(function* () {
        const server = yield* serverOnUsedData()
        const closed = yield* openSocket(server.url, yield* server.token({ sub: "alice" }))
        const token = yield* server.token({ sub: "shop", roles: ["service"] })
        const request = yield* held({ port: server.port, path: sendPath, token, body: draft })
        yield* server.kill(signal)
        yield* server.line("stderr", /^Stopping: draining/)
        expect(yield* closed).toEqual({ code: 4000, reason: "server is going away" })
        const [took] = yield* Effect.timed(
          Effect.gen(function* () {
            yield* request.finish
            expect(yield* request.answer).toMatch(/^HTTP\/1\.1 202 /)
            expect(yield* server.exit).toEqual(stopped)
          })
        )
        expect(Duration.toSeconds(took)).toBeLessThan(2)
        expect(server.stderr.at(-1)).toBe("Stopped.")
        expect(existsSync(path.join(server.dataDir, "beckon.lock"))).toBe(false)
        const again = yield* BeckonProcess.start({ dataDir: server.dataDir })
        expect(yield* inboxOf(again, "alice")).toContain("while stopping")
      })
    )
  }

  it.effect("cuts off a request that does not end, within 5 seconds", () =>
    Effect.gen(function* () {
      const server = yield* serverOnUsedData()
      const token = yield* server.token({ sub: "shop", roles: ["service"] })
      yield* held({ port: server.port, path: sendPath, token, body: draft })
      yield* server.kill("SIGINT")
      const [took, exit] = yield* Effect.timed(server.exit)
      expect(exit).toEqual(stopped)
      expect(Duration.toSeconds(took)).toBeLessThan(5)
    })
  )

  it.effect("waits no longer than DRAIN_TIMEOUT says", () =>
    Effect.gen(function* () {
      const server = yield* serverOnUsedData({ DRAIN_TIMEOUT: "800 millis" })
      const token = yield* server.token({ sub: "shop", roles: ["service"] })
      yield* held({ port: server.port, path: sendPath, token, body: draft })
      yield* server.kill("SIGINT")
      const [took, exit] = yield* Effect.timed(server.exit)
      expect(exit.signal).toBeNull()
      expect(Duration.toSeconds(took)).toBeLessThan(2)
    })
  )

  it.effect("on a second SIGINT ends at once with 130, and starts again on the same data", () =>
    Effect.gen(function* () {
      const server = yield* serverOnUsedData()
      const token = yield* server.token({ sub: "shop", roles: ["service"] })
      yield* held({ port: server.port, path: sendPath, token, body: draft })
      yield* server.kill("SIGINT")
      yield* server.line("stderr", /^Stopping/)
      const waiting = yield* Effect.forkChild(server.exit)
      yield* server.kill("SIGINT")
      const [took, exit] = yield* Effect.timed(Fiber.join(waiting))
      expect(exit).toEqual({ code: 130, signal: null })
      expect(Duration.toSeconds(took)).toBeLessThan(1)
      const again = yield* BeckonProcess.start({ dataDir: server.dataDir })
      expect(yield* inboxOf(again, "alice")).not.toContain("while stopping")
    })
  )

  it.effect("stops while it is still making its database, and starts again", () =>
    Effect.gen(function* () {
      const { empty } = yield* DataFolders
      const dataDir = yield* empty
      const server = yield* BeckonProcess.spawn({ args: ["serve", "--port", "0", "--data-dir", dataDir] })
      yield* server.line("stderr", /^Creating the database/)
      yield* server.kill("SIGINT")
      const [took, exit] = yield* Effect.timed(server.exit)
      expect(exit).toEqual(stopped)
      // One step of making the database holds the process, and the signal, for a few seconds: decision 0005.
      expect(Duration.toSeconds(took)).toBeLessThan(15)
      expect(server.stdout).toEqual([])
      yield* BeckonProcess.start({ dataDir })
    })
  )

  it.effect("keeps its data over SIGKILL, and takes the lock over from the dead process", () =>
    Effect.gen(function* () {
      const server = yield* serverOnUsedData()
      const token = yield* server.token({ sub: "shop", roles: ["service"] })
      const answer = yield* Effect.promise(() =>
        fetch(server.url + sendPath, {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
          body: JSON.stringify({ ...draft, message: "before the crash" })
        })
      )
      expect(answer.status).toBe(202)
      yield* server.kill("SIGKILL")
      expect(yield* server.exit).toEqual({ code: null, signal: "SIGKILL" })
      expect(existsSync(path.join(server.dataDir, "beckon.lock"))).toBe(true)
      const again = yield* BeckonProcess.start({ dataDir: server.dataDir })
      expect(yield* inboxOf(again, "alice")).toContain("before the crash")
    })
  )
})
