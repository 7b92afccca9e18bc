/**
 * One time limit for a call of many messages.
 *
 * **Details**
 *
 * What was not begun when it is over is not begun at all, so that a service that hangs holds a worker for one limit, and not for one
 * per message.
 */
import { Clock, Effect } from "effect"
import { timedOut } from "../http/ProviderFailure.ts"
import type { Failed } from "../http/ProviderFailure.ts"

/** `end` in ms since 1970. */
export const until = <A, E, R>(end: number, effect: Effect.Effect<A, E, R>): Effect.Effect<A | Failed, E, R> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    end <= now
      ? Effect.succeed(timedOut())
      : Effect.timeoutOrElse(effect, { duration: end - now, orElse: () => Effect.succeed(timedOut()) })
  )
