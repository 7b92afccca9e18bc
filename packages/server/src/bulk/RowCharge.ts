/**
 * Rows of an upload count as calls of whoever sends it. Where a call would be refused an upload waits, and its sender with it.
 */
import { Duration, Effect } from "effect"
import { CurrentCall } from "../http/CurrentCall.ts"
import type { Call } from "../http/CurrentCall.ts"

const retryAfter = "retry-after"

const waitAsTold = ({ headers }: Call): Effect.Effect<void> =>
  Effect.suspend(() => {
    const seconds = Number(headers[retryAfter])
    // It is for a refusal, and this call is none.
    delete headers[retryAfter]
    return Effect.sleep(Duration.seconds(seconds > 0 ? seconds : 1))
  })

export const chargeRows = (rows: number): Effect.Effect<void> =>
  Effect.flatMap(CurrentCall, (call) => {
    if (call?.charge === undefined || rows === 0) return Effect.void
    const { charge } = call
    const take: Effect.Effect<void> = Effect.suspend(() =>
      Effect.catch(charge(rows), () => Effect.andThen(waitAsTold(call), take))
    )
    return take
  })
