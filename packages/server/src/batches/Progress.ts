/**
 * Tells those who watch a batch how far it is: on its topic, not more often than `progressEvery`, and always how it ended.
 */
import { Clock, Context, Duration, Effect, Layer } from "effect"
import { isFinished, topicOf } from "@beckon/domain/Batch"
import type { Batch } from "@beckon/domain/Batch"
import { Topics } from "../topics/Topics.ts"
import { BatchSettings } from "./BatchSettings.ts"

/** How long the last message is kept for those who begin to watch. */
const keptFor = Duration.hours(24)

/** Batches whose last message is known; the oldest are forgotten. */
const maxKnown = 10_000

export const progressOf = ({ counts, finishedAt, id, state, updatedAt }: Batch) => ({
  batch_id: id,
  state,
  counts: { ...counts },
  updated_at: new Date(updatedAt.epochMilliseconds).toISOString(),
  finished_at: finishedAt === null ? null : new Date(finishedAt.epochMilliseconds).toISOString()
})

export class Progress extends Context.Service<
  Progress,
  {
    /** `always`: a change that somebody asked for. */
    readonly tell: (batch: Batch, always?: boolean) => Effect.Effect<void>
  }
>()("@beckon/server/batches/Progress") {
  static readonly layer = Layer.effect(
    Progress,
    Effect.gen(function* () {
      const topics = yield* Topics
      const { progressEvery } = yield* BatchSettings
      const every = Duration.toMillis(progressEvery)
      const told = new Map<string, number>()

      return {
        tell: Effect.fnUntraced(function* (batch, always = false) {
          const now = yield* Clock.currentTimeMillis
          const name = `${batch.tenantId}\u0000${batch.id}`
          if (!always && !isFinished(batch) && now - (told.get(name) ?? -Infinity) < every) return
          told.delete(name)
          if (!isFinished(batch)) told.set(name, now)
          const [oldest] = told.keys()
          if (told.size > maxKnown && oldest !== undefined) told.delete(oldest)
          yield* topics
            .publish(batch.tenantId, topicOf(batch.id), progressOf(batch), { keptFor })
            .pipe(Effect.catch((error) => Effect.logDebug("The progress of a batch was not told", error)))
        })
      }
    })
  )
}
