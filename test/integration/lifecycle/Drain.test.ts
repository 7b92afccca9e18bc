import { expect, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Redacted } from "effect"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { freshDatabase, sharedRedis } from "../../support/services/Services.ts"
import { call, jwtSecret, lastingPort, token } from "../road/Road.ts"

const sockets = 60

/** Opens a socket; answers when it was closed, and with which code. */
const socketOf = (url: string, token: string) =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const opened = yield* Deferred.make<void>()
    const closed = yield* Deferred.make<{ readonly code: number; readonly at: number }>()
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const socket = new WebSocket(`${url.replace("http", "ws")}/api/v1/socket`, ["beckon.v1", `bearer.${token}`])
        socket.addEventListener("open", () => Deferred.doneUnsafe(opened, Effect.void))
        socket.addEventListener("close", ({ code }) =>
          Deferred.doneUnsafe(closed, Effect.succeed({ code, at: clock.currentTimeMillisUnsafe() }))
        )
        return socket
      }),
      (socket) => Effect.sync(() => socket.close())
    )
    yield* Deferred.await(opened)
    return Deferred.await(closed)
  })

it.live(
  "a node among others that stops says so, and sends its clients away over half of DRAIN_TIMEOUT, not at once",
  () =>
    Effect.gen(function* () {
      const database = yield* freshDatabase
      const redis = yield* sharedRedis
      const nodePort = yield* lastingPort
      const node = yield* BeckonProcess.start({
        env: {
          DATABASE_URL: Redacted.value(database.url),
          REDIS_URL: Redacted.value(redis.url),
          BECKON_PREFIX: redis.prefix,
          BECKON_JWT_SECRET: jwtSecret,
          BECKON_DEVICE_TOKEN_SECRET: "5e".repeat(32),
          DRAIN_TIMEOUT: "8 seconds",
          HOST: "127.0.0.1",
          NODE_PORT: String(nodePort)
        }
      })
      const ada = token({ sub: "ada" })
      const closed = yield* Effect.forEach(Array.from({ length: sockets }), () => socketOf(node.url, ada), {
        concurrency: 10
      })
      expect((yield* call(node.url, "/health/ready")).status).toBe(200)
      yield* node.kill("SIGTERM")
      yield* node.line("stderr", /^Stopping: draining/)
      const leaving = yield* call(node.url, "/health/ready")
      expect(leaving.status).toBe(503)
      expect(leaving.body.reasons).toEqual(["This node is going away"])
      const ends = yield* Effect.forEach(closed, (end) => end)
      // On a busy machine the end of the process may overtake the close frames of the last ones.
      expect(ends.filter(({ code }) => code === 4000).length).toBeGreaterThan(sockets * 0.8)
      const times = ends.map(({ at }) => at).toSorted((one, other) => one - other)
      const [first = 0, last = 0] = [times[0], times.at(-1)]
      expect(last - first).toBeGreaterThan(1_500)
      // No second sees more than two thirds of them.
      const most = Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 1_000).length))
      expect(most).toBeLessThan((sockets * 2) / 3)
      expect(yield* node.exit).toEqual({ code: 0, signal: null })
    }).pipe(Effect.scoped),
  60_000
)
