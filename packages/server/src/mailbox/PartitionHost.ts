/**
 * Hosts the mailboxes of one partition: finds or wakes the mailbox of a user, hands it the command, puts idle ones away.
 */
import { Cause, Clock, Duration, Effect, Exit, Fiber, Queue, Schedule, Scope } from "effect"
import { CurrentAddress, CurrentRunnerAddress } from "effect/cluster/Entity"
import type { RunnerAddress } from "effect/cluster/RunnerAddress"
import type { SessionId } from "@beckon/domain/Identifiers"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import * as Keys from "@beckon/domain/MailboxKey"
import * as MailboxState from "@beckon/domain/MailboxState"
import type { Accepted, Draft } from "@beckon/domain/Notification"
import { Unavailable } from "@beckon/domain/Problem"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import { FrameOutlet } from "./FrameOutlet.ts"
import { GroupCommit } from "./GroupCommit.ts"
import * as Mailbox from "./Mailbox.ts"
import { MailboxPartition } from "./MailboxProtocol.ts"
import type { AttachReply } from "./MailboxProtocol.ts"
import { MailboxSettings } from "./MailboxSettings.ts"
import { ResidentMailboxes } from "./ResidentMailboxes.ts"
import { StateLoader } from "./StateLoader.ts"

const full = new Unavailable({ detail: "The mailbox has too many commands waiting; try again." })

/** How a node is named in answers: where the others reach it. */
export const nodeName = ({ host, port }: Pick<RunnerAddress, "host" | "port">): string => `${host}:${port}`

const makeHost = Effect.gen(function* () {
  const deps: Mailbox.Dependencies = {
    store: yield* NotificationStore,
    commit: yield* GroupCommit,
    load: yield* StateLoader,
    outlet: yield* FrameOutlet,
    settings: yield* MailboxSettings,
    node: nodeName(yield* CurrentRunnerAddress)
  }
  const resident = yield* ResidentMailboxes
  const address = yield* CurrentAddress
  const scope = yield* Effect.scope
  const home = yield* Effect.context()
  const mailboxes = new Map<string, Mailbox.Mailbox>()
  const dirty = new Map<string, Mailbox.Mailbox>()
  resident.add(address.entityId, mailboxes)

  const mailboxOf = Effect.fnUntraced(function* (key: MailboxKey) {
    const now = yield* Clock.currentTimeMillis
    const name = Keys.toString(key)
    const known = mailboxes.get(name)
    if (known !== undefined) {
      known.lastUsed = now
      mailboxes.delete(name)
      mailboxes.set(name, known)
      return known
    }
    const made = yield* Mailbox.make(key, now)
    const other = mailboxes.get(name)
    if (other !== undefined) return other
    mailboxes.set(name, made)
    // It lives longer than the call that wakes it: with that call's context it would keep its request, its rights and its log.
    const life = Effect.annotateLogs(Mailbox.supervised(made, deps), { tenant: key.tenantId, user: key.userId })
    made.fiber = yield* Effect.forkIn(Effect.setContext(life, home), scope)
    return made
  })

  const tell = (mailbox: Mailbox.Mailbox, command: Mailbox.Command) => {
    if (Queue.sizeUnsafe(mailbox.queue) >= deps.settings.capacity) command.done(Exit.fail(full))
    else Queue.offerUnsafe(mailbox.queue, command)
  }

  /** A mailbox can be put away between its being found and its being told: then it is looked for again. */
  const isAwake = (mailbox: Mailbox.Mailbox): boolean => mailboxes.get(Keys.toString(mailbox.key)) === mailbox

  const ask = <A>(
    key: MailboxKey,
    command: (done: (exit: Exit.Exit<A, Unavailable>) => void) => Mailbox.Command
  ): Effect.Effect<A, Unavailable> =>
    Effect.flatMap(mailboxOf(key), (mailbox) =>
      Effect.callback<A, Unavailable>((resume) => {
        if (isAwake(mailbox)) tell(mailbox, command(resume))
        else resume(ask(key, command))
      })
    )

  /**
   * A batch to a million users wakes a million mailboxes: beyond `awake` of them that nobody listens to, those that were used
   * longest ago are put away. The map is in the order of use.
   */
  let listening = 0
  const disperse = Effect.suspend(() => {
    let surplus = mailboxes.size - listening - deps.settings.awake
    if (surplus <= 0) return Effect.void
    const leaving: Array<Mailbox.Mailbox> = []
    for (const mailbox of mailboxes.values()) {
      if (surplus <= 0) break
      if (!Mailbox.isIdle(mailbox, mailbox.lastUsed, 0)) continue
      leaving.push(mailbox)
      surplus -= 1
    }
    return Effect.forEach(leaving, (mailbox) => sleep(Keys.toString(mailbox.key), mailbox), { discard: true })
  })

  const deliver = Effect.fnUntraced(function* (
    drafts: ReadonlyArray<Draft>
  ): Effect.fn.Return<ReadonlyArray<Accepted>, Unavailable> {
    const groups = new Map<string, { readonly key: MailboxKey; readonly indexes: Array<number> }>()
    drafts.forEach((draft, index) => {
      const name = Keys.toString(draft)
      const group = groups.get(name)
      if (group === undefined) groups.set(name, { key: draft, indexes: [index] })
      else group.indexes.push(index)
    })
    const targets: Array<readonly [Mailbox.Mailbox, ReadonlyArray<number>]> = []
    for (const { indexes, key } of groups.values()) {
      targets.push([yield* mailboxOf({ tenantId: key.tenantId, userId: key.userId }), indexes])
    }
    const answered = yield* Effect.callback<ReadonlyArray<Accepted>, Unavailable>((resume) => {
      const answers: Array<Accepted> = []
      let waiting = targets.length
      let failure: Exit.Exit<never, Unavailable> | undefined
      if (waiting === 0) return resume(Exit.succeed(answers))
      if (!targets.every(([mailbox]) => isAwake(mailbox))) return resume(deliver(drafts))
      for (const [mailbox, indexes] of targets) {
        let answered = false
        tell(mailbox, {
          _tag: "Deliver",
          drafts: indexes.flatMap((index) => drafts[index] ?? []),
          done: (exit) => {
            if (answered) return
            answered = true
            if (Exit.isFailure(exit)) failure = Exit.failCause(exit.cause)
            else exit.value.forEach((accepted, at) => (answers[indexes[at] ?? -1] = accepted))
            waiting -= 1
            if (waiting === 0) resume(failure ?? Exit.succeed(answers))
          }
        })
      }
    })
    yield* disperse
    return answered
  })

  const acknowledge = (
    positions: ReadonlyArray<{ key: MailboxKey; position: Parameters<typeof MailboxState.acknowledge>[1] }>
  ) =>
    Effect.sync(() => {
      for (const { key, position } of positions) {
        const name = Keys.toString(key)
        const mailbox = mailboxes.get(name)
        if (mailbox?.state === undefined) continue
        const next = MailboxState.acknowledge(mailbox.state, position)
        if (next === mailbox.state) continue
        mailbox.state = next
        dirty.set(name, mailbox)
      }
    })

  /** At once, and again after what waits: the session's own attachment may be among it, and its caller gone. */
  const detach = (key: MailboxKey, sessionId: SessionId) =>
    Effect.sync(() => {
      const mailbox = mailboxes.get(Keys.toString(key))
      if (mailbox === undefined) return
      mailbox.sessions.delete(sessionId)
      if (Mailbox.isBusy(mailbox)) Queue.offerUnsafe(mailbox.queue, { _tag: "Detach", sessionId, done: () => {} })
    })

  const saveAcknowledged = Effect.suspend(() => {
    const changed = [...dirty.values()].flatMap(({ key, state }) =>
      state === undefined ? [] : [{ ...key, seq: state.acknowledged }]
    )
    dirty.clear()
    return changed.length === 0
      ? Effect.void
      : Effect.catchCause(deps.store.saveAcknowledged(changed), (cause) =>
          Cause.hasInterruptsOnly(cause)
            ? Effect.void
            : Effect.logWarning("Acknowledgements were not saved; clients acknowledge again when they come back", cause)
        )
  })

  const sleep = (name: string, mailbox: Mailbox.Mailbox): Effect.Effect<void> => {
    mailboxes.delete(name)
    return mailbox.fiber === undefined ? Effect.void : Fiber.interrupt(mailbox.fiber)
  }

  const putAway = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const idleAfter = Duration.toMillis(deps.settings.idleAfter)
    listening = 0
    for (const [name, mailbox] of mailboxes) {
      if (Mailbox.isIdle(mailbox, now, idleAfter)) yield* sleep(name, mailbox)
      else if (mailbox.sessions.size > 0) listening += 1
    }
  })

  yield* Effect.forkScoped(Effect.repeat(saveAcknowledged, Schedule.spaced(deps.settings.acknowledgeEvery)))
  yield* Effect.forkScoped(
    Effect.repeat(
      putAway,
      Schedule.spaced(Duration.max(Duration.seconds(1), Duration.times(deps.settings.idleAfter, 0.5)))
    )
  )
  yield* Scope.addFinalizer(
    scope,
    Effect.gen(function* () {
      resident.remove(address.entityId)
      for (const mailbox of mailboxes.values()) yield* Mailbox.abandon(mailbox, deps.outlet)
      yield* saveAcknowledged
    })
  )

  return MailboxPartition.of({
    Deliver: ({ payload }) => deliver(payload.drafts),
    Attach: ({ payload }) =>
      Effect.andThen(
        deps.outlet.prepare(payload.gatewayId),
        ask<AttachReply>(payload.key, (done) => ({
          _tag: "Attach",
          gatewayId: payload.gatewayId,
          sessionId: payload.sessionId,
          position: payload.position,
          done
        }))
      ),
    Detach: ({ payload }) => detach(payload.key, payload.sessionId),
    Acknowledge: ({ payload }) => acknowledge(payload.positions),
    ChangeState: ({ payload }) => ask(payload.key, (done) => ({ _tag: "Change", request: payload.request, done }))
  })
})

/** Registers the entity on this node. */
export const layer = MailboxPartition.toLayer(makeHost, {
  concurrency: "unbounded",
  maxIdleTime: Duration.infinity
})
