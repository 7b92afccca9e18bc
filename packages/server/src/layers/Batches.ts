/**
 * Batches, and the workers that send them on every node. Needs the stores, the mailboxes, the means of deliveries and the topics.
 */
import { Effect, Layer } from "effect"
import * as LiquidRenderer from "@beckon/infra/templates/LiquidRenderer"
import * as BatchWorker from "../batches/BatchWorker.ts"
import { Batches } from "../batches/Batches.ts"
import { BatchSettings } from "../batches/BatchSettings.ts"
import { ChunkWork } from "../batches/ChunkWork.ts"
import { Progress } from "../batches/Progress.ts"
import { RowDrafts } from "../batches/RowDrafts.ts"
import { RateLimits } from "../http/RateLimits.ts"
import { Wording } from "../inbox/Wording.ts"
import { isJoined, ServerConfig } from "./ServerConfig.ts"

const layerSettings = Layer.unwrap(
  Effect.map(ServerConfig, ({ batchConcurrency, batchLease }) =>
    BatchSettings.layer({ concurrency: batchConcurrency, lease: batchLease })
  )
)

const layerWorker = Layer.unwrap(
  Effect.map(ServerConfig, (config) =>
    BatchWorker.layer(isJoined(config) ? `${config.nodeHost}:${config.nodePort}` : "alone")
  )
)

export const layer = Layer.merge(Batches.layer, layerWorker).pipe(
  Layer.provide(ChunkWork.layer),
  Layer.provide([RowDrafts.layer, Progress.layer, RateLimits.layer]),
  Layer.provide([LiquidRenderer.layer, Wording.layer, layerSettings])
)
