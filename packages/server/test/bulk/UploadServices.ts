/**
 * Uploads on the SQL stores over PGlite in memory.
 */
import { DateTime, Duration, Effect, Layer, Schema } from "effect"
import { BulkRequest } from "@beckon/domain/api/BulkApi"
import { TenantId } from "@beckon/domain/Identifiers"
import { BatchStore } from "@beckon/domain/ports/BatchStore"
import * as MemoryTopicBus from "@beckon/infra/memory/MemoryTopicBus"
import * as MemoryTopicSnapshots from "@beckon/infra/memory/MemoryTopicSnapshots"
import { layerEmbedded } from "@beckon/infra/postgres/DatabaseClient"
import { migrations } from "@beckon/infra/postgres/Migrations"
import * as SqlBatchStore from "@beckon/infra/postgres/SqlBatchStore"
import { runMigrations } from "@beckon/infra/postgres/SqlMigrations"
import * as SqlTemplateStore from "@beckon/infra/postgres/SqlTemplateStore"
import * as LiquidRenderer from "@beckon/infra/templates/LiquidRenderer"
import { BatchSettings } from "../../src/batches/BatchSettings.ts"
import { Progress } from "../../src/batches/Progress.ts"
import { BulkSettings } from "../../src/bulk/BulkSettings.ts"
import { BulkUploads } from "../../src/bulk/BulkUploads.ts"
import type { Upload, UploadOptions } from "../../src/bulk/BulkUploads.ts"
import { Nudges } from "../../src/delivery/Nudges.ts"
import { Templates } from "../../src/templates/Templates.ts"
import { Topics } from "../../src/topics/Topics.ts"

export const lease = Duration.seconds(60)

const layerDatabase = Layer.effectDiscard(runMigrations(migrations)).pipe(
  Layer.provideMerge(layerEmbedded({ dataDir: "memory" }))
)

export const layer = BulkUploads.layer.pipe(
  Layer.provide(BulkSettings.layer({ lease })),
  Layer.provide(Progress.layer.pipe(Layer.provide([BatchSettings.layer(), Topics.layer]))),
  Layer.provide(Templates.layer),
  Layer.provide([LiquidRenderer.layer, Nudges.layer]),
  Layer.provideMerge(Layer.mergeAll(SqlBatchStore.layer, SqlTemplateStore.layer)),
  Layer.provideMerge(Layer.merge(MemoryTopicBus.layer, MemoryTopicSnapshots.layer)),
  Layer.provideMerge(layerDatabase)
)

const decode = Schema.decodeUnknownSync(BulkRequest)

/** As JSON has it. */
export const request = (other: Record<string, unknown> = {}): BulkRequest =>
  decode({ notification_type: "news", title: "Hello", ...other })

export const options = (other: Partial<UploadOptions> = {}): UploadOptions => ({
  tenantId: TenantId.make("acme"),
  createdBy: "shop",
  correlationId: null,
  request: request(),
  fileName: "users.csv",
  key: undefined,
  ...other
})

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A whole upload. */
export const upload = (text: string, other: Partial<UploadOptions> = {}) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { begin } = yield* BulkUploads
      const begun: Upload = yield* begin(options(other))
      yield* begun.feed(bytesOf(text))
      return yield* begun.finish
    })
  )

/** Every row that a worker would get now; the chunks are reported as sent. */
export const takeRows = Effect.gen(function* () {
  const store = yield* BatchStore
  const chunks = Array<ReadonlyArray<{ readonly row: number; readonly userId: string }>>()
  while (true) {
    const now = yield* DateTime.now
    const claimed = yield* store.claim({ now, lease, worker: "test" })
    if (claimed._tag === "None") return chunks
    const { rows } = claimed.value
    chunks.push(rows)
    yield* store.report(
      claimed.value,
      { rows: rows.length, accepted: rows.length, duplicates: 0, cancelled: 0, errors: [] },
      DateTime.addDuration(now, lease),
      now
    )
  }
})
