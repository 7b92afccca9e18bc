/**
 * Writes what became of deliveries: many reports in one transaction, again until the store takes them or the lease is over.
 */
import { Context, DateTime, Duration, Effect, Exit, Layer, Schedule } from "effect"
import type { Report } from "@beckon/domain/ports/DeliveryStore"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import * as Batcher from "../mailbox/Batcher.ts"
import { DeliverySettings } from "./DeliverySettings.ts"

const again = Schedule.min([Schedule.jittered(Schedule.exponential("50 millis")), Schedule.spaced("5 seconds")])

/** A database may be away for longer than a lease; what a provider has taken is worth the memory. */
const tellSent = Duration.hours(1)

export class Reporter extends Context.Service<
  Reporter,
  {
    /**
     * Answers when the report is saved. What was sent is told for an hour, everything else as long as the lease: then the delivery
     * is sent again, which a provider may see twice.
     */
    readonly report: (report: Report) => Effect.Effect<void>
  }
>()("@beckon/server/delivery/Reporter") {
  static readonly layer = Layer.effect(
    Reporter,
    Effect.gen(function* () {
      const store = yield* DeliveryStore
      const { claimBatch, lease } = yield* DeliverySettings

      const save = (reports: ReadonlyArray<Report>) => Effect.flatMap(DateTime.now, (now) => store.report(reports, now))

      /** One report that the store refuses must not take the others with it. */
      const step = (reports: ReadonlyArray<Report>) =>
        Effect.matchEffect(save(reports), {
          onSuccess: () => Effect.succeed(reports.map(() => Exit.void)),
          onFailure: (error) =>
            reports.length === 1
              ? Effect.succeed([Exit.fail(error)])
              : Effect.forEach(reports, (report) => Effect.exit(save([report])))
        })

      const batcher = yield* Batcher.make<Report, void, StoreUnavailable>({
        maxWeight: claimBatch,
        weigh: () => 1,
        concurrency: 1,
        step
      })

      return {
        report: (report) =>
          batcher.submit(report).pipe(
            Effect.retry(Schedule.upTo(again, { duration: report.result._tag === "Sent" ? tellSent : lease })),
            Effect.catch((error) =>
              Effect.logError(`The fate of delivery ${report.id} was not saved; it is sent again`, error)
            )
          )
      }
    })
  )
}
