/**
 * Batches on stores in memory. The mailboxes are made for the tests: they save what they are given and know its key for 24
 * hours, and a test can say what happens at a delivery.
 */
import { Context, DateTime, Duration, Effect, Layer } from "effect"
import { NotificationId } from "@beckon/domain/Identifiers"
import type { Accepted, Draft, StoredNotification } from "@beckon/domain/Notification"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import type { Unavailable } from "@beckon/domain/Problem"
import * as MemoryBatchStore from "@beckon/infra/memory/MemoryBatchStore"
import * as MemoryDeliveryStore from "@beckon/infra/memory/MemoryDeliveryStore"
import * as MemoryNotificationStore from "@beckon/infra/memory/MemoryNotificationStore"
import * as MemoryPreferenceStore from "@beckon/infra/memory/MemoryPreferenceStore"
import * as MemoryRoutingPolicyStore from "@beckon/infra/memory/MemoryRoutingPolicyStore"
import * as MemoryTemplateStore from "@beckon/infra/memory/MemoryTemplateStore"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import * as MemoryUserDirectory from "@beckon/infra/memory/MemoryUserDirectory"
import * as MemoryWebhookEndpointStore from "@beckon/infra/memory/MemoryWebhookEndpointStore"
import * as LiquidRenderer from "@beckon/infra/templates/LiquidRenderer"
import { BatchSettings } from "../../src/batches/BatchSettings.ts"
import { ChunkWork } from "../../src/batches/ChunkWork.ts"
import { Progress } from "../../src/batches/Progress.ts"
import { RowDrafts } from "../../src/batches/RowDrafts.ts"
import { Nudges } from "../../src/delivery/Nudges.ts"
import { Wording } from "../../src/inbox/Wording.ts"
import { Mailboxes } from "../../src/mailbox/Mailboxes.ts"
import { Templates } from "../../src/templates/Templates.ts"
import { Topics } from "../../src/topics/Topics.ts"
import { Recipients } from "../../src/users/Recipients.ts"

export interface Seen {
  /** Everything that was saved, in order. */
  readonly saved: Array<Draft>
  /** What was told on topics. */
  readonly told: Array<{ readonly topic: string; readonly data: unknown }>
  /** Happens after the drafts are saved and before the answer. */
  afterSave: Effect.Effect<void, Unavailable>
}

export class Watched extends Context.Service<Watched, Seen>()("@beckon/server/test/batches/Watched") {}

const layerWatched = Layer.sync(Watched, (): Seen => ({ saved: [], told: [], afterSave: Effect.void }))

let ids = 0

const stored = (draft: Draft, seq: number, now: DateTime.Utc): StoredNotification => ({
  ...draft,
  id: draft.id ?? NotificationId.make(`made-${++ids}`),
  seq,
  createdAt: now,
  readAt: null,
  push: draft.push ?? "fallback",
  dedupeKey: draft.dedupeKey ?? null,
  source: draft.source ?? null,
  urgency: draft.urgency ?? 5,
  options: draft.options ?? null,
  hidden: false,
  planAt: now,
  fallbackAt: now
})

const layerMailboxes = Layer.effect(
  Mailboxes,
  Effect.gen(function* () {
    const store = yield* NotificationStore
    const watched = yield* Watched
    const known = new Map<string, { readonly answer: Accepted; readonly at: number }>()
    const seqs = new Map<string, number>()

    const deliverOne = Effect.fnUntraced(function* (draft: Draft) {
      const now = yield* DateTime.now
      const name = `${draft.tenantId} ${draft.userId} ${draft.dedupeKey}`
      const earlier = known.get(name)
      if (earlier !== undefined && now.epochMilliseconds - earlier.at < Duration.toMillis("24 hours")) {
        return { ...earlier.answer, duplicate: true }
      }
      const seq = (seqs.get(draft.userId) ?? 0) + 1
      seqs.set(draft.userId, seq)
      // As a database would: its names are new, since nobody is to be given a second one.
      const row = stored(
        { ...draft, ...(earlier === undefined ? {} : { id: NotificationId.make(`twice-${++ids}`) }) },
        seq,
        now
      )
      yield* Effect.orDie(store.append([row]))
      watched.saved.push(draft)
      const answer = { notificationId: row.id, seq, duplicate: false }
      known.set(name, { answer, at: now.epochMilliseconds })
      return answer
    })

    const never = () => Effect.die("batches do not ask this of mailboxes")
    return {
      deliver: (drafts) => Effect.tap(Effect.forEach(drafts, deliverOne), () => watched.afterSave),
      attach: never,
      detach: never,
      acknowledge: never,
      changeState: never
    }
  })
)

const layerTopics = Layer.effect(
  Topics,
  Effect.map(Watched, ({ told }) => ({
    publish: (_tenantId, topic, data) => Effect.sync(() => void told.push({ topic, data }))
  }))
)

const layerStores = MemoryBatchStore.layer.pipe(
  Layer.provideMerge(MemoryDeliveryStore.layer),
  Layer.provideMerge(
    Layer.mergeAll(
      MemoryNotificationStore.layer,
      MemoryPreferenceStore.layer,
      MemoryRoutingPolicyStore.layer,
      MemoryTemplateStore.layer,
      MemoryUserDirectory.layer,
      MemoryWebhookEndpointStore.layer
    )
  )
)

/** All but the worker that asks for chunks. */
export const layerBatchServices = ChunkWork.layer.pipe(
  Layer.provideMerge(RowDrafts.layer),
  Layer.provideMerge(Progress.layer),
  Layer.provide(Wording.layer),
  Layer.provideMerge(layerMailboxes),
  Layer.provide([layerTopics, Recipients.layerDirectory]),
  Layer.provideMerge(Templates.layer.pipe(Layer.provide(MemoryTopicBus.layer))),
  Layer.provide(LiquidRenderer.layer),
  Layer.provideMerge(Layer.merge(BatchSettings.layer({ slice: 2 }), Nudges.layer)),
  Layer.provideMerge(layerStores),
  Layer.provideMerge(layerWatched)
)
