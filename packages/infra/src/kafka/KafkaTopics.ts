/**
 * Creates the topics that are missing.
 */
import { Context, Effect, Layer, Schedule, Schema, Semaphore } from "effect"
import type { Admin } from "kafkajs"
import { KafkaClient } from "./KafkaClient.ts"
import { deadLettersOf } from "./KafkaSettings.ts"

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** No broker answers, or none lets this program in. */
export class KafkaUnavailable extends Schema.TaggedError<KafkaUnavailable>()("KafkaUnavailable", {
  brokers: Schema.Array(Schema.String),
  cause: Schema.Defect()
}) {
  override get message() {
    return `Kafka at ${this.brokers.join(", ")} cannot be used: ${reasonOf(this.cause)}`
  }
}

/** A topic does not exist, and the cluster does not let this program create it. */
export class KafkaTopicRefused extends Schema.TaggedError<KafkaTopicRefused>()("KafkaTopicRefused", {
  topics: Schema.Array(Schema.String),
  cause: Schema.Defect()
}) {
  override get message() {
    return `Kafka did not create the topics ${this.topics.join(", ")} (${reasonOf(this.cause)}): create them, or allow this account to`
  }
}

/**
 * kafkajs reads gzip and nothing else that is compressed; a batch of LZ4, Snappy or Zstandard would stop its consumer for good.
 * So the broker keeps what others write as plain records.
 */
const configEntries = [{ name: "compression.type", value: "uncompressed" }]

const refusals = new Set([
  "TOPIC_AUTHORIZATION_FAILED",
  "CLUSTER_AUTHORIZATION_FAILED",
  "POLICY_VIOLATION",
  "INVALID_REPLICATION_FACTOR",
  "INVALID_PARTITIONS",
  "INVALID_TOPIC_EXCEPTION"
])

const isRefusal = (error: unknown): error is Error =>
  error instanceof Error && "type" in error && typeof error.type === "string" && refusals.has(error.type)

/** The first error by which the cluster refuses, rather than fails; of several topics it answers several errors. */
const refusalOf = (cause: unknown): Error | undefined => {
  if (!(cause instanceof Error && "errors" in cause && Array.isArray(cause.errors))) return [cause].find(isRefusal)
  return cause.errors.find(isRefusal)
}

export class KafkaTopics extends Context.Service<
  KafkaTopics,
  {
    /** Succeeds when these topics exist. Asks the cluster once for each. */
    readonly ensure: (topics: ReadonlyArray<string>) => Effect.Effect<void, KafkaUnavailable | KafkaTopicRefused>
    /** Succeeds when a broker answers. */
    readonly ping: Effect.Effect<void, KafkaUnavailable>
  }
>()("@beckon/infra/kafka/KafkaTopics") {
  static readonly layer: Layer.Layer<KafkaTopics, KafkaUnavailable | KafkaTopicRefused, KafkaClient> = Layer.effect(
    KafkaTopics,
    Effect.gen(function* () {
      const { kafka, settings } = yield* KafkaClient
      const known = new Set<string>()
      const turn = yield* Semaphore.make(1)

      const ask = <A>(question: (admin: Admin) => Promise<A>) =>
        Effect.acquireUseRelease(
          Effect.sync(() => kafka.admin()),
          (admin) =>
            Effect.tryPromise({
              try: () => admin.connect().then(() => question(admin)),
              catch: (cause) => new KafkaUnavailable({ brokers: settings.brokers, cause })
            }),
          (admin) => Effect.ignore(Effect.tryPromise(() => admin.disconnect()))
        )

      const create = (topics: ReadonlyArray<string>) =>
        ask((admin) =>
          admin.createTopics({
            waitForLeaders: true,
            topics: topics.map((topic) => ({
              topic,
              numPartitions: settings.partitions,
              replicationFactor: settings.replicationFactor ?? -1,
              configEntries
            }))
          })
        ).pipe(
          Effect.mapError((error): KafkaUnavailable | KafkaTopicRefused => {
            const cause = refusalOf(error.cause)
            return cause === undefined ? error : new KafkaTopicRefused({ topics, cause })
          })
        )

      const ensure = Effect.fn("KafkaTopics.ensure")(
        function* (topics: ReadonlyArray<string>) {
          const asked = topics.map((topic) => settings.topicPrefix + topic).filter((topic) => !known.has(topic))
          if (asked.length === 0) return
          const existing = new Set(yield* ask((admin) => admin.listTopics()))
          const missing = asked.filter((topic) => !existing.has(topic))
          if (missing.length > 0) {
            yield* create(missing)
            yield* Effect.logInfo(`Created the topics ${missing.join(", ")}`)
          }
          for (const topic of asked) known.add(topic)
        },
        (effect) => turn.withPermit(effect)
      )

      const needed = (settings.topics ?? []).flatMap((topic) => [topic, deadLettersOf(topic)])
      yield* ensure(needed).pipe(
        Effect.retry({
          while: (error) => error._tag === "KafkaUnavailable",
          schedule: Schedule.upTo(Schedule.spaced("500 millis"), { duration: settings.connectTimeout })
        })
      )

      return {
        ensure,
        ping: Effect.asVoid(ask((admin) => admin.describeCluster()))
      }
    })
  )
}
