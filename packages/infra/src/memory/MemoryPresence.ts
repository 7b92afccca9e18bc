import type { GatewayId } from "@beckon/domain/Identifiers"
import * as Keys from "@beckon/domain/MailboxKey"
import { Presence, presenceTimeToLive } from "@beckon/domain/ports/Presence"
import type { PresentSession } from "@beckon/domain/ports/Presence"
import { Clock, Duration, Effect, Layer } from "effect"

const make = Effect.fnUntraced(function* (timeToLive: Duration.Input) {
  const clock = yield* Clock.Clock
  const millis = Duration.toMillis(Duration.fromInputUnsafe(timeToLive))
  const heartbeats = new Map<GatewayId, number>()
  const users = new Map<string, Map<string, PresentSession>>()

  const lives = ({ gatewayId }: PresentSession): boolean => {
    const last = heartbeats.get(gatewayId)
    return last !== undefined && clock.currentTimeMillisUnsafe() - last < millis
  }
  const sessionsOf = (user: string) => Array.from(users.get(user)?.values() ?? []).filter(lives)
  const fieldOf = (gatewayId: string, sessionId: string) => `${gatewayId}\u0000${sessionId}`
  const remove = (user: string, sessions: Map<string, PresentSession>, field: string) => {
    sessions.delete(field)
    if (sessions.size === 0) users.delete(user)
  }

  return Presence.of({
    online: (key, gatewayId, sessionId, at) =>
      Effect.sync(() => {
        const user = Keys.toString(key)
        const sessions = users.get(user) ?? new Map<string, PresentSession>()
        users.set(user, sessions.set(fieldOf(gatewayId, sessionId), { gatewayId, sessionId, at }))
      }),
    offline: (key, gatewayId, sessionId) =>
      Effect.sync(() => {
        const user = Keys.toString(key)
        const sessions = users.get(user)
        if (sessions !== undefined) remove(user, sessions, fieldOf(gatewayId, sessionId))
      }),
    heartbeat: (gatewayId) =>
      Effect.sync(() => {
        const known = heartbeats.has(gatewayId)
        heartbeats.set(gatewayId, clock.currentTimeMillisUnsafe())
        return known
      }),
    leave: (gatewayId) =>
      Effect.sync(() => {
        heartbeats.delete(gatewayId)
        for (const [user, sessions] of users) {
          for (const [field, session] of sessions) if (session.gatewayId === gatewayId) remove(user, sessions, field)
        }
      }),
    isOnline: (keys) => Effect.sync(() => keys.map((key) => sessionsOf(Keys.toString(key)).length > 0)),
    sessionsOf: (key) => Effect.sync(() => sessionsOf(Keys.toString(key)).toSorted((one, other) => one.at - other.at))
  })
})

/** Presence within the process. */
export const layer = (options?: { readonly timeToLive?: Duration.Input }): Layer.Layer<Presence> =>
  Layer.effect(Presence, make(options?.timeToLive ?? presenceTimeToLive))
