/**
 * Saves what many mailboxes accepted in one insert.
 *
 * **Details**
 *
 * One for each node, not one for each partition: 500 users spread over 64 partitions would otherwise make 64 inserts of 8
 * rows instead of one of 500. A mailbox has at most one submission at a time, so concurrent steps never share a mailbox.
 * When a batch fails for another reason than a lost database, each submission is tried alone: one mailbox whose owner has
 * changed, or whose rows the database refuses, costs the others nothing.
 */
import { Cause, Context, DateTime, Duration, Effect, Exit, Layer, Option } from "effect"
import { uuidV7Unsafe } from "effect/crypto/SecureRandom"
import { NotificationId } from "@beckon/domain/Identifiers"
import type { TenantId } from "@beckon/domain/Identifiers"
import * as MailboxKey from "@beckon/domain/MailboxKey"
import * as MailboxState from "@beckon/domain/MailboxState"
import type { Draft } from "@beckon/domain/Notification"
import { NotificationStore } from "@beckon/domain/ports/NotificationStore"
import type { SeqConflict, StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import * as Metrics from "../operations/Metrics.ts"
import * as Batcher from "./Batcher.ts"
import { DeliveryTiming } from "./DeliveryTiming.ts"
import { MailboxSettings } from "./MailboxSettings.ts"

export interface Submission {
  readonly key: MailboxKey.MailboxKey
  readonly state: MailboxState.MailboxState
  readonly drafts: ReadonlyArray<Draft>
  /** A device of the user listens. */
  readonly online: boolean
}

export type Committed = readonly [MailboxState.MailboxState, MailboxState.Acceptance]

const dedupeWindow = Duration.hours(24)

const nextId = (): NotificationId => NotificationId.make(uuidV7Unsafe(), { disableChecks: true })

const noDuplicates: ReadonlyMap<string, MailboxState.Known> = new Map()

const isConflict = (cause: Cause.Cause<SeqConflict | StoreUnavailable>): boolean =>
  Option.exists(Cause.findErrorOption(cause), (error) => error._tag === "SeqConflict")

const hasKeys = ({ drafts }: Submission): boolean => drafts.every(({ dedupeKey }) => dedupeKey !== undefined)

/** Once for each tenant of a batch. */
const count = (submissions: ReadonlyArray<Submission>, committed: ReadonlyArray<Committed>) => {
  const accepted = new Map<TenantId, number>()
  const duplicates = new Map<TenantId, number>()
  committed.forEach(([, { answers, rows }], index) => {
    const tenantId = submissions[index]?.key.tenantId
    if (tenantId === undefined) return
    accepted.set(tenantId, (accepted.get(tenantId) ?? 0) + rows.length)
    duplicates.set(tenantId, (duplicates.get(tenantId) ?? 0) + answers.length - rows.length)
  })
  Metrics.addAll("notifications", { outcome: "accepted" }, accepted)
  Metrics.addAll("notifications", { outcome: "duplicate" }, duplicates)
}

export class GroupCommit extends Context.Service<
  GroupCommit,
  Batcher.Batcher<Submission, Committed, SeqConflict | StoreUnavailable>
>()("@beckon/server/mailbox/GroupCommit") {
  static readonly layer = Layer.effect(
    GroupCommit,
    Effect.gen(function* () {
      const store = yield* NotificationStore
      const deliveries = yield* DeliveryTiming
      const settings = yield* MailboxSettings

      const duplicatesOf = Effect.fnUntraced(function* (submissions: ReadonlyArray<Submission>, now: DateTime.Utc) {
        const asked = submissions.flatMap(({ drafts, key }) =>
          drafts.flatMap(({ dedupeKey }) => (dedupeKey === undefined ? [] : [{ ...key, dedupeKey }]))
        )
        const known = new Map<string, Map<string, MailboxState.Known>>()
        if (asked.length === 0) return known
        for (const found of yield* store.findDuplicates(asked, DateTime.subtractDuration(now, dedupeWindow))) {
          const mailbox = MailboxKey.toString(found)
          const ofMailbox = known.get(mailbox) ?? new Map<string, MailboxState.Known>()
          known.set(mailbox, ofMailbox.set(found.dedupeKey, found))
        }
        return known
      })

      const commit = Effect.fnUntraced(function* (submissions: ReadonlyArray<Submission>) {
        const now = yield* DateTime.now
        const known = yield* duplicatesOf(submissions, now)
        const timingOf = yield* deliveries.of(new Set(submissions.map(({ key }) => key.tenantId)))
        const committed = submissions.map(({ drafts, key, online, state }): Committed =>
          MailboxState.accept(
            state,
            drafts,
            known.get(MailboxKey.toString(key)) ?? noDuplicates,
            now,
            nextId,
            (draft) => timingOf(draft, online, now)
          )
        )
        const rows = committed.flatMap(([, acceptance]) => acceptance.rows)
        if (rows.length > 0) {
          yield* store.append(rows)
          deliveries.saved(rows)
        }
        count(submissions, committed)
        return committed.map((one) => Exit.succeed(one))
      })

      // After this many failures of the store in one batch it is the store, not the rows.
      const patience = 3

      /** `failure` is what became of all together; unless it is a conflict, it is not known whether they were written. */
      const commitOneByOne = Effect.fnUntraced(function* (
        submissions: ReadonlyArray<Submission>,
        failure: Cause.Cause<SeqConflict | StoreUnavailable>
      ) {
        const mayBeWritten = !isConflict(failure)
        const exits: Array<Exit.Exit<Committed, SeqConflict | StoreUnavailable>> = []
        let failures = 0
        for (const submission of submissions) {
          const lost = failures < patience ? undefined : exits.findLast(Exit.isFailure)
          if (lost !== undefined) {
            exits.push(lost)
            continue
          }
          const exit = yield* Effect.exit(commit([submission]))
          if (Exit.isSuccess(exit)) {
            exits.push(exit.value[0] ?? Exit.die("The commit gave no answer"))
            continue
          }
          // The conflict may be with our own rows. To number them anew would write them twice, so the caller is told instead;
          // with a dedupe key for each draft they would have been found, and the conflict is another owner's.
          const isOwn = mayBeWritten && isConflict(exit.cause) && !hasKeys(submission)
          exits.push(Exit.failCause(isOwn ? failure : exit.cause))
          if (Option.exists(Exit.findErrorOption(exit), (error) => error._tag === "StoreUnavailable")) failures += 1
        }
        return exits
      })

      return yield* Batcher.make<Submission, Committed, SeqConflict | StoreUnavailable>({
        maxWeight: settings.commitRows,
        weigh: ({ drafts }) => drafts.length,
        concurrency: settings.commitConcurrency,
        step: (submissions) =>
          Effect.catchCause(commit(submissions), (cause) =>
            submissions.length === 1 ? Effect.succeed([Exit.failCause(cause)]) : commitOneByOne(submissions, cause)
          )
      })
    })
  )
}
