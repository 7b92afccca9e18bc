import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as Command from "@beckon/domain/events/NotificationCommand"
import { EventBus } from "@beckon/domain/ports/EventBus"
import * as KafkaEventBus from "@beckon/infra/kafka/KafkaEventBus"
import * as Mishaps from "./Mishaps.ts"
import { Cluster } from "./ClusterNodes.ts"
import * as Scenario from "./Scenario.ts"
import type { Event } from "./Traffic.ts"

/** The group gives a dead member's partitions to others after 10 s, and takes some time for it. */
const groupStall = 18_000

/** Publishes commands as another service would: one key for each user. */
const publisher = Effect.gen(function* () {
  const { kafka } = yield* Cluster
  assert(kafka !== undefined)
  const bus = KafkaEventBus.layer({ brokers: kafka.brokers, clientId: "shop" })
  const { publish } = Context.get(yield* Layer.build(bus), EventBus)
  return ({ key, tenant, user }: Event) =>
    publish([
      {
        topic: Command.topic,
        key: `${tenant}/${user}`,
        headers: {},
        value: JSON.stringify({
          commandId: key,
          tenant,
          userId: user,
          type: "order_created",
          title: key,
          message: "x".repeat(80),
          dedupeKey: key
        })
      }
    ])
})

const scenario = (options: Scenario.ScenarioOptions) =>
  Effect.scoped(Effect.flatMap(publisher, (publish) => Scenario.run({ ...options, publish })))

layer(Cluster.layerKafka, { timeout: "120 seconds", excludeTestServices: true })(
  "three nodes lose, repeat and disorder nothing that came from Kafka",
  (it) => {
    it.effect("when the broker is restarted", () =>
      scenario({
        name: "kafka-restarted",
        worstStall: groupStall,
        mishap: ({ kafka }) => kafka?.restart ?? Effect.die("no Kafka")
      })
    )

    it.effect("when the group is shared out anew, because its members leave and come", () =>
      scenario({ name: "kafka-rebalance", worstStall: groupStall, mishap: Mishaps.rollingRestart })
    )

    it.effect("when a member is killed", () =>
      scenario({
        name: "kafka-member-killed",
        worstStall: groupStall,
        mishap: (cluster) => Mishaps.killed(cluster, Mishaps.nodeOf(cluster, 0))
      })
    )
  }
)
