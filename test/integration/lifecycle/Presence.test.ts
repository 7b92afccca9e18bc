import { expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Layer, Redacted, Schedule, Scope } from "effect"
import { TenantId, UserId } from "@beckon/domain/Identifiers"
import { Presence } from "@beckon/domain/ports/Presence"
import { RedisClient } from "@beckon/infra/redis/RedisClient"
import * as RedisPresence from "@beckon/infra/redis/RedisPresence"
import * as BeckonProcess from "../../support/BeckonProcess.ts"
import { freshDatabase, sharedRedis } from "../../support/services/Services.ts"
import { jwtSecret, lastingPort, token } from "../road/Road.ts"

const ada = { tenantId: TenantId.make("default"), userId: UserId.make("ada") }

/** An open socket; closed with the scope. */
const openSocket = (url: string) =>
  Effect.gen(function* () {
    const opened = yield* Deferred.make<void>()
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        const bearer = `bearer.${token({ sub: ada.userId })}`
        const socket = new WebSocket(`${url.replace("http", "ws")}/api/v1/socket`, ["beckon.v1", bearer])
        socket.addEventListener("open", () => Deferred.doneUnsafe(opened, Effect.void))
        return socket
      }),
      (socket) => Effect.sync(() => socket.close())
    )
    yield* Deferred.await(opened)
  })

it.live(
  "presence counts every device, knows at once when one leaves, and within 30 s when its node was killed",
  () =>
    Effect.gen(function* () {
      const database = yield* freshDatabase
      const redis = yield* sharedRedis
      const node = yield* BeckonProcess.start({
        env: {
          DATABASE_URL: Redacted.value(database.url),
          REDIS_URL: Redacted.value(redis.url),
          BECKON_PREFIX: redis.prefix,
          BECKON_JWT_SECRET: jwtSecret,
          BECKON_DEVICE_TOKEN_SECRET: "5e".repeat(32),
          HOST: "127.0.0.1",
          NODE_PORT: String(yield* lastingPort)
        }
      })
      const client = RedisClient.layer({ servers: { kind: "single", url: redis.url }, prefix: redis.prefix })
      const services = yield* Layer.build(RedisPresence.layer().pipe(Layer.provide(client)))
      const presence = Context.get(services, Presence)
      const becomes = (devices: number, within: "2 seconds" | "30 seconds") =>
        presence.sessionsOf(ada).pipe(
          Effect.filterOrFail((sessions) => sessions.length === devices),
          Effect.retry(Schedule.spaced("50 millis").pipe(Schedule.upTo({ duration: within })))
        )

      expect(yield* presence.isOnline([ada])).toEqual([false])
      yield* openSocket(node.url)
      const phone = yield* Scope.make()
      yield* Effect.provideService(openSocket(node.url), Scope.Scope, phone)
      yield* becomes(2, "2 seconds")
      yield* Scope.close(phone, yield* Effect.exit(Effect.void))
      yield* becomes(1, "2 seconds")
      expect(yield* presence.isOnline([ada])).toEqual([true])
      yield* node.kill("SIGKILL")
      yield* becomes(0, "30 seconds")
      expect(yield* presence.isOnline([ada])).toEqual([false])
    }).pipe(Effect.scoped),
  60_000
)
