/**
 * The owner's side of `FrameProtocol`: a stream takes the outbox of its gateway.
 */
import { Effect } from "effect"
import { FrameRpcs } from "./FrameProtocol.ts"
import { Outboxes } from "./Outboxes.ts"

export const layer = FrameRpcs.toLayer(
  Effect.gen(function* () {
    const outboxes = yield* Outboxes
    return FrameRpcs.of({
      Frames: ({ gatewayId }) =>
        Effect.acquireRelease(outboxes.take(gatewayId), (queue) => outboxes.release(gatewayId, queue))
    })
  })
)
