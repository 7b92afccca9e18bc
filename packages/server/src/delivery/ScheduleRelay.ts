/**
 * Hands scheduled notifications to their mailboxes when their time has come.
 *
 * **Details**
 *
 * At least once to the mailbox, which knows the promised id and dedupe key: one notification, however often it is handed over.
 */
import { Cause, DateTime, Duration, Effect, Layer } from "effect"
import { ScheduleStore } from "@beckon/domain/ports/ScheduleStore"
import type { Scheduled } from "@beckon/domain/ports/ScheduleStore"
import { Mailboxes } from "../mailbox/Mailboxes.ts"
import { DeliverySettings } from "./DeliverySettings.ts"
import { Nudges } from "./Nudges.ts"

const batch = 200
const lease = Duration.seconds(60)

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const store = yield* ScheduleStore
    const mailboxes = yield* Mailboxes
    const { poll } = yield* DeliverySettings
    const { schedule } = yield* Nudges

    /** Answers what is saved. One that its mailbox does not take must not hold up the others. */
    const hand = (due: ReadonlyArray<Scheduled>) =>
      Effect.matchCauseEffect(mailboxes.deliver(due.map(({ draft }) => draft)), {
        onSuccess: () => Effect.succeed(due.map(({ id }) => id)),
        onFailure: (cause) =>
          Cause.hasInterruptsOnly(cause)
            ? Effect.failCause(cause)
            : Effect.map(
                Effect.forEach(due, ({ draft, id }) =>
                  Effect.catchCause(Effect.as(mailboxes.deliver([draft]), [id]), (cause) =>
                    Cause.hasInterruptsOnly(cause)
                      ? Effect.failCause(cause)
                      : Effect.as(
                          Effect.logError(
                            `The scheduled notification ${id} is not taken by its mailbox; it comes back`,
                            cause
                          ),
                          []
                        )
                  )
                ),
                (saved) => saved.flat()
              )
      })

    const round = Effect.gen(function* () {
      const due = yield* store.claim(batch, yield* DateTime.now, lease)
      if (due.length > 0) yield* store.remove(yield* hand(due))
      if (due.length < batch) yield* schedule.wait(poll)
    })

    yield* Effect.forkScoped(
      Effect.forever(
        Effect.catchCause(round, (cause) =>
          Cause.hasInterruptsOnly(cause)
            ? Effect.failCause(cause)
            : Effect.andThen(
                Effect.logWarning("Scheduled notifications could not be handed over; they come back", cause),
                Effect.sleep(poll)
              )
        )
      )
    )
  })
)
