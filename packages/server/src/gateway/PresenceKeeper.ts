/**
 * Tells presence of this gateway's sessions: at once when one comes or goes, by heartbeats that the gateway lives, and
 * everything again when presence has forgotten it.
 *
 * **Gotchas**
 *
 * Presence is advice: while it does not answer, sockets go on, and the next heartbeat puts it right.
 */
import { Clock, Context, Effect, FiberSet, Layer, Schedule } from "effect"
import { heartbeatInterval, Presence } from "@beckon/domain/ports/Presence"
import { PresenceNews } from "../topics/PresenceNews.ts"
import type * as Session from "./Session.ts"
import { Sessions } from "./Sessions.ts"

export class PresenceKeeper extends Context.Service<
  PresenceKeeper,
  {
    readonly came: (session: Session.Session) => void
    readonly left: (session: Session.Session) => void
  }
>()("@beckon/server/gateway/PresenceKeeper") {
  static readonly layer = Layer.effect(
    PresenceKeeper,
    Effect.gen(function* () {
      const presence = yield* Presence
      const sessions = yield* Sessions
      const news = yield* PresenceNews
      const fork = yield* FiberSet.makeRuntime()
      const { gatewayId } = sessions
      /** Whether presence does not know all that we told it. */
      let isBehind = false

      const quietly = <A, E>(effect: Effect.Effect<A, E>) =>
        Effect.catch(effect, () =>
          Effect.sync(() => {
            isBehind = true
          })
        )

      const online = (session: Session.Session) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => presence.online(session.key, gatewayId, session.id, now))

      const beat = Effect.gen(function* () {
        const known = yield* presence.heartbeat(gatewayId)
        if (known && !isBehind) return
        isBehind = false
        yield* Effect.forEach(Array.from(sessions.all()), online, { concurrency: 16, discard: true })
      })

      yield* quietly(presence.heartbeat(gatewayId))
      yield* Effect.forkScoped(Effect.repeat(quietly(beat), Schedule.spaced(heartbeatInterval)))
      yield* Effect.addFinalizer(() => Effect.ignore(presence.leave(gatewayId)))

      return {
        came: (session) => void fork(Effect.andThen(quietly(online(session)), news.came(session.key))),
        left: (session) =>
          void fork(
            quietly(presence.offline(session.key, gatewayId, session.id)).pipe(
              Effect.andThen(Effect.sync(() => news.left(session.key)))
            )
          )
      }
    })
  )
}
