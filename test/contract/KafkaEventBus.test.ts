import * as KafkaEventBus from "@beckon/infra/kafka/KafkaEventBus"
import { layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { sharedKafka } from "../support/services/Services.ts"
import { eventBusContract } from "./EventBus.contract.ts"

const layerBus = Layer.unwrap(
  Effect.map(sharedKafka, ({ brokers, prefix }) =>
    KafkaEventBus.layer({ brokers, clientId: "contract", topicPrefix: prefix, sessionTimeout: 6_000 })
  )
)

layer(layerBus, { excludeTestServices: true, timeout: "60 seconds" })("EventBus over Kafka", (it) => {
  eventBusContract(it)
})
