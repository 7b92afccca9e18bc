import type { EventRecord } from "@beckon/domain/ports/EventBus"
import { expect, it } from "@effect/vitest"
import { Data, Deferred, Effect, Fiber, Queue } from "effect"
import { sharedKafka } from "../../support/services/Services.ts"
import { makeJournal, recordOf, recordsOf, startNode } from "./KafkaNodes.ts"

class Refused extends Data.TaggedError("Refused")<{}> {}

const topic = "events"
const shared = Effect.map(sharedKafka, ({ brokers, prefix }) => ({ brokers, topicPrefix: prefix }))

const partitionOf = ({ position }: EventRecord) => position?.partition ?? -1

it.live(
  "members share the partitions; one joins and one leaves amid traffic, and nothing is lost or out of order",
  () =>
    Effect.gen(function* () {
      const kafka = yield* shared
      const publisher = yield* startNode(kafka)
      const journal = makeJournal()
      const [first, second] = [yield* startNode(kafka), yield* startNode(kafka)]
      const shares = { first: 0, second: 0 }
      const secondHasWork = yield* Deferred.make<void>()
      const take = (who: "first" | "second") => (records: ReadonlyArray<EventRecord>) =>
        Effect.gen(function* () {
          yield* Effect.sleep("5 millis")
          journal.add(records)
          shares[who] += records.length
          if (who === "second") yield* Deferred.succeed(secondHasWork, undefined)
        })

      yield* first.consume(topic, take("first"))
      let published = 0
      const traffic = yield* Effect.forkChild(
        Effect.forever(
          Effect.gen(function* () {
            yield* publisher.bus.publish(recordsOf(topic, 60, 120, published))
            published += 120
            yield* Effect.sleep("10 millis")
          })
        )
      )
      yield* journal.reaches(1_000)
      yield* second.consume(topic, take("second"))
      yield* Deferred.await(secondHasWork)
      yield* journal.reaches(journal.size() + 2_000)
      yield* first.leave
      const firstHad = shares.first
      yield* journal.reaches(journal.size() + 2_000)
      yield* Fiber.interrupt(traffic)
      // The publish that was interrupted is at the broker, or not: a last round tells the two apart.
      yield* publisher.bus.publish(recordsOf(topic, 60, 120, published))
      published += 120
      yield* journal.reaches(published)
      expect(journal.size()).toBe(published)
      expect(journal.outOfOrder()).toEqual([])
      expect(shares.first).toBe(firstHad)
      expect(shares.second).toBeGreaterThan(2_000)
      yield* Effect.logInfo(`${published} records, ${journal.repeats()} repeated by two rebalances`)
    })
)

it.live(
  "a record whose handling was cut off by the end of its member comes to the next one; what was handled does not",
  () =>
    Effect.gen(function* () {
      const kafka = { ...(yield* shared), partitions: 1, batchSize: 1, drainTimeout: 200 }
      const node = yield* startNode(kafka)
      const atWork = yield* Deferred.make<void>()
      const done: Array<string> = []
      yield* node.consume(topic, ([record]) =>
        record?.value === "3"
          ? Effect.andThen(Deferred.succeed(atWork, undefined), Effect.never)
          : Effect.sync(() => void done.push(record?.value ?? ""))
      )
      yield* node.bus.publish([0, 1, 2, 3, 4].map((value) => recordOf(topic, "key", value)))
      yield* Deferred.await(atWork)
      yield* node.leave
      expect(done).toEqual(["0", "1", "2"])

      const next = yield* startNode(kafka)
      const seen = yield* Queue.unbounded<string>()
      yield* next.consume(topic, (records) =>
        Queue.offerAll(
          seen,
          records.map(({ value }) => value)
        )
      )
      expect([yield* Queue.take(seen), yield* Queue.take(seen)]).toEqual(["3", "4"])
    })
)

it.live("a member that leaves lets its handler end, and commits: nothing comes again", () =>
  Effect.gen(function* () {
    const kafka = { ...(yield* shared), partitions: 1 }
    const node = yield* startNode(kafka)
    const [atWork, mayEnd] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    let handled = 0
    yield* node.consume(topic, (records) =>
      Deferred.succeed(atWork, undefined).pipe(
        Effect.andThen(Deferred.await(mayEnd)),
        Effect.andThen(Effect.sync(() => void (handled += records.length)))
      )
    )
    yield* node.bus.publish([recordOf(topic, "key", 1), recordOf(topic, "key", 2)])
    yield* Deferred.await(atWork)
    const leaving = yield* Effect.forkChild(node.leave)
    yield* Deferred.succeed(mayEnd, undefined)
    yield* Fiber.join(leaving)
    expect(handled).toBeGreaterThan(0)

    const next = yield* startNode(kafka)
    const seen = yield* Queue.unbounded<EventRecord>()
    yield* next.consume(topic, (records) => Queue.offerAll(seen, records))
    yield* next.bus.publish([recordOf(topic, "key", 3)])
    expect((yield* Queue.take(seen)).value).toBe(String(handled + 1))
  })
)

it.live("a member that leaves while it joins keeps nothing from the next one", () =>
  Effect.gen(function* () {
    const kafka = { ...(yield* shared), partitions: 1, drainTimeout: 100 }
    const next = yield* startNode(kafka)
    yield* next.bus.publish([recordOf(topic, "key", 1)])
    for (const pause of [0, 5, 10, 20, 40, 80]) {
      const node = yield* startNode(kafka)
      yield* node.consume(topic, () => Effect.never)
      yield* Effect.sleep(pause)
      yield* node.leave
    }
    const seen = yield* Queue.unbounded<string>()
    yield* next.consume(topic, (records) =>
      Queue.offerAll(
        seen,
        records.map(({ value }) => value)
      )
    )
    // Well before the session of a member that was forgotten would end.
    expect(yield* Effect.timeout(Queue.take(seen), "4 seconds")).toBe("1")
  })
)

it.live("a partition that is slow and one that fails hold up no other", () =>
  Effect.gen(function* () {
    const node = yield* startNode({ ...(yield* shared), partitions: 6, batchSize: 10, bufferedRecords: 20 })
    const journal = makeJournal()
    const stuck = new Map<number, "slow" | "failing">()
    const mayGoOn = yield* Deferred.make<void>()
    let refused = 0
    yield* node.consume(topic, (records) =>
      Effect.gen(function* () {
        const partition = partitionOf(records[0] ?? recordOf(topic, "", 0))
        if (stuck.size < 2 && !stuck.has(partition)) stuck.set(partition, stuck.size === 0 ? "slow" : "failing")
        if (!Deferred.isDoneUnsafe(mayGoOn)) {
          if (stuck.get(partition) === "slow") yield* Deferred.await(mayGoOn)
          if (stuck.get(partition) === "failing") {
            refused++
            return yield* new Refused()
          }
        }
        journal.add(records)
      })
    )
    // Another prefix, so another topic; a key has the same partition in all topics of as many partitions.
    const probe = yield* startNode({ ...(yield* shared), partitions: 6 })
    const partitions = new Map<string, number>()
    const probed = yield* Deferred.make<void>()
    yield* probe.consume(topic, (seen) =>
      Effect.suspend(() => {
        for (const record of seen) partitions.set(record.key, partitionOf(record))
        return partitions.size === 60 ? Deferred.succeed(probed, undefined) : Effect.void
      })
    )
    yield* probe.bus.publish(recordsOf(topic, 60, 60))
    yield* Deferred.await(probed)

    yield* node.bus.publish(recordsOf(topic, 60, 3_000))
    yield* journal.reaches(1)
    // These come while the two stuck partitions have full buffers.
    yield* node.bus.publish(recordsOf(topic, 60, 3_000, 3_000))
    const free = () => Array.from(partitions.values()).filter((partition) => !stuck.has(partition)).length
    yield* journal.reaches(100 * free())
    expect(stuck.size).toBe(2)
    expect(journal.size()).toBe(100 * free())
    yield* Deferred.succeed(mayGoOn, undefined)
    yield* journal.reaches(6_000)
    expect(refused).toBeGreaterThan(1)
    expect(journal.outOfOrder()).toEqual([])
    expect(journal.repeats()).toBe(0)
  })
)

it.live("a handler that works longer than the session lasts keeps its partitions", () =>
  Effect.gen(function* () {
    const kafka = { ...(yield* shared), partitions: 1 }
    const node = yield* startNode(kafka)
    const ended = yield* Deferred.make<void>()
    let began = 0
    yield* node.consume(topic, () =>
      Effect.gen(function* () {
        began++
        // Longer than the session, or the broker would have no reason to give the partition to anyone else.
        yield* Effect.sleep("8 seconds")
        yield* Deferred.succeed(ended, undefined)
      })
    )
    yield* node.bus.publish([recordOf(topic, "key", 1)])
    yield* Deferred.await(ended)
    yield* node.leave
    const next = yield* startNode(kafka)
    const seen = yield* Queue.unbounded<string>()
    yield* next.consume(topic, (records) =>
      Queue.offerAll(
        seen,
        records.map(({ value }) => value)
      )
    )
    yield* next.bus.publish([recordOf(topic, "key", 2)])
    expect(yield* Queue.take(seen)).toBe("2")
    expect(began).toBe(1)
  })
)
