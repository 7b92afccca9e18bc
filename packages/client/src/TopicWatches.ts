/**
 * Watches topics over links that come and go: one watch of the server for all who watch a topic here.
 *
 * **Details**
 *
 * A topic is watched again on every new link, and `Watching` with `missed: true` says that messages may have been missed: there
 * is no making up for them. A watch ends with a failure when the server refuses it or ends it, or when the client gives up.
 *
 * **Gotchas**
 *
 * Messages come at most once. Whoever is slower than they come loses the oldest beyond `capacity`.
 */
import { Cause, Effect, Exit, FiberSet, Option, Queue, Schema, Stream } from "effect"
import type { Fiber, Scope } from "effect"
import type { Forbidden, Unprocessable } from "@beckon/domain/Problem"
import { Unavailable } from "@beckon/domain/Problem"
import { TopicFrame } from "@beckon/domain/TopicFrame"
import { RpcClientError } from "effect/rpc"
import { BadRequest, TopicEnded } from "./ClientError.ts"
import type { InboxClosed } from "./ClientError.ts"
import type { Link } from "./Link.ts"

/** Messages that wait for one consumer. */
const capacity = 1_000

const retryAfter = "1 second"

export type TopicEvent =
  | {
      readonly _tag: "Watching"
      readonly topic: string
      /** The topic's last message where it keeps one, else `null`. */
      readonly snapshot: Schema.Json
      /** False for the first link; true after a break, in which messages may have been missed. */
      readonly missed: boolean
    }
  | { readonly _tag: "Message"; readonly topic: string; readonly data: Schema.Json }

export type WatchError = Forbidden | Unprocessable | BadRequest | InboxClosed | TopicEnded

export interface TopicWatches {
  /** Watches while the stream is consumed; begins with `Watching`. */
  readonly watch: (topic: string) => Stream.Stream<TopicEvent, WatchError>
  /** Takes a frame of the link. */
  readonly receive: (frame: unknown) => void
}

interface Watch {
  readonly consumers: Set<Queue.Queue<TopicEvent, WatchError>>
  /** What a consumer that comes later begins with; absent while there is no watch. */
  watching: Extract<TopicEvent, { readonly _tag: "Watching" }> | undefined
  /** Whether a message has come on this link: it is newer than the snapshot. */
  last: Schema.Json | undefined
  fiber: Fiber.Fiber<void> | undefined
}

const decode = Schema.decodeUnknownOption(TopicFrame)

const isError = Schema.is(Schema.Struct({ message: Schema.String }))

const asBadRequest = (defect: unknown) =>
  Effect.fail(new BadRequest({ message: isError(defect) ? defect.message : "the topic was not understood" }))

export const make = Effect.fnUntraced(function* (
  link: () => Effect.Effect<Link, InboxClosed>
): Effect.fn.Return<TopicWatches, never, Scope.Scope> {
  const watches = new Map<string, Watch>()
  const fork = yield* FiberSet.makeRuntime()

  const tell = ({ consumers }: Watch, event: TopicEvent) => {
    for (const queue of consumers) Queue.offerUnsafe(queue, event)
  }

  const end = (topic: string, watch: Watch, cause: Cause.Cause<WatchError>) => {
    if (watches.get(topic) === watch) watches.delete(topic)
    for (const queue of watch.consumers) Queue.failCauseUnsafe(queue, cause)
  }

  /** Watches on one link until it closes; succeeds when it is to be tried again. */
  const onLink = Effect.fnUntraced(function* (topic: string, watch: Watch, missed: boolean) {
    const current = yield* link()
    watch.last = undefined
    const { snapshot } = yield* Effect.catchDefect(current.rpc.Watch({ topic }), asBadRequest)
    // A message that came before the answer is newer.
    const event = {
      _tag: "Watching",
      topic,
      snapshot: watch.last === undefined ? snapshot : watch.last,
      missed
    } as const
    watch.watching = event
    tell(watch, event)
    yield* current.closed
    watch.watching = undefined
  })

  const keep = (topic: string, watch: Watch): Effect.Effect<void> =>
    Effect.gen(function* () {
      let missed = false
      while (true) {
        const exit = yield* Effect.exit(onLink(topic, watch, missed))
        if (Exit.isSuccess(exit)) {
          missed = true
          continue
        }
        const error = Cause.squash(exit.cause)
        // The link broke: the next one is waited for.
        if (error instanceof RpcClientError.RpcClientError) continue
        if (error instanceof Unavailable) {
          yield* Effect.sleep(retryAfter)
          continue
        }
        return end(topic, watch, exit.cause as Cause.Cause<WatchError>)
      }
    })

  /** Unless somebody watches it again by then: the server takes calls in order. */
  const unwatch = (topic: string) =>
    Effect.flatMap(link(), ({ rpc }) => (watches.has(topic) ? Effect.void : rpc.Unwatch({ topic }))).pipe(
      Effect.timeoutOption("1 second"),
      Effect.ignoreCause
    )

  const join = (topic: string, queue: Queue.Queue<TopicEvent, WatchError>) => {
    const known = watches.get(topic)
    if (known !== undefined) {
      known.consumers.add(queue)
      if (known.watching !== undefined) {
        const snapshot = known.last === undefined ? known.watching.snapshot : known.last
        Queue.offerUnsafe(queue, { ...known.watching, snapshot, missed: false })
      }
      return known
    }
    const watch: Watch = { consumers: new Set([queue]), watching: undefined, last: undefined, fiber: undefined }
    watches.set(topic, watch)
    watch.fiber = fork(keep(topic, watch))
    return watch
  }

  const leave = (topic: string, watch: Watch, queue: Queue.Queue<TopicEvent, WatchError>) => {
    watch.consumers.delete(queue)
    if (watch.consumers.size > 0 || watches.get(topic) !== watch) return
    watches.delete(topic)
    watch.fiber?.interruptUnsafe()
    fork(unwatch(topic))
  }

  return {
    watch: (topic) =>
      Stream.unwrap(
        Effect.map(
          Effect.acquireRelease(
            Effect.map(Queue.sliding<TopicEvent, WatchError>(capacity), (queue) => ({
              queue,
              watch: join(topic, queue)
            })),
            ({ queue, watch }) =>
              Effect.andThen(
                Effect.sync(() => leave(topic, watch, queue)),
                Queue.shutdown(queue)
              )
          ),
          ({ queue }) => Stream.fromQueue(queue)
        )
      ),

    receive: (raw) => {
      const frame = Option.getOrUndefined(decode(raw))
      const watch = frame === undefined ? undefined : watches.get(frame.topic)
      if (frame === undefined || watch === undefined) return
      if (frame._tag === "TopicEnd") {
        watch.fiber?.interruptUnsafe()
        return end(frame.topic, watch, Cause.fail(new TopicEnded({ topic: frame.topic, reason: frame.reason })))
      }
      watch.last = frame.data
      // What comes before the answer is its snapshot.
      if (watch.watching !== undefined) tell(watch, { _tag: "Message", topic: frame.topic, data: frame.data })
    }
  }
})
