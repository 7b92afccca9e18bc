/**
 * The outlet of a node among others: sessions of this node are written straight, those of others through their outbox.
 */
import { Effect, Layer } from "effect"
import { FrameOutlet } from "../mailbox/FrameOutlet.ts"
import type { OutFrame } from "../mailbox/FrameOutlet.ts"
import { GatewaySettings } from "./GatewaySettings.ts"
import { Outboxes } from "./Outboxes.ts"
import { makeLocalOutlet, Sessions } from "./Sessions.ts"

const nothing: ReadonlyArray<OutFrame> = []

export const layer = Layer.effect(
  FrameOutlet,
  Effect.gen(function* () {
    const sessions = yield* Sessions
    const outboxes = yield* Outboxes
    const local = makeLocalOutlet(sessions, yield* GatewaySettings)
    return {
      prepare: (gatewayId) => (gatewayId === sessions.gatewayId ? Effect.void : outboxes.open(gatewayId)),
      write: (key, gatewayId, sessionId, frames) => {
        if (gatewayId === sessions.gatewayId) local.write(key, gatewayId, sessionId, frames)
        else if (!outboxes.put(gatewayId, { sessionId, frames })) sessions.stray(key, sessionId)
      },
      reattach: (gatewayId, sessionId) => {
        if (gatewayId === sessions.gatewayId) local.reattach(gatewayId, sessionId)
        else outboxes.put(gatewayId, { sessionId, frames: nothing })
      }
    }
  })
)
