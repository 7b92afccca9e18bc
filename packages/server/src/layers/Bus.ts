/**
 * The event bus: in the process, or Kafka, whose dead letters have topics of their own.
 */
import { Effect, Layer, Option } from "effect"
import * as FriendRequest from "@beckon/domain/events/FriendRequestEvent"
import * as NotificationCommand from "@beckon/domain/events/NotificationCommand"
import * as Order from "@beckon/domain/events/OrderEvent"
import type { EventBus } from "@beckon/domain/ports/EventBus"
import type { DeadLetters } from "@beckon/domain/ports/DeadLetters"
import * as KafkaDeadLetters from "@beckon/infra/kafka/KafkaDeadLetters"
import * as KafkaEventBus from "@beckon/infra/kafka/KafkaEventBus"
import type { KafkaSettings } from "@beckon/infra/kafka/KafkaSettings"
import type { KafkaTopicRefused, KafkaUnavailable } from "@beckon/infra/kafka/KafkaTopics"
import * as InProcessEventBus from "@beckon/infra/memory/InProcessEventBus"
import { ServerConfig } from "./ServerConfig.ts"
import type { ServerConfigShape } from "./ServerConfig.ts"

const kafkaSettings = (config: ServerConfigShape, brokers: string): KafkaSettings => {
  const { kafkaPassword, kafkaSaslMechanism, kafkaUsername } = config
  const sasl =
    Option.isSome(kafkaSaslMechanism) && Option.isSome(kafkaUsername) && Option.isSome(kafkaPassword)
      ? { mechanism: kafkaSaslMechanism.value, username: kafkaUsername.value, password: kafkaPassword.value }
      : undefined
  return {
    brokers: brokers.split(",").map((broker) => broker.trim()),
    clientId: "beckon",
    tls: config.kafkaTls,
    topicPrefix: config.kafkaTopicPrefix,
    topics: [FriendRequest.topic, Order.topic, NotificationCommand.topic],
    ...(sasl === undefined ? {} : { sasl })
  }
}

/** Needs the store of dead letters, and gives it with the topics of dead letters where there is Kafka. */
export const layer = Layer.unwrap(
  Effect.map(
    ServerConfig,
    (config): Layer.Layer<EventBus | DeadLetters, KafkaUnavailable | KafkaTopicRefused, DeadLetters> =>
      Option.match(config.kafkaBrokers, {
        onNone: () => Layer.merge(InProcessEventBus.layer, Layer.effectContext(Effect.context<DeadLetters>())),
        onSome: (brokers) =>
          KafkaDeadLetters.layer.pipe(Layer.provideMerge(KafkaEventBus.layer(kafkaSettings(config, brokers))))
      })
  )
)
