/**
 * effect/cluster: one runner in memory, or one of many that find one another through shared storage.
 */
import { Duration, Effect, Layer, Option } from "effect"
import {
  MessageStorage,
  RunnerAddress,
  RunnerHealth,
  Runners,
  RunnerServer,
  RunnerStorage,
  Sharding,
  ShardingConfig
} from "effect/cluster"
import { RpcSerialization, RpcServer } from "effect/rpc"
import { partitionCount } from "@beckon/domain/MailboxKey"
import * as NodeTransport from "@beckon/infra/cluster/NodeTransport"
import { FrameRpcs } from "../gateway/FrameProtocol.ts"
import * as FrameHandlers from "../gateway/FrameHandlers.ts"
import { ServerConfig } from "./ServerConfig.ts"
import type { ServerConfigShape } from "./ServerConfig.ts"

const common = {
  shardsPerGroup: partitionCount,
  simulateRemoteSerialization: false,
  // Also how often a partition that could not be taken is tried again.
  entityMessagePollInterval: "1 second",
  refreshAssignmentsInterval: "500 millis",
  entityTerminationTimeout: "3 seconds"
} as const

/** This node alone: every partition is here. */
export const layerSingle = Sharding.layer.pipe(
  Layer.provide(Runners.layerNoop),
  Layer.provide([MessageStorage.layerNoop, RunnerStorage.layerMemory, RunnerHealth.layerNoop]),
  Layer.provide(ShardingConfig.layer(common))
)

/** How this node takes part; `docs/decisions` has the measurements behind the times. */
export const layerConfig = Layer.unwrap(
  Effect.map(ServerConfig, ({ lease, nodeHost, nodeListenHost, nodePort }: ServerConfigShape) =>
    ShardingConfig.layer({
      ...common,
      runnerAddress: Option.some(RunnerAddress.make(nodeHost, nodePort)),
      runnerListenAddress: Option.some(RunnerAddress.make(nodeListenHost, nodePort)),
      shardLockExpiration: lease,
      shardLockRefreshInterval: Duration.times(lease, 1 / 6)
    })
  )
)

const layerSocketServer = Layer.unwrap(
  Effect.map(ServerConfig, ({ nodeListenHost, nodePort }) =>
    NodeTransport.layerServer({ host: nodeListenHost, port: nodePort })
  )
)

/**
 * This node among others. One port serves effect/cluster's runners and the frames to other nodes' gateways. Needs the
 * storage through which nodes find one another, and the outboxes.
 */
export const layerMany = RpcServer.layer(Runners.Rpcs.merge(FrameRpcs), {
  disableTracing: true,
  disableFatalDefects: true
}).pipe(
  Layer.provide([RunnerServer.layerHandlers, FrameHandlers.layer]),
  Layer.provideMerge(Sharding.layer),
  Layer.provideMerge(Runners.layerRpc),
  Layer.provide(RpcServer.layerProtocolSocketServer),
  Layer.provide(layerSocketServer),
  Layer.provideMerge(NodeTransport.layerClientProtocol),
  Layer.provide(RpcSerialization.layerNdjson),
  Layer.provide([MessageStorage.layerNoop, RunnerHealth.layerNoop]),
  Layer.provide(layerConfig)
)
