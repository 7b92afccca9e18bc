/**
 * Events between the link and the consumer: in order, without repeats, bounded.
 *
 * **Details**
 *
 * A WebSocket cannot be paused, so a full buffer refuses the event and the link must be closed; `room` opens again once half
 * of the buffer is worked off, and a new subscription resumes right behind the last event that was accepted.
 *
 * An event counts as processed when the consumer comes back for the next one, or ends without a failure. There is one consumer: use `Stream.share` or
 * `Stream.broadcast` for more.
 */
import { Effect, Exit, Latch, Queue, Stream } from "effect"
import type { Cause } from "effect"
import type { Position } from "@beckon/domain/Position"
import type { InboxClosed } from "./ClientError.ts"
import type { InboxEvent } from "./InboxEvent.ts"
import * as Replay from "./Replay.ts"

interface Entry {
  readonly event: InboxEvent
  /** Where the stream is after this event. */
  readonly position: Position | undefined
}

export interface EventBuffer {
  /** False when there is no room; then nothing has changed. */
  readonly offer: (event: InboxEvent) => boolean
  /** What to resume from: everything up to it is in the buffer or was taken. */
  readonly position: () => Position | undefined
  /** Open while there is room to go on. */
  readonly room: Latch.Latch
  readonly events: Stream.Stream<InboxEvent, InboxClosed>
  /** Ends `events` after what is buffered. */
  readonly end: (exit: Exit.Exit<void, InboxClosed>) => void
}

export const make = Effect.fnUntraced(function* (options: {
  readonly capacity: number
  readonly position: Position | undefined
  /** The consumer has worked off everything up to a new position. */
  readonly onProcessed: (position: Position) => Effect.Effect<void>
}) {
  const queue = yield* Queue.unbounded<Entry, InboxClosed | Cause.Done>()
  const room = Latch.makeUnsafe(true)
  let replay = Replay.initial(options.position)
  let handedOut: Entry | undefined
  let reported = options.position

  const offer = (event: InboxEvent): boolean => {
    const [next, isNew] = Replay.step(replay, event)
    if (isNew) {
      if (Queue.sizeUnsafe(queue) >= options.capacity) {
        room.closeUnsafe()
        return false
      }
      Queue.offerUnsafe(queue, { event, position: next.position })
    }
    replay = next
    return true
  }

  const processed = Effect.suspend(() => {
    const position = handedOut?.position
    handedOut = undefined
    if (position === undefined || position === reported) return Effect.void
    reported = position
    return options.onProcessed(position)
  })
  const take = Effect.gen(function* () {
    yield* processed
    const entry = yield* Queue.take(queue)
    handedOut = entry
    if (Queue.sizeUnsafe(queue) <= options.capacity / 2) room.openUnsafe()
    return entry.event
  })

  const buffer: EventBuffer = {
    offer,
    position: () => replay.position,
    room,
    events: Stream.onExit(Stream.fromEffectRepeat(take), (exit) => (Exit.isSuccess(exit) ? processed : Effect.void)),
    end: (exit) => void (Exit.isSuccess(exit) ? Queue.endUnsafe(queue) : Queue.failCauseUnsafe(queue, exit.cause))
  }
  return buffer
})
