/**
 * Where the client is in its user's stream: a pure function of what it knows and of what comes in.
 *
 * **Invariants** (`test/Replay.test.ts` proves them; the rules are those of `@beckon/domain/InboxFrame`)
 *
 * - Resuming from `position` never skips a notification that was not delivered.
 * - A notification is delivered once per epoch, whatever is sent again.
 * - Before `CaughtUp` the position moves only when the server said `recovered: true`.
 */
import { HashSet } from "effect"
import type { Position } from "@beckon/domain/Position"
import type { InboxEvent } from "./InboxEvent.ts"

export interface Replay {
  /** What to subscribe with; absent when there is nothing to resume from. */
  readonly position: Position | undefined
  /** The epoch of `seen` and of `position`. */
  readonly epoch: string | undefined
  readonly recovered: boolean
  readonly caughtUp: boolean
  /** The `rev` that the running subscription resumed from. Several frames of a catch-up may carry the same `rev`. */
  readonly resumedRev: number | undefined
  /** Notifications delivered beyond `position`, in a replay that gives no positions. */
  readonly seen: HashSet.HashSet<number>
}

export const initial = (position: Position | undefined): Replay => ({
  position,
  epoch: position?.epoch,
  recovered: false,
  caughtUp: false,
  resumedRev: position?.rev,
  seen: HashSet.empty()
})

const subscribed = (state: Replay, event: Extract<InboxEvent, { _tag: "Subscribed" }>): Replay => {
  const { head, recovered } = event
  const { position } = state
  // The same epoch with a position from the future is another history under an old name: nothing known is valid in it.
  const isSameLife =
    state.epoch === head.epoch &&
    (position === undefined ||
      (position.seq <= head.seq && (position.rev === undefined || head.rev === undefined || position.rev <= head.rev)))
  const kept = isSameLife ? position : undefined
  return {
    position: kept,
    epoch: head.epoch,
    recovered: recovered && kept !== undefined,
    caughtUp: false,
    resumedRev: kept?.rev,
    seen: isSameLife ? state.seen : HashSet.empty()
  }
}

const movesPosition = (state: Replay): boolean => state.recovered || state.caughtUp

const notified = (state: Replay, seq: number): readonly [Replay, boolean] => {
  const { position } = state
  if ((position !== undefined && seq <= position.seq) || HashSet.has(state.seen, seq)) return [state, false]
  return position !== undefined && movesPosition(state)
    ? [{ ...state, position: { ...position, seq } }, true]
    : [{ ...state, seen: HashSet.add(state.seen, seq) }, true]
}

const changed = (state: Replay, rev: number): readonly [Replay, boolean] => {
  const { position } = state
  if (position === undefined || !movesPosition(state)) return [state, true]
  const known = state.caughtUp ? position.rev : state.resumedRev
  if (known !== undefined && rev <= known) return [state, false]
  return [{ ...state, position: { ...position, rev: Math.max(rev, position.rev ?? 0) } }, true]
}

const caughtUp = (state: Replay, to: Position): Replay => {
  const { position } = state
  const isBehind = position !== undefined && position.epoch === to.epoch && position.seq > to.seq
  return {
    ...state,
    position: isBehind ? { ...to, seq: position.seq } : to,
    epoch: to.epoch,
    caughtUp: true,
    seen: HashSet.filter(state.seen, (seq) => seq > to.seq)
  }
}

/** Takes one event; answers the new state and whether the consumer gets the event (false: he has it already). */
export const step = (state: Replay, event: InboxEvent): readonly [Replay, boolean] => {
  switch (event._tag) {
    case "Subscribed":
      return [subscribed(state, event), true]
    case "Notification":
      return notified(state, event.notification.seq)
    case "Changed":
    case "AllRead":
      return changed(state, event.rev)
    case "CaughtUp":
      return [caughtUp(state, event.position), true]
    case "Unknown":
      return [state, true]
  }
}
