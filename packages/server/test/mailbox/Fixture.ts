/**
 * Mailboxes as the server wires them (one runner, the memory store), with an outlet that records and a store that a test can
 * get in the way of.
 */
import { Context, Effect, Layer, Queue, Schema } from "effect"
import { GatewayId, SessionId, TenantId, UserId } from "@beckon/domain/Identifiers"
import { InboxFrame } from "@beckon/domain/InboxFrame"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import type { Draft } from "@beckon/domain/Notification"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import * as MemoryNotificationStore from "@beckon/infra/memory/MemoryNotificationStore"
import * as Cluster from "../../src/layers/Cluster.ts"
import { DeliveryTiming } from "../../src/mailbox/DeliveryTiming.ts"
import { FrameOutlet } from "../../src/mailbox/FrameOutlet.ts"
import type { OutFrame } from "../../src/mailbox/FrameOutlet.ts"
import { GroupCommit } from "../../src/mailbox/GroupCommit.ts"
import { Mailboxes } from "../../src/mailbox/Mailboxes.ts"
import { MailboxSettings } from "../../src/mailbox/MailboxSettings.ts"
import type { MailboxSettingsShape } from "../../src/mailbox/MailboxSettings.ts"
import * as PartitionHost from "../../src/mailbox/PartitionHost.ts"
import { ResidentMailboxes } from "../../src/mailbox/ResidentMailboxes.ts"
import { StateLoader } from "../../src/mailbox/StateLoader.ts"

export const tenantId = TenantId.make("acme")
export const gatewayId = GatewayId.make("gateway")
export const keyOf = (user: string): MailboxKey => ({ tenantId, userId: UserId.make(user) })
export const session = (name: string): SessionId => SessionId.make(name)

export const draft = (user: string, other: Partial<Draft> = {}): Draft => ({
  ...keyOf(user),
  type: "order_created",
  title: "New Order",
  message: "Accept now!",
  priority: "medium",
  ...other
})

export type Store = NotificationStore["Service"]

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(InboxFrame))
export const decodeFrames = (frames: ReadonlyArray<OutFrame>) => frames.map(({ json }) => decode(json))

/** The seqs of the notifications among these frames. */
export const seqsOf = (frames: ReadonlyArray<OutFrame>): ReadonlyArray<number> =>
  decodeFrames(frames).flatMap((frame) => (frame._tag === "Notification" ? [frame.notification.seq] : []))

/** What mailboxes wrote, by session. */
export class Recorder extends Context.Service<
  Recorder,
  {
    readonly framesOf: (id: SessionId) => ReadonlyArray<OutFrame>
    /** Sessions that were told to attach again, as it happens. */
    readonly reattached: Queue.Queue<SessionId>
  }
>()("@beckon/server/test/Recorder") {}

const layerRecorder = Layer.effectContext(
  Effect.gen(function* () {
    const frames = new Map<SessionId, Array<OutFrame>>()
    const reattached = yield* Queue.unbounded<SessionId>()
    return Context.make(Recorder, { framesOf: (id) => frames.get(id) ?? [], reattached }).pipe(
      Context.add(FrameOutlet, {
        prepare: () => Effect.void,
        write: (_key, _gatewayId, sessionId, written) => {
          const ofSession = frames.get(sessionId) ?? []
          frames.set(sessionId, ofSession)
          ofSession.push(...written)
        },
        reattach: (_gatewayId, sessionId) => void Queue.offerUnsafe(reattached, sessionId)
      })
    )
  })
)

export interface Options {
  readonly settings?: Partial<MailboxSettingsShape>
  /** Changes what the store does. */
  readonly store?: (store: Store) => Store
  readonly timing?: Layer.Layer<DeliveryTiming>
}

export const layer = ({ settings, store, timing = DeliveryTiming.layerNone }: Options = {}) => {
  const layerStore =
    store === undefined
      ? MemoryNotificationStore.layer
      : Layer.effect(NotificationStore, Effect.map(NotificationStore, store)).pipe(
          Layer.provide(MemoryNotificationStore.layer)
        )
  return PartitionHost.layer.pipe(
    Layer.provideMerge([GroupCommit.layer, StateLoader.layer]),
    Layer.provide(timing),
    Layer.provideMerge(Mailboxes.layer),
    Layer.provideMerge(Cluster.layerSingle),
    Layer.provideMerge(ResidentMailboxes.layer),
    Layer.provideMerge(layerRecorder),
    Layer.provideMerge(layerStore),
    Layer.provideMerge(MailboxSettings.layer(settings))
  )
}

/** Attaches a session, page by page, as a gateway does; answers the last reply with all frames. */
export const attach = Effect.fnUntraced(function* (
  user: string,
  name: string,
  from?: { readonly epoch: string; readonly seq: number; readonly rev?: number }
) {
  const mailboxes = yield* Mailboxes
  const frames: Array<OutFrame> = []
  let position = from
  for (let pages = 1; ; pages++) {
    const reply = yield* mailboxes.attach({
      key: keyOf(user),
      gatewayId,
      sessionId: session(name),
      ...(position === undefined ? {} : { position })
    })
    frames.push(...reply.frames)
    const last = reply.frames.findLast(({ seq }) => seq !== undefined)?.seq
    if (!reply.more || position === undefined || last === undefined) return { ...reply, frames, pages }
    position = { ...position, seq: last }
  }
})
