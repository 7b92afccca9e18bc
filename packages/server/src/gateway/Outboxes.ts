/**
 * What waits on this node for the gateways of other nodes.
 *
 * **Details**
 *
 * An outbox is opened before a session of its gateway is registered, and waits a few seconds for the gateway to call. It is
 * bounded: a gateway that does not take its frames (frozen, cut off) loses the outbox, and whoever writes to it is told, so
 * that its mailbox forgets the session. The gateway attaches its sessions again from their positions when its stream ends.
 */
import type { Cause } from "effect"
import { Clock, Context, Duration, Effect, Layer, Queue, Schedule } from "effect"
import { SessionId } from "@beckon/domain/Identifiers"
import type { GatewayId } from "@beckon/domain/Identifiers"
import type { Parcel } from "./FrameProtocol.ts"

/** Characters that may wait for one gateway. */
const maxWaiting = 16 * 1024 * 1024

/** Gateways that are remembered as bereft; most of them are dead and never call again. */
const maxBereft = 10_000

/** How long an outbox waits for its gateway to call. */
const patience = Duration.seconds(10)

type ParcelQueue = Queue.Queue<Parcel, Cause.Done>

/** Tells a gateway that frames of an earlier outbox are lost: all its sessions of this node have to attach again. */
export const everySession = SessionId.make("*")

interface Outbox {
  readonly queue: ParcelQueue
  readonly openedAt: number
  /** Characters put since the queue was last seen empty. */
  waiting: number
  /** Whether a stream reads it. */
  taken: boolean
}

const weightOf = (parcel: Parcel): number => parcel.frames.reduce((sum, frame) => sum + frame.json.length, 64)

export class Outboxes extends Context.Service<
  Outboxes,
  {
    /** Makes the gateway's outbox, if it has none. */
    readonly open: (gatewayId: GatewayId) => Effect.Effect<void>
    /** False when the gateway has no outbox (any more): the parcel goes nowhere. */
    readonly put: (gatewayId: GatewayId, parcel: Parcel) => boolean
    /** The gateway's parcels, for one stream; an earlier stream of the gateway ends. */
    readonly take: (gatewayId: GatewayId) => Effect.Effect<Queue.Dequeue<Parcel, Cause.Done>>
    /** The stream has ended: the outbox is lost, unless another stream took it over. */
    readonly release: (gatewayId: GatewayId, queue: Queue.Dequeue<Parcel, Cause.Done>) => Effect.Effect<void>
  }
>()("@beckon/server/gateway/Outboxes") {
  static readonly layer = Layer.effect(
    Outboxes,
    Effect.gen(function* () {
      const outboxes = new Map<GatewayId, Outbox>()

      // Gateways whose outbox was lost, until they call again.
      const bereft = new Set<GatewayId>()

      const lose = (gatewayId: GatewayId, outbox: Outbox) => {
        if (outboxes.get(gatewayId) === outbox) {
          outboxes.delete(gatewayId)
          if (bereft.size >= maxBereft) bereft.clear()
          bereft.add(gatewayId)
        }
        Queue.endUnsafe(outbox.queue)
      }

      const make = Effect.fnUntraced(function* (gatewayId: GatewayId) {
        const queue: ParcelQueue = yield* Queue.make<Parcel, Cause.Done>()
        const other = outboxes.get(gatewayId)
        if (other !== undefined) return other
        const outbox: Outbox = { queue, openedAt: yield* Clock.currentTimeMillis, waiting: 0, taken: false }
        outboxes.set(gatewayId, outbox)
        return outbox
      })

      const open = (gatewayId: GatewayId) =>
        Effect.suspend(() => (outboxes.has(gatewayId) ? Effect.void : Effect.asVoid(make(gatewayId))))

      const loseForgotten = Effect.map(Clock.currentTimeMillis, (now) => {
        for (const [gatewayId, outbox] of outboxes) {
          if (!outbox.taken && now - outbox.openedAt > Duration.toMillis(patience)) lose(gatewayId, outbox)
        }
      })
      yield* Effect.forkScoped(Effect.repeat(loseForgotten, Schedule.spaced("1 second")))

      return {
        open,
        put: (gatewayId, parcel) => {
          const outbox = outboxes.get(gatewayId)
          if (outbox === undefined) return false
          if (Queue.sizeUnsafe(outbox.queue) === 0) outbox.waiting = 0
          outbox.waiting += weightOf(parcel)
          if (outbox.waiting > maxWaiting) {
            lose(gatewayId, outbox)
            return false
          }
          Queue.offerUnsafe(outbox.queue, parcel)
          return true
        },
        take: Effect.fnUntraced(function* (gatewayId) {
          const known = outboxes.get(gatewayId)
          // What an earlier stream took and did not bring is lost with it.
          if (known?.taken === true) lose(gatewayId, known)
          const outbox = yield* make(gatewayId)
          outbox.taken = true
          if (bereft.delete(gatewayId)) Queue.offerUnsafe(outbox.queue, { sessionId: everySession, frames: [] })
          return outbox.queue
        }),
        release: (gatewayId, queue) =>
          Effect.sync(() => {
            const outbox = outboxes.get(gatewayId)
            if (outbox?.queue === queue) lose(gatewayId, outbox)
          })
      }
    })
  )
}
