/**
 * Messages between nodes that nobody keeps: whoever listens at the moment gets them, at most once.
 */
import { Context, Schema } from "effect"
import type { Effect, Scope, Stream } from "effect"

/** The message is published to nobody, or the subscription does not stand. */
export class TopicBusUnavailable extends Schema.TaggedError<TopicBusUnavailable>()("TopicBusUnavailable", {
  topic: Schema.String,
  cause: Schema.Defect()
}) {
  override get message() {
    return `The topic ${this.topic} is not available`
  }
}

/** A subscriber that is behind by more messages than this loses the oldest. */
export const topicBacklog = 1_024

export class TopicBus extends Context.Service<
  TopicBus,
  {
    /** To all subscribers on all nodes, this one included; `json` is JSON text. Success does not say that anyone got it. */
    readonly publish: (topic: string, json: string) => Effect.Effect<void, TopicBusUnavailable>
    /**
     * Listens until the scope closes, from the moment at which this succeeds. Messages of one publisher come in order.
     * While the way between nodes is broken there are none, and they are not made up for.
     */
    readonly subscribe: (topic: string) => Effect.Effect<Stream.Stream<string>, TopicBusUnavailable, Scope.Scope>
  }
>()("@beckon/domain/ports/TopicBus") {}
