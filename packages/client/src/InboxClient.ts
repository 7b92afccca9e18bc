/**
 * A user's inbox over one WebSocket that comes back by itself: events, state and calls.
 *
 * **Details**
 *
 * - After any break it resumes from its position: nothing is missing, nothing comes twice.
 * - What the consumer has worked off is acknowledged and saved, batched.
 * - The token is replaced before it expires, on the open socket.
 * - It stops for good, with `InboxClosed`, only when coming back makes no sense: the token is refused twice, or the server
 *   closed with a code that forbids it.
 *
 * **Gotchas**
 *
 * `frames` has one consumer. A client whose frames nobody takes fills its buffer and then closes its link; for one that only
 * calls, set `subscribe: false`.
 */
import { Context, Effect, Exit, Layer, SubscriptionRef } from "effect"
import type { Scope, Stream } from "effect"
import type { Position } from "@beckon/domain/Position"
import { StorageFailed } from "./ClientError.ts"
import type { InboxClosed } from "./ClientError.ts"
import * as Conflated from "./Conflated.ts"
import * as Connection from "./Connection.ts"
import * as EventBuffer from "./EventBuffer.ts"
import * as InboxCalls from "./InboxCalls.ts"
import type { InboxEvent } from "./InboxEvent.ts"
import { decodePosition, resolve } from "./InboxOptions.ts"
import type { InboxOptions, Settings } from "./InboxOptions.ts"
import * as TopicWatches from "./TopicWatches.ts"

export type { InboxState, Status } from "./Connection.ts"
export type { InboxCalls, ListOptions, Draft, Ids } from "./InboxCalls.ts"
export type { InboxEvent, Notification, Page } from "./InboxEvent.ts"
export type { InboxOptions, PositionStorage } from "./InboxOptions.ts"
export type { TopicEvent, WatchError } from "./TopicWatches.ts"
export * from "./ClientError.ts"

export interface InboxClientService extends InboxCalls.InboxCalls {
  /** Everything that happens, from the position on; fails with `InboxClosed` when the client gives up. */
  readonly frames: Stream.Stream<InboxEvent, InboxClosed>
  readonly state: SubscriptionRef.SubscriptionRef<Connection.InboxState>
  /**
   * What is published to a topic while the stream is consumed, at most once each. Begins with `Watching`, which comes again
   * after a break: messages in between are lost.
   */
  readonly watch: TopicWatches.TopicWatches["watch"]
  /** Acknowledges everything up to the position, in the next batch; for `acknowledge: "manual"`. */
  readonly ack: (position: Position) => Effect.Effect<void>
  /** Closes the link and stays offline until `resume`. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
}

const initialPosition = (settings: Settings, given: Position | undefined) =>
  given !== undefined || settings.storage === undefined
    ? Effect.succeed({ position: given, error: undefined })
    : settings.storage.load.pipe(
        Effect.map((value) => ({ position: decodePosition(value), error: undefined })),
        Effect.catch((cause) => Effect.succeed({ position: undefined, error: new StorageFailed({ cause }) }))
      )

export const make: (options: InboxOptions) => Effect.Effect<InboxClientService, never, Scope.Scope> = Effect.fn(
  "InboxClient.make"
)(function* (options: InboxOptions) {
  const settings = resolve(options)
  const start = yield* initialPosition(settings, options.position)
  const state = yield* SubscriptionRef.make<Connection.InboxState>({
    status: "connecting",
    position: start.position,
    unread: undefined,
    lastError: start.error
  })

  const save = (position: Position) =>
    (settings.storage?.save(position) ?? Effect.void).pipe(
      Effect.catch((cause) =>
        SubscriptionRef.update(state, (now) => ({ ...now, lastError: new StorageFailed({ cause }) }))
      )
    )
  const saver = yield* Conflated.make({ delay: settings.ackDelay, ready: Effect.void, run: save })
  const buffer = yield* EventBuffer.make({
    capacity: settings.capacity,
    position: start.position,
    onProcessed: (position) => {
      if (settings.acknowledge === "auto") acknowledger.offer(position)
      if (settings.storage !== undefined) saver.offer(position)
      return SubscriptionRef.update(state, (now) => ({ ...now, position }))
    }
  })
  const topics = yield* TopicWatches.make(() => connection.link)
  const connection: Connection.Connection = yield* Connection.make(settings, buffer, state, topics.receive)
  const acknowledger = yield* Conflated.make({
    delay: settings.ackDelay,
    ready: connection.link,
    run: (position: Position, link) => link.rpc.Acknowledge({ position })
  })

  // What waited for its batch still goes out; only then the connection ends.
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      const toSave = saver.take()
      if (toSave !== undefined) yield* save(toSave)
      const toAcknowledge = acknowledger.take()
      const link = connection.current()
      if (toAcknowledge !== undefined && link !== undefined) {
        yield* link.rpc.Acknowledge({ position: toAcknowledge }).pipe(Effect.timeoutOption("1 second"), Effect.ignore)
      }
      buffer.end(Exit.void)
      yield* SubscriptionRef.update(state, (now) => ({ ...now, status: "closed" as const }))
    })
  )
  return {
    ...InboxCalls.make(connection.link, settings.callTimeout),
    frames: buffer.events,
    state,
    watch: topics.watch,
    ack: (position) => Effect.sync(() => acknowledger.offer(position)),
    pause: connection.pause,
    resume: connection.resume
  }
})

export class InboxClient extends Context.Service<InboxClient, InboxClientService>()("@beckon/client/InboxClient") {
  static readonly make = make
  static readonly layer = (options: InboxOptions): Layer.Layer<InboxClient> => Layer.effect(InboxClient, make(options))
}
