/**
 * The services behind the API, on the SQL stores over PGlite in memory.
 */
import { Context, Effect, Layer, Redacted } from "effect"
import type { DateTime } from "effect"
import type { Draft } from "@beckon/domain/Notification"
import { PushTopics } from "@beckon/domain/ports/PushTopics"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import { layerEmbedded } from "@beckon/infra/postgres/DatabaseClient"
import { migrations } from "@beckon/infra/postgres/Migrations"
import * as SqlDeadLetters from "@beckon/infra/postgres/SqlDeadLetters"
import * as SqlDeliveryStore from "@beckon/infra/postgres/SqlDeliveryStore"
import * as SqlDeviceStore from "@beckon/infra/postgres/SqlDeviceStore"
import { runMigrations } from "@beckon/infra/postgres/SqlMigrations"
import * as SqlNotificationStore from "@beckon/infra/postgres/SqlNotificationStore"
import * as SqlPreferenceStore from "@beckon/infra/postgres/SqlPreferenceStore"
import * as SqlRoutingPolicyStore from "@beckon/infra/postgres/SqlRoutingPolicyStore"
import * as SqlScheduleStore from "@beckon/infra/postgres/SqlScheduleStore"
import * as SqlTemplateStore from "@beckon/infra/postgres/SqlTemplateStore"
import * as SqlUserDirectory from "@beckon/infra/postgres/SqlUserDirectory"
import { TokenCipher } from "@beckon/infra/security/TokenCipher"
import * as LiquidRenderer from "@beckon/infra/templates/LiquidRenderer"
import { Nudges } from "../../src/delivery/Nudges.ts"
import { Audiences } from "../../src/inbox/Audiences.ts"
import { Notifications } from "../../src/inbox/Notifications.ts"
import { Wording } from "../../src/inbox/Wording.ts"
import * as Cluster from "../../src/layers/Cluster.ts"
import { DeliveryTiming } from "../../src/mailbox/DeliveryTiming.ts"
import { FrameOutlet } from "../../src/mailbox/FrameOutlet.ts"
import { GroupCommit } from "../../src/mailbox/GroupCommit.ts"
import { Mailboxes } from "../../src/mailbox/Mailboxes.ts"
import { MailboxSettings } from "../../src/mailbox/MailboxSettings.ts"
import * as PartitionHost from "../../src/mailbox/PartitionHost.ts"
import { ResidentMailboxes } from "../../src/mailbox/ResidentMailboxes.ts"
import { StateLoader } from "../../src/mailbox/StateLoader.ts"
import { Templates } from "../../src/templates/Templates.ts"
import { Recipients } from "../../src/users/Recipients.ts"

export interface TopicCall {
  readonly verb: "subscribe" | "unsubscribe"
  readonly topic: string
  readonly tokens: ReadonlyArray<string>
}

/** What the push service was asked, in order. */
export class TopicCalls extends Context.Service<TopicCalls, Array<TopicCall>>()("@beckon/server/test/TopicCalls") {}

const layerTopics = Layer.effectContext(
  Effect.sync(() => {
    const calls: Array<TopicCall> = []
    const record = (verb: TopicCall["verb"]) => (tokens: ReadonlyArray<Redacted.Redacted>, topic: string) =>
      Effect.sync(() => {
        calls.push({ verb, topic, tokens: tokens.map(Redacted.value) })
        return { changed: tokens.length, refused: [] }
      })
    return Context.make(TopicCalls, calls).pipe(
      Context.add(PushTopics, { subscribe: record("subscribe"), unsubscribe: record("unsubscribe") })
    )
  })
)

const secret = Redacted.make(new Uint8Array(32).fill(7))

const layerDatabase = Layer.effectDiscard(runMigrations(migrations)).pipe(
  Layer.provideMerge(layerEmbedded({ dataDir: "memory" }))
)

/** What the API of deliveries and push topics needs. */
export const layerDeliveries = Layer.mergeAll(
  SqlDeadLetters.layer,
  SqlDeliveryStore.layer({ announceToBus: false }),
  SqlDeviceStore.layer.pipe(Layer.provide(TokenCipher.layer(secret))),
  layerTopics,
  Nudges.layer
).pipe(Layer.provideMerge(layerDatabase))

const layerStores = Layer.mergeAll(
  SqlNotificationStore.layer,
  SqlPreferenceStore.layer,
  SqlRoutingPolicyStore.layer,
  SqlScheduleStore.layer,
  SqlTemplateStore.layer,
  SqlUserDirectory.layer
).pipe(Layer.provideMerge(layerDeliveries))

/** Everything that is accepted is to be planned at once. */
const layerAtOnce = Layer.succeed(DeliveryTiming, {
  of: () => Effect.succeed((_draft: Draft, _online: boolean, now: DateTime.Utc) => ({ planAt: now, fallbackAt: now })),
  saved: () => {}
})

/** Nobody listens. */
const layerNoOutlet = Layer.succeed(FrameOutlet, {
  prepare: () => Effect.void,
  write: () => {},
  reattach: () => {}
})

const layerMailboxes = PartitionHost.layer.pipe(
  Layer.provide([GroupCommit.layer, StateLoader.layer]),
  Layer.provide(layerAtOnce),
  Layer.provideMerge(Mailboxes.layer),
  Layer.provide([Cluster.layerSingle, ResidentMailboxes.layer, layerNoOutlet, MailboxSettings.layer()])
)

export const layerNotifications = Audiences.layer.pipe(
  Layer.provideMerge(Notifications.layer),
  Layer.provide(Wording.layer),
  Layer.provide(Recipients.layerDirectory),
  Layer.provideMerge(layerMailboxes),
  Layer.provideMerge(Templates.layer.pipe(Layer.provide([LiquidRenderer.layer, MemoryTopicBus.layer]))),
  Layer.provideMerge(layerStores)
)
