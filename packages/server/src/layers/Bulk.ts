/**
 * Uploads of files. Needs the configuration, the stores, templates and topics.
 */
import { Effect, Layer } from "effect"
import * as LiquidRenderer from "@beckon/infra/templates/LiquidRenderer"
import { BatchSettings } from "../batches/BatchSettings.ts"
import { Progress } from "../batches/Progress.ts"
import { BulkSettings } from "../bulk/BulkSettings.ts"
import { BulkUploads } from "../bulk/BulkUploads.ts"
import { ServerConfig } from "./ServerConfig.ts"

const layerSettings = Layer.unwrap(
  Effect.map(ServerConfig, ({ bulkLease }) => BulkSettings.layer({ lease: bulkLease }))
)

export const layer = BulkUploads.layer.pipe(
  Layer.provide([layerSettings, LiquidRenderer.layer]),
  Layer.provide(Progress.layer.pipe(Layer.provide(BatchSettings.layer())))
)
