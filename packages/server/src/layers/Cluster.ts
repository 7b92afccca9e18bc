/**
 * effect/cluster with one runner, in memory: every partition is here.
 */
import { Layer } from "effect"
import { MessageStorage, RunnerHealth, Runners, RunnerStorage, Sharding, ShardingConfig } from "effect/cluster"
import { partitionCount } from "@beckon/domain/MailboxKey"

export const layerSingle = Sharding.layer.pipe(
  Layer.provide(Runners.layerNoop),
  Layer.provide([MessageStorage.layerNoop, RunnerStorage.layerMemory, RunnerHealth.layerNoop]),
  Layer.provide(
    ShardingConfig.layer({
      shardsPerGroup: partitionCount,
      simulateRemoteSerialization: false,
      entityMessagePollInterval: "1 second",
      refreshAssignmentsInterval: "500 millis",
      entityTerminationTimeout: "3 seconds"
    })
  )
)
