/**
 * The gateway's side of `FrameProtocol`: one stream from each node that hosts mailboxes of this gateway's users.
 *
 * **Details**
 *
 * A link is opened when a session is attached to a mailbox of another node. When it ends, the node is dead, cut off or has
 * thrown away our outbox: in each case its sessions attach again from their positions, and find the node that hosts their
 * mailboxes now.
 */
import { Effect, FiberSet, Layer, Random, Stream } from "effect"
import { RunnerAddress } from "effect/cluster"
import { RpcClientProtocol } from "effect/cluster/Runners"
import { RpcClient } from "effect/rpc"
import * as Session from "./Session.ts"
import { FrameRpcs } from "./FrameProtocol.ts"
import type { Parcel } from "./FrameProtocol.ts"
import { everySession } from "./Outboxes.ts"
import { GatewaySettings } from "./GatewaySettings.ts"
import { Sessions } from "./Sessions.ts"

/** `nodeName` of the mailbox's side, read back. */
const addressOf = (node: string): RunnerAddress.RunnerAddress => {
  const colon = node.lastIndexOf(":")
  return RunnerAddress.make(node.slice(0, colon), Number(node.slice(colon + 1)))
}

/** Milliseconds to wait before the sessions of a lost link attach again, at most; spread, so that they do not come at once. */
const maxPause = 200

/** `self` is this node's own name: its mailboxes write straight to the sessions. */
export const layer = (self: string) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const sessions = yield* Sessions
      const settings = yield* GatewaySettings
      const { make: protocolOf } = yield* RpcClientProtocol
      const run = yield* FiberSet.makeRuntime()
      const linked = new Set<string>([self])

      const ofNode = (node: string) =>
        Array.from(sessions.all()).filter((session) => session.subscription?.owner === node)

      const receive = (node: string, parcel: Parcel) => {
        if (parcel.sessionId === everySession) return ofNode(node).forEach(sessions.reattach)
        const session = sessions.byAttachment(parcel.sessionId)
        if (session === undefined) return
        if (parcel.frames.length === 0 || !Session.writeLive(session, parcel.frames, settings))
          sessions.reattach(session)
      }

      const follow = (node: string) =>
        Effect.scoped(
          Effect.gen(function* () {
            const protocol = yield* protocolOf(addressOf(node))
            const client = yield* Effect.provideService(RpcClient.make(FrameRpcs), RpcClient.Protocol, protocol)
            yield* Stream.runForEachArray(client.Frames({ gatewayId: sessions.gatewayId }), (parcels) =>
              Effect.sync(() => parcels.forEach((parcel) => receive(node, parcel)))
            )
          })
        )

      const lost = Effect.fnUntraced(function* (node: string) {
        const orphans = ofNode(node)
        yield* Effect.logInfo("The link to a node has ended").pipe(
          Effect.annotateLogs({ node, sessions: orphans.length })
        )
        yield* Effect.sleep(yield* Random.nextBetween(0, maxPause))
        for (const session of orphans) {
          if (session.subscription?.owner === node) sessions.reattach(session)
        }
      })

      const link = (node: string) =>
        Effect.exit(follow(node)).pipe(
          // Before the sessions attach again, so that the first of them opens the next link.
          Effect.tap(() => Effect.sync(() => linked.delete(node))),
          Effect.andThen(lost(node))
        )

      sessions.onOwned((node) => {
        if (linked.has(node)) return
        linked.add(node)
        run(link(node))
      })
    })
  )
