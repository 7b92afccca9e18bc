/**
 * Closes the sockets of callers who may not stay: their token has expired or was revoked, or their tenant is suspended.
 */
import { Clock, Effect, Schedule } from "effect"
import * as CloseReason from "@beckon/domain/CloseReason"
import type { Standing } from "../identity/Standing.ts"
import * as Session from "./Session.ts"
import type { Sessions } from "./Sessions.ts"

const interval = "1 second"

/** Looks until the scope closes. */
export const make = Effect.fnUntraced(function* (sessions: Sessions["Service"], standing: Standing["Service"]) {
  const closeEnded = Effect.map(Clock.currentTimeMillis, (now) => {
    for (const session of sessions.all()) {
      if (session.identity.expiresAt <= now) Session.close(session, CloseReason.tokenExpired)
      else if (standing.isRevoked(session.identity)) Session.close(session, CloseReason.tokenRevoked)
    }
  })

  const closeOusted = Effect.gen(function* () {
    const verdict = yield* standing.judge(Array.from(sessions.all(), ({ identity }) => identity))
    for (const session of sessions.all()) {
      const reason = verdict(session.identity)
      if (reason !== undefined) Session.close(session, reason)
    }
  })

  // Apart: a database that hangs must not keep sockets open whose tokens have expired or were revoked.
  yield* Effect.forkScoped(Effect.repeat(closeEnded, Schedule.spaced(interval)))
  yield* Effect.forkScoped(Effect.repeat(closeOusted, Schedule.spaced(interval)))
})
