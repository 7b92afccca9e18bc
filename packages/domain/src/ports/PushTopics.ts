/**
 * Who gets the pushes of a topic: the push service keeps the list.
 */
import { Context, Schema } from "effect"
import type { Effect, Redacted } from "effect"
import { FailureClass } from "../Delivery.ts"

/** The push service, or the way to it, refused the call as a whole. */
export class PushRefused extends Schema.TaggedError<PushRefused>()("PushRefused", {
  class: FailureClass,
  /** As in an attempt: the service's own code, or `timeout`, `connection`, … */
  code: Schema.String,
  detail: Schema.String,
  retryAfter: Schema.optionalKey(Schema.Duration)
}) {
  override get message() {
    return `The push service refused: ${this.detail}`
  }
}

export interface TopicRefusal {
  /** Of the token, in the list that was given. */
  readonly index: number
  /** `unreachable` says that the token is dead. */
  readonly class: FailureClass
  readonly code: string
  readonly detail: string
}

export interface TopicChange {
  readonly changed: number
  readonly refused: ReadonlyArray<TopicRefusal>
}

export class PushTopics extends Context.Service<
  PushTopics,
  {
    /** Adds devices to the audience of a topic; those that are in it stay. */
    readonly subscribe: (
      tokens: ReadonlyArray<Redacted.Redacted>,
      topic: string
    ) => Effect.Effect<TopicChange, PushRefused>
    /** Takes devices out of the audience of a topic; those that are not in it are no error. */
    readonly unsubscribe: (
      tokens: ReadonlyArray<Redacted.Redacted>,
      topic: string
    ) => Effect.Effect<TopicChange, PushRefused>
  }
>()("@beckon/domain/ports/PushTopics") {}
