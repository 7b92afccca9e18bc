import { expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect } from "effect"
import { sharedKafka } from "../../support/services/Services.ts"
import { makeJournal, recordsOf, startNode } from "./KafkaNodes.ts"

const count = 20_000

/** Processor time of this process in microseconds, and how long it took. */
const measured = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const before = process.cpuUsage()
    const [duration] = yield* Effect.timed(effect)
    const { system, user } = process.cpuUsage(before)
    const milliseconds = Math.round(Duration.toMillis(duration))
    return { milliseconds, microsecondsPerRecord: Math.round(((user + system) / count) * 10) / 10 }
  })

it.live("20,000 records go in and come out once, in order, for little processor time each", () =>
  Effect.gen(function* () {
    const { brokers, prefix } = yield* sharedKafka
    const node = yield* startNode({ brokers, topicPrefix: prefix })
    const padding = "x".repeat(200)
    const records = recordsOf("events", 500, count).map((record) => ({ ...record, headers: { padding } }))
    yield* node.bus.publish(records.slice(0, 1))
    const produced = yield* measured(
      Effect.forEach(
        Array.from({ length: count / 100 }, (_, index) => records.slice(index * 100, (index + 1) * 100)),
        (batch) => node.bus.publish(batch),
        { concurrency: 10, discard: true }
      )
    )
    const journal = makeJournal()
    const begun = yield* Deferred.make<void>()
    const consumed = yield* measured(
      Effect.gen(function* () {
        yield* node.consume("events", (batch) => {
          journal.add(batch)
          return Deferred.succeed(begun, undefined)
        })
        yield* journal.reaches(count)
      })
    )
    yield* Effect.logInfo(`${count} records`).pipe(Effect.annotateLogs({ produced, consumed }))
    expect(journal.outOfOrder()).toEqual([])
    expect(journal.repeats()).toBe(1)
    // An order of magnitude above what was measured: it fails when work per record becomes work per record and request.
    expect(produced.microsecondsPerRecord).toBeLessThan(500)
    expect(consumed.microsecondsPerRecord).toBeLessThan(500)
  })
)
