/**
 * Publishes to topics, from any node to whoever watches at the moment, at most once.
 */
import { Context, Effect, Layer } from "effect"
import type { Duration, Schema } from "effect"
import type { TenantId } from "@beckon/domain/Identifiers"
import { TopicBus } from "@beckon/domain/ports/TopicBus"
import type { TopicBusUnavailable } from "@beckon/domain/ports/TopicBus"
import { TopicSnapshots } from "@beckon/domain/ports/TopicSnapshots"
import * as TopicFrame from "@beckon/domain/TopicFrame"
import { channelOf } from "./TopicChannels.ts"

export interface PublishOptions {
  /** Keeps the message so long for those who begin to watch. */
  readonly keptFor?: Duration.Duration
}

export class Topics extends Context.Service<
  Topics,
  {
    /**
     * Success does not say that anybody got it. Messages that one fiber publishes to a topic one after the other come in this
     * order. The caller has checked who publishes.
     */
    readonly publish: (
      tenantId: TenantId,
      topic: string,
      data: Schema.Json,
      options?: PublishOptions
    ) => Effect.Effect<void, TopicBusUnavailable>
  }
>()("@beckon/server/topics/Topics") {
  static readonly layer: Layer.Layer<Topics, never, TopicBus | TopicSnapshots> = Layer.effect(
    Topics,
    Effect.gen(function* () {
      const bus = yield* TopicBus
      const snapshots = yield* TopicSnapshots

      return {
        publish: Effect.fnUntraced(function* (tenantId, topic, data, { keptFor } = {}) {
          const json = JSON.stringify(data)
          if (keptFor !== undefined) {
            yield* Effect.catch(snapshots.swap(tenantId, topic, json, keptFor), (error) =>
              Effect.logDebug("A topic's last message was not kept", error)
            )
          }
          yield* bus.publish(channelOf(tenantId, topic), TopicFrame.encodeMessage(topic, json))
        })
      }
    })
  )
}
