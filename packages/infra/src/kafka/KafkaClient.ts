/**
 * The connection settings as a kafkajs client whose log lines go to Effect's logger.
 */
import { Context, Effect, Layer, Queue, Redacted } from "effect"
import { Kafka, logLevel } from "kafkajs"
import type { KafkaConfig, LogEntry } from "kafkajs"
import { defaults } from "./KafkaSettings.ts"
import type { CompleteKafkaSettings, KafkaSasl, KafkaSettings, KafkaTls } from "./KafkaSettings.ts"

const sslOf = (tls: KafkaTls): NonNullable<KafkaConfig["ssl"]> => {
  if (typeof tls === "boolean") return tls
  const { key, ...others } = tls
  return { ...others, ...(key === undefined ? {} : { key: Redacted.value(key) }) }
}

const saslOf = ({ mechanism, password, username }: KafkaSasl): NonNullable<KafkaConfig["sasl"]> => {
  const account = { username, password: Redacted.value(password) }
  switch (mechanism) {
    case "plain":
      return { mechanism, ...account }
    case "scram-sha-256":
      return { mechanism, ...account }
    case "scram-sha-512":
      return { mechanism, ...account }
  }
}

/** kafkajs calls errors what it then gets over by itself; what it does not get over fails an effect and is logged there. */
const logEntry = ({ log: { message, ...annotations }, namespace }: LogEntry) =>
  Effect.logDebug(`kafkajs ${namespace}: ${message}`).pipe(Effect.annotateLogs(annotations))

export class KafkaClient extends Context.Service<
  KafkaClient,
  {
    readonly kafka: Kafka
    readonly settings: CompleteKafkaSettings
  }
>()("@beckon/infra/kafka/KafkaClient") {
  static readonly layer = (settings: KafkaSettings): Layer.Layer<KafkaClient> =>
    Layer.effect(
      KafkaClient,
      Effect.gen(function* () {
        const lines = yield* Queue.sliding<LogEntry>(256)
        yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(lines), logEntry)))
        const kafka = new Kafka({
          brokers: [...settings.brokers],
          clientId: settings.clientId,
          connectionTimeout: 3_000,
          requestTimeout: 10_000,
          retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 2_000 },
          logLevel: logLevel.WARN,
          logCreator: () => (entry) => void Queue.offerUnsafe(lines, entry),
          ...(settings.tls === undefined ? {} : { ssl: sslOf(settings.tls) }),
          ...(settings.sasl === undefined ? {} : { sasl: saslOf(settings.sasl) })
        })
        const complete: CompleteKafkaSettings = { ...defaults, ...settings }
        return { kafka, settings: complete }
      })
    )
}
