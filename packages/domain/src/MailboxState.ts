/**
 * What a mailbox decides: a pure function of its state and of what comes in.
 *
 * **Invariants** (`packages/domain/test/MailboxState.test.ts` proves them)
 *
 * - `seq` grows by exactly one for each notification accepted and never falls.
 * - A `dedupeKey` that is known, or that came earlier in the same batch, makes no row and answers the first notification.
 * - Answers come in the order of the drafts, one for each.
 * - `acknowledged` never falls and never passes `seq`.
 */
import type { DateTime } from "effect"
import { urgencyOf } from "./DeliveryOptions.ts"
import type { NotificationId } from "./Identifiers.ts"
import type { Accepted, Draft, StoredNotification } from "./Notification.ts"
import type { Position } from "./Position.ts"

export interface MailboxState {
  readonly epoch: string
  /** The newest notification's number; 0 before the first. */
  readonly seq: number
  /** Everything up to here was thrown away by retention; nobody can resume from before it. */
  readonly floor: number
  /** Counts changes of state: read, unread, deleted. */
  readonly rev: number
  readonly unread: number
  readonly acknowledged: number
}

/** A notification that a `dedupeKey` has made before. */
export interface Known {
  readonly notificationId: NotificationId
  readonly seq: number
}

/** When the deliveries of a notification are planned, and from when on it counts that nobody has acknowledged it. */
export type Timing = Pick<StoredNotification, "planAt" | "fallbackAt">

export interface Acceptance {
  readonly answers: ReadonlyArray<Accepted>
  readonly rows: ReadonlyArray<StoredNotification>
}

/**
 * Accepts drafts of this mailbox's user, in order. `known` holds the keys of the last 24 hours that the drafts name; `timing`
 * says when each is to be planned.
 */
export const accept = (
  state: MailboxState,
  drafts: ReadonlyArray<Draft>,
  known: ReadonlyMap<string, Known>,
  now: DateTime.Utc,
  nextId: () => NotificationId,
  timing: (draft: Draft) => Timing = () => ({ planAt: null, fallbackAt: now })
): readonly [MailboxState, Acceptance] => {
  const answers: Array<Accepted> = []
  const rows: Array<StoredNotification> = []
  const fresh = new Map<string, Known>()
  let seq = state.seq
  let unread = state.unread
  for (const draft of drafts) {
    const earlier =
      draft.dedupeKey === undefined ? undefined : (known.get(draft.dedupeKey) ?? fresh.get(draft.dedupeKey))
    if (earlier !== undefined) {
      answers.push({ notificationId: earlier.notificationId, seq: earlier.seq, duplicate: true })
      continue
    }
    seq += 1
    const id = draft.id ?? nextId()
    const hidden = draft.options?.channels !== undefined && !draft.options.channels.includes("in_app")
    if (!hidden) unread += 1
    if (draft.dedupeKey !== undefined) fresh.set(draft.dedupeKey, { notificationId: id, seq })
    answers.push({ notificationId: id, seq, duplicate: false })
    rows.push({
      tenantId: draft.tenantId,
      userId: draft.userId,
      id,
      seq,
      type: draft.type,
      title: draft.title,
      message: draft.message,
      priority: draft.priority,
      ...(draft.data === undefined ? {} : { data: draft.data }),
      createdAt: now,
      readAt: null,
      push: draft.push ?? "fallback",
      dedupeKey: draft.dedupeKey ?? null,
      source: draft.source ?? null,
      urgency: draft.urgency ?? urgencyOf[draft.priority],
      options: draft.options ?? null,
      hidden,
      ...timing(draft)
    })
  }
  return [
    { ...state, seq, unread },
    { answers, rows }
  ]
}

/** What a client that comes with `position` gets. */
export type Resume =
  | { readonly _tag: "Recover"; readonly afterSeq: number; readonly afterRev: number | undefined }
  | { readonly _tag: "StartFresh" }

/** Recovers only when nothing after the client's position is missing; anything else would be untrue. */
export const resume = (state: MailboxState, position: Position | undefined): Resume =>
  position === undefined ||
  position.epoch !== state.epoch ||
  position.seq > state.seq ||
  position.seq < state.floor ||
  (position.rev !== undefined && position.rev > state.rev)
    ? { _tag: "StartFresh" }
    : { _tag: "Recover", afterSeq: position.seq, afterRev: position.rev }

/** Cumulative: everything up to the position is seen. A position of another epoch or of the future changes nothing. */
export const acknowledge = (state: MailboxState, position: Position): MailboxState =>
  position.epoch !== state.epoch || position.seq > state.seq || position.seq <= state.acknowledged
    ? state
    : { ...state, acknowledged: position.seq }

/** The newest position of the stream. */
export const head = (state: MailboxState): Position => ({ epoch: state.epoch, seq: state.seq, rev: state.rev })
