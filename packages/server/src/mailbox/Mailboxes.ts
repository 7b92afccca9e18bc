/**
 * What the rest of the server knows of mailboxes: name the user, and the call finds its partition, wherever it is.
 *
 * **Details**
 *
 * effect/cluster interrupts the calls that a partition is serving when it moves to another node, and the caller sees an
 * interrupt that is not his own. Here that is no interrupt: what may be done twice is asked again, of the new node.
 *
 * **Gotchas**
 *
 * Every call has a time limit, because effect/cluster tries a partition without a node again for ever. After a time-out it
 * is not known whether the call was carried out: deliveries carry a `dedupeKey` when that matters.
 */
import { Cause, Context, Data, Effect, Layer, Schedule } from "effect"
import { Sharding } from "effect/cluster"
import * as CallOrigin from "@beckon/domain/CallOrigin"
import { forSharding } from "./PartitionIds.ts"
import type { GatewayId, SessionId } from "@beckon/domain/Identifiers"
import type { Change } from "@beckon/domain/InboxRpcs"
import type { MailboxKey } from "@beckon/domain/MailboxKey"
import { partitionOf } from "@beckon/domain/MailboxKey"
import type { Accepted, Draft } from "@beckon/domain/Notification"
import type { Position } from "@beckon/domain/Position"
import { Unavailable } from "@beckon/domain/Problem"
import { MailboxPartition } from "./MailboxProtocol.ts"
import type { AttachReply, StateRequest } from "./MailboxProtocol.ts"
import { MailboxSettings } from "./MailboxSettings.ts"

export interface AttachRequest {
  readonly key: MailboxKey
  readonly gatewayId: GatewayId
  readonly sessionId: SessionId
  readonly position?: Position
}

/** The partition moved while it served a call; whether it was carried out is not known. */
class Moved extends Data.TaggedError("Moved") {}

/** The new node is known to this one at the next look at the assignments. */
const afterMove = Schedule.spaced("50 millis").pipe(Schedule.jittered)

export class Mailboxes extends Context.Service<
  Mailboxes,
  {
    /** Answers in the order of the drafts, when all are saved. When it fails, some may be saved. */
    readonly deliver: (drafts: ReadonlyArray<Draft>) => Effect.Effect<ReadonlyArray<Accepted>, Unavailable>
    readonly attach: (request: AttachRequest) => Effect.Effect<AttachReply, Unavailable>
    readonly detach: (key: MailboxKey, sessionId: SessionId) => Effect.Effect<void, Unavailable>
    readonly acknowledge: (
      positions: ReadonlyArray<{ readonly key: MailboxKey; readonly position: Position }>
    ) => Effect.Effect<void, Unavailable>
    readonly changeState: (key: MailboxKey, request: StateRequest) => Effect.Effect<Change, Unavailable>
  }
>()("@beckon/server/mailbox/Mailboxes") {
  static readonly layer = Layer.effect(
    Mailboxes,
    Effect.gen(function* () {
      const sharding = yield* Sharding.Sharding
      const { callTimeout } = yield* MailboxSettings
      const clientOf = yield* MailboxPartition.client
      const ids = forSharding(sharding)
      const partition = (number: number) => clientOf(ids[number] ?? "")

      /** An interrupt of the caller himself goes on as one. */
      const answered = <A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, E | Moved> =>
        Effect.catchCauseIf(call, Cause.hasInterruptsOnly, () => Effect.fail(new Moved()))

      /** Everything that the cluster can answer besides our own error means: not now. */
      const bounded = <A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, Unavailable> =>
        Effect.catch(Effect.timeout(answered(call), callTimeout), (error) =>
          Effect.fail(
            error instanceof Unavailable
              ? error
              : new Unavailable({ detail: "The partition of this mailbox does not answer at the moment; try again." })
          )
        )

      /** For what may be done twice. */
      const repeated = <A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, Unavailable> =>
        bounded(Effect.retry(answered(call), { while: (error) => error instanceof Moved, schedule: afterMove }))

      const deliverTo = (number: number, drafts: ReadonlyArray<Draft>) => {
        const call = partition(number).Deliver({ drafts })
        return drafts.every(({ dedupeKey }) => dedupeKey !== undefined) ? repeated(call) : bounded(call)
      }

      const group = <A>(items: ReadonlyArray<A>, keyOf: (item: A) => MailboxKey) => {
        const groups = new Map<number, Array<number>>()
        items.forEach((item, index) => {
          const number = partitionOf(keyOf(item))
          const indexes = groups.get(number)
          if (indexes === undefined) groups.set(number, [index])
          else indexes.push(index)
        })
        return [...groups]
      }

      const deliver = Effect.fnUntraced(function* (asked: ReadonlyArray<Draft>) {
        const drafts = CallOrigin.correlated(asked, yield* CallOrigin.CallOrigin)
        const groups = group(drafts, (draft) => draft)
        const first = groups[0]
        if (groups.length === 1 && first !== undefined) return yield* deliverTo(first[0], drafts)
        const answers: Array<Accepted> = []
        yield* Effect.forEach(
          groups,
          ([number, indexes]) =>
            Effect.map(
              deliverTo(
                number,
                indexes.flatMap((index) => drafts[index] ?? [])
              ),
              (accepted) => accepted.forEach((one, at) => (answers[indexes[at] ?? -1] = one))
            ),
          { concurrency: "unbounded", discard: true }
        )
        return answers
      })

      return {
        deliver,
        attach: (request) => repeated(partition(partitionOf(request.key)).Attach(request)),
        detach: (key, sessionId) => repeated(partition(partitionOf(key)).Detach({ key, sessionId })),
        acknowledge: (positions) =>
          Effect.forEach(
            group(positions, ({ key }) => key),
            ([number, indexes]) =>
              repeated(
                partition(number).Acknowledge({ positions: indexes.flatMap((index) => positions[index] ?? []) })
              ),
            { concurrency: "unbounded", discard: true }
          ),
        changeState: (key, request) => repeated(partition(partitionOf(key)).ChangeState({ key, request }))
      }
    })
  )
}
