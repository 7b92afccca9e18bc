import { expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Redacted, Schedule } from "effect"
import { startKafka } from "../../support/services/Services.ts"
import { makeJournal, recordOf, recordsOf, startNode } from "./KafkaNodes.ts"

const topic = "events"

it.live(
  "the broker is restarted, killed and frozen amid traffic, and every record is handled, in order",
  () =>
    Effect.gen(function* () {
      const kafka = yield* startKafka()
      const node = yield* startNode({ brokers: kafka.brokers, publishTimeout: 5_000 })
      const other = yield* startNode({ brokers: kafka.brokers })
      const journal = makeJournal()
      const handler = (records: Parameters<typeof journal.add>[0]) => Effect.sync(() => journal.add(records))
      yield* node.consume(topic, handler)
      yield* other.consume(topic, handler)
      let published = 0
      let refused = 0
      // As the relay of the outbox does: the same records again until the bus has them.
      const traffic = yield* Effect.forkChild(
        Effect.forever(
          Effect.gen(function* () {
            yield* node.bus.publish(recordsOf(topic, 20, 40, published)).pipe(
              Effect.tapError(() => Effect.sync(() => void refused++)),
              Effect.retry(Schedule.spaced("100 millis"))
            )
            published += 40
            yield* Effect.sleep("10 millis")
          })
        )
      )
      const goesOn = (what: string) =>
        Effect.gen(function* () {
          const [stall] = yield* Effect.timed(journal.reaches(journal.size() + 1))
          // What was published meanwhile, and some more.
          yield* journal.reaches(published + 2_000)
          const milliseconds = Math.round(Duration.toMillis(stall))
          yield* Effect.logInfo(`${what}: goes on`).pipe(
            Effect.annotateLogs({ milliseconds, published, repeats: journal.repeats(), refused })
          )
        })
      yield* goesOn("running")
      yield* kafka.restart
      yield* goesOn("restarted")
      yield* kafka.kill
      yield* kafka.start
      yield* goesOn("killed")
      yield* kafka.pause
      yield* Effect.sleep("8 seconds")
      yield* kafka.resume
      yield* goesOn("frozen")
      yield* Fiber.interrupt(traffic)
      yield* node.bus.publish(recordsOf(topic, 20, 40, published)).pipe(Effect.retry(Schedule.spaced("100 millis")))
      published += 40
      yield* journal.reaches(published)
      expect(journal.size()).toBe(published)
      expect(journal.outOfOrder()).toEqual([])
    }),
  150_000
)

it.live(
  "a publish fails while no broker answers, and the next one succeeds when it is back",
  () =>
    Effect.gen(function* () {
      const kafka = yield* startKafka()
      const node = yield* startNode({ brokers: kafka.brokers, publishTimeout: 2_000 })
      yield* node.bus.publish([recordOf(topic, "key", 1)])
      yield* kafka.kill
      expect(yield* Effect.flip(node.bus.publish([recordOf(topic, "key", 2)]))).toMatchObject({
        _tag: "BusUnavailable",
        topic
      })
      yield* kafka.start
      yield* node.bus.publish([recordOf(topic, "key", 2)]).pipe(Effect.retry(Schedule.spaced("200 millis")))
      const journal = makeJournal()
      yield* node.consume(topic, (records) => Effect.sync(() => journal.add(records)))
      yield* journal.reaches(2)
      expect(journal.outOfOrder()).toEqual([])
    }),
  90_000
)

it.live("a start without a broker fails and names the addresses", () =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(startNode({ brokers: ["127.0.0.1:1"], connectTimeout: 500, topics: [topic] }))
    expect(error._tag).toBe("KafkaUnavailable")
    expect(error.message).toMatch(/^Kafka at 127\.0\.0\.1:1 cannot be used: .*ECONNREFUSED/)
  })
)

const login = (account: string, users: Readonly<Record<string, string>>) =>
  [
    "org.apache.kafka.common.security.plain.PlainLoginModule required",
    `username="${account}" password="${users[account]}"`,
    ...Object.entries(users).map(([name, password]) => `user_${name}="${password}"`)
  ].join(" ")

const guarded = {
  "listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
  "sasl.enabled.mechanisms": "PLAIN",
  "sasl.mechanism.inter.broker.protocol": "PLAIN",
  "listener.name.plaintext.plain.sasl.jaas.config": `${login("admin", { admin: "admin-secret", beckon: "secret" })};`,
  "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
  "super.users": "User:admin;User:ANONYMOUS"
}

it.live(
  "an account that may not create topics is told which are missing; a wrong password is no password",
  () =>
    Effect.gen(function* () {
      const { brokers } = yield* startKafka({ settings: guarded })
      const as = (username: string, password: string) => ({
        brokers,
        topics: [topic],
        connectTimeout: 1_000,
        sasl: { mechanism: "plain" as const, username, password: Redacted.make(password) }
      })
      const refused = yield* Effect.flip(startNode(as("beckon", "secret")))
      expect(refused._tag).toBe("KafkaTopicRefused")
      expect(refused.message).toContain("events, events.dead-letters")
      const stranger = yield* Effect.flip(startNode(as("beckon", "wrong")))
      expect(stranger._tag).toBe("KafkaUnavailable")
      expect(stranger.message).toContain("Authentication failed")
      expect(stranger.message).not.toContain("wrong")

      const node = yield* startNode(as("admin", "admin-secret"))
      const journal = makeJournal()
      yield* node.consume(topic, (records) => Effect.sync(() => journal.add(records)))
      yield* node.bus.publish([recordOf(topic, "key", 1)])
      yield* journal.reaches(1)
    }),
  90_000
)
