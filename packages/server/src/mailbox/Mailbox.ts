/**
 * The mailbox of one user: a supervised fiber with a queue. Everything that happens to the user passes through it, in order.
 *
 * **Details**
 *
 * The fiber takes all that waits (one wake for a burst), accepts neighbouring deliveries in one submission to the group
 * commit, and pushes after the commit. It reads its state when the first command comes and forgets it when something goes
 * wrong: a crash (`supervised`), or a `SeqConflict` that tells of another owner. In both cases its sessions are told to
 * attach again from their positions, so nothing that was saved and not pushed is lost.
 */
import { Cause, DateTime, Effect, Exit, Queue } from "effect"
import type { Fiber } from "effect"
import type { GatewayId, SessionId } from "@beckon/domain/Identifiers"
import * as InboxFrame from "@beckon/domain/InboxFrame"
import type { Change } from "@beckon/domain/InboxRpcs"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import * as MailboxState from "@beckon/domain/MailboxState"
import type { Accepted, Draft, StoredNotification } from "@beckon/domain/Notification"
import type { Position } from "@beckon/domain/Position"
import { Unavailable } from "@beckon/domain/Problem"
import type { NotificationStore, StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import type { Batcher } from "./Batcher.ts"
import type { FrameOutlet, OutFrame } from "./FrameOutlet.ts"
import type { GroupCommit } from "./GroupCommit.ts"
import type { AttachReply, StateRequest } from "./MailboxProtocol.ts"
import type { MailboxSettingsShape } from "./MailboxSettings.ts"

export interface Dependencies {
  readonly store: NotificationStore["Service"]
  readonly commit: GroupCommit["Service"]
  readonly load: Batcher<MailboxKey, MailboxState.MailboxState, StoreUnavailable>
  readonly outlet: FrameOutlet["Service"]
  readonly settings: MailboxSettingsShape
  /** The address of this node among the others. */
  readonly node: string
}

/** Called once with the outcome; must not throw. */
type Done<A> = (exit: Exit.Exit<A, Unavailable>) => void

export type Command =
  | { readonly _tag: "Deliver"; readonly drafts: ReadonlyArray<Draft>; readonly done: Done<ReadonlyArray<Accepted>> }
  | {
      readonly _tag: "Attach"
      readonly gatewayId: GatewayId
      readonly sessionId: SessionId
      readonly position: Position | undefined
      readonly done: Done<AttachReply>
    }
  | { readonly _tag: "Change"; readonly request: StateRequest; readonly done: Done<Change> }
  | { readonly _tag: "Detach"; readonly sessionId: SessionId; readonly done: Done<void> }

type Deliver = Extract<Command, { _tag: "Deliver" }>

export interface Mailbox {
  readonly key: MailboxKey
  readonly queue: Queue.Queue<Command>
  readonly sessions: Map<SessionId, GatewayId>
  state: MailboxState.MailboxState | undefined
  /** Commands that the fiber has taken and not answered. */
  inFlight: ReadonlyArray<Command>
  fiber: Fiber.Fiber<never> | undefined
  /** Milliseconds since 1970 of the last command. */
  lastUsed: number
}

export const make = (key: MailboxKey, now: number): Effect.Effect<Mailbox> =>
  Effect.map(Queue.unbounded<Command>(), (queue) => ({
    key,
    queue,
    sessions: new Map(),
    state: undefined,
    inFlight: [],
    fiber: undefined,
    lastUsed: now
  }))

const unavailable = (detail: string) => new Unavailable({ detail })

const fail = (command: Command, error: Unavailable) => command.done(Exit.fail(error))

/** Whether something runs or waits. */
export const isBusy = (mailbox: Mailbox): boolean => mailbox.inFlight.length > 0 || Queue.sizeUnsafe(mailbox.queue) > 0

/** Whether the mailbox may be put away: nothing waits, nothing runs, nobody listens. */
export const isIdle = (mailbox: Mailbox, now: number, idleAfter: number): boolean =>
  mailbox.sessions.size === 0 && !isBusy(mailbox) && now - mailbox.lastUsed >= idleAfter

/** Forgets the state and makes every session attach again. */
const reset = (mailbox: Mailbox, outlet: FrameOutlet["Service"]) => {
  mailbox.state = undefined
  const sessions = [...mailbox.sessions]
  mailbox.sessions.clear()
  for (const [sessionId, gatewayId] of sessions) outlet.reattach(gatewayId, sessionId)
}

const push = (mailbox: Mailbox, outlet: FrameOutlet["Service"], frames: ReadonlyArray<OutFrame>) => {
  for (const [sessionId, gatewayId] of mailbox.sessions) outlet.write(mailbox.key, gatewayId, sessionId, frames)
}

const notificationFrame = (notification: StoredNotification, unread: number): OutFrame => ({
  json: InboxFrame.encode({ _tag: "Notification", notification, unread }),
  seq: notification.seq
})

const loadState = Effect.fnUntraced(function* (mailbox: Mailbox, deps: Dependencies) {
  if (mailbox.state !== undefined) return mailbox.state
  const state = yield* deps.load.submit(mailbox.key)
  mailbox.state = state
  return state
})

/** Another owner may have written meanwhile: read again and try again, so often. */
const conflictRetries = 3

const deliver = Effect.fnUntraced(function* (mailbox: Mailbox, commands: ReadonlyArray<Deliver>, deps: Dependencies) {
  const drafts =
    commands.length === 1 && commands[0] !== undefined ? commands[0].drafts : commands.flatMap((one) => one.drafts)
  for (let attempt = 0; ; attempt++) {
    const state = yield* loadState(mailbox, deps)
    const exit = yield* Effect.exit(
      deps.commit.submit({ key: mailbox.key, state, drafts, online: mailbox.sessions.size > 0 })
    )
    if (Exit.isSuccess(exit)) {
      const [next, acceptance] = exit.value
      mailbox.state = { ...next, acknowledged: Math.max(next.acknowledged, mailbox.state?.acknowledged ?? 0) }
      if (mailbox.sessions.size > 0) {
        let unread = state.unread
        const frames = acceptance.rows.map((row) =>
          row.hidden ? { json: "", seq: row.seq } : notificationFrame(row, (unread += 1))
        )
        if (frames.length > 0) push(mailbox, deps.outlet, frames)
      }
      let from = 0
      for (const command of commands) {
        const to = from + command.drafts.length
        command.done(Exit.succeed(acceptance.answers.slice(from, to)))
        from = to
      }
      return
    }
    reset(mailbox, deps.outlet)
    const error = Cause.findErrorOption(exit.cause)
    const isConflict = error._tag === "Some" && error.value._tag === "SeqConflict"
    if (!isConflict || attempt >= conflictRetries) return yield* Effect.failCause(exit.cause)
  }
})

const attach = Effect.fnUntraced(function* (
  mailbox: Mailbox,
  command: Extract<Command, { _tag: "Attach" }>,
  deps: Dependencies
) {
  const { settings, store } = deps
  const state = yield* loadState(mailbox, deps)
  const plan = MailboxState.resume(state, command.position)
  const head = MailboxState.head(state)
  const frames: Array<OutFrame> = []
  let recovered = plan._tag === "Recover"

  if (plan._tag === "Recover" && plan.afterSeq < state.seq) {
    const rows = yield* store.after(mailbox.key, plan.afterSeq, state.seq, settings.resumePage)
    for (const row of rows) frames.push(notificationFrame(row, state.unread))
    const last = rows.at(-1)
    if (rows.length === settings.resumePage && last !== undefined && last.seq < state.seq) {
      return command.done(Exit.succeed({ recovered, head, unread: state.unread, frames, more: true, node: deps.node }))
    }
  }
  if (plan._tag === "Recover" && plan.afterRev !== undefined && plan.afterRev < state.rev) {
    const limit = settings.resumeChanges
    const changes = yield* store.changedAfter(mailbox.key, plan.afterRev, plan.afterSeq, limit + 1)
    if (changes.length > limit) {
      recovered = false
      frames.length = 0
    } else {
      const chunk = 500
      for (let from = 0; from < changes.length; from += chunk) {
        const isLast = from + chunk >= changes.length
        const rev = isLast ? state.rev : plan.afterRev
        frames.push({
          json: InboxFrame.encode({
            _tag: "Changed",
            rev,
            unread: state.unread,
            changes: changes.slice(from, from + chunk)
          }),
          rev
        })
      }
    }
  }
  if (!recovered) {
    const since = DateTime.subtractDuration(yield* DateTime.now, settings.freshWindow)
    for (const row of yield* store.recentUnread(mailbox.key, since, settings.freshLimit)) {
      frames.push(notificationFrame(row, state.unread))
    }
  }
  mailbox.sessions.set(command.sessionId, command.gatewayId)
  command.done(Exit.succeed({ recovered, head, unread: state.unread, frames, more: false, node: deps.node }))
})

/** What one command throws away: the mailbox answers others in between. */
const trimAtOnce = 2_000

/**
 * Retention and erasure pass through the mailbox like everything else: the floor that it knows is the one that is saved, so
 * that no client resumes over a gap.
 */
const discard = Effect.fnUntraced(function* (
  mailbox: Mailbox,
  request: Extract<StateRequest, { _tag: "Trim" | "Erase" }>,
  deps: Dependencies
): Effect.fn.Return<Change, StoreUnavailable> {
  // What fails may have been done: the floor is read anew before anybody resumes.
  const forget = Effect.sync(() => reset(mailbox, deps.outlet))
  if (request._tag === "Erase") {
    // Clients come again, and are told that what they have is not recovered.
    const changed = yield* Effect.ensuring(deps.store.erase(mailbox.key), forget)
    return { changed, unread: 0 }
  }
  const state = yield* loadState(mailbox, deps)
  const uptoSeq = Math.min(request.uptoSeq, state.seq)
  const trimming = deps.store.trim(mailbox.key, uptoSeq, trimAtOnce)
  const { trimmed, unread } = yield* Effect.onError(trimming, () => forget)
  const now = mailbox.state ?? state
  mailbox.state = { ...now, floor: Math.max(now.floor, uptoSeq), unread }
  return { changed: trimmed, unread }
})

const change = Effect.fnUntraced(function* (
  mailbox: Mailbox,
  command: Extract<Command, { _tag: "Change" }>,
  deps: Dependencies
) {
  const request = command.request
  if (request._tag === "Trim" || request._tag === "Erase") {
    return command.done(Exit.succeed(yield* discard(mailbox, request, deps)))
  }
  const state = yield* loadState(mailbox, deps)
  const now = yield* DateTime.now
  // An acknowledgement may have come while the store worked.
  const changed = (rev: number, unread: number) => {
    mailbox.state = { ...(mailbox.state ?? state), rev, unread }
  }
  if (request._tag === "SetAllRead") {
    const { changed: count, rev, unread } = yield* deps.store.setAllRead(mailbox.key, state.seq, now)
    changed(rev, unread)
    if (count > 0) {
      const json = InboxFrame.encode({ _tag: "AllRead", rev, unread, upToSeq: state.seq, readAt: now })
      push(mailbox, deps.outlet, [{ json, rev }])
    }
    return command.done(Exit.succeed({ changed: count, unread }))
  }
  const { changes, rev, unread } =
    request._tag === "SetRead"
      ? yield* deps.store.setRead(mailbox.key, request.ids, request.read, now)
      : yield* deps.store.remove(mailbox.key, request.ids, now)
  changed(rev, unread)
  if (changes.length > 0)
    push(mailbox, deps.outlet, [{ json: InboxFrame.encode({ _tag: "Changed", rev, unread, changes }), rev }])
  return command.done(Exit.succeed({ changed: changes.length, unread }))
})

/** Answers a failure of the store; anything else is a crash, which the supervisor handles. */
const answering = <E extends { readonly _tag: string }>(
  effect: Effect.Effect<void, E>,
  commands: ReadonlyArray<Command>
): Effect.Effect<void> =>
  Effect.catch(effect, (error) =>
    Effect.gen(function* () {
      yield* Effect.logWarning("A mailbox could not reach its store", error)
      for (const command of commands) fail(command, unavailable("The notification store does not answer; try again."))
    })
  )

const step = Effect.fnUntraced(function* (mailbox: Mailbox, deps: Dependencies) {
  const commands: ReadonlyArray<Command> = yield* Queue.takeAll(mailbox.queue)
  mailbox.inFlight = commands
  for (let index = 0; index < commands.length;) {
    const command = commands[index]
    if (command === undefined) break
    let end = index + 1
    if (command._tag === "Deliver") {
      const deliveries: Array<Deliver> = [command]
      for (; end < commands.length; end++) {
        const next = commands[end]
        if (next?._tag !== "Deliver") break
        deliveries.push(next)
      }
      yield* answering(deliver(mailbox, deliveries, deps), deliveries)
    } else if (command._tag === "Attach") {
      yield* answering(attach(mailbox, command, deps), [command])
    } else if (command._tag === "Change") {
      yield* answering(change(mailbox, command, deps), [command])
    } else {
      mailbox.sessions.delete(command.sessionId)
      command.done(Exit.void)
    }
    index = end
    mailbox.inFlight = commands.slice(index)
  }
})

/**
 * The fiber's whole life. A defect fails the commands at hand, resets the mailbox and goes on with the next ones; other
 * mailboxes do not notice.
 */
export const supervised = (mailbox: Mailbox, deps: Dependencies): Effect.Effect<never> =>
  Effect.forever(
    Effect.catchCause(step(mailbox, deps), (cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.failCause(cause)
        : Effect.gen(function* () {
            yield* Effect.logError("A mailbox crashed and starts again", cause)
            const commands = mailbox.inFlight
            mailbox.inFlight = []
            reset(mailbox, deps.outlet)
            for (const command of commands) fail(command, unavailable("The mailbox failed; try again."))
          })
    )
  )

/** Ends a mailbox whose partition goes away: callers are told to try again. */
export const abandon = Effect.fnUntraced(function* (mailbox: Mailbox, outlet: FrameOutlet["Service"]) {
  const waiting = yield* Queue.clear(mailbox.queue)
  for (const command of [...mailbox.inFlight, ...waiting]) {
    fail(command, unavailable("The mailbox moves to another node; try again."))
  }
  mailbox.inFlight = []
  reset(mailbox, outlet)
})
