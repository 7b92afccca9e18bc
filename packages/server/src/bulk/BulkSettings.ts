/**
 * What uploads of files may cost; how large and how slow they may be is the HTTP server's.
 */
import { Context, Layer } from "effect"
import type { Duration } from "effect"

export interface BulkSettingsShape {
  /** An upload of which nothing is heard for so long is given up: its node is gone. */
  readonly lease: Duration.Duration
}

export class BulkSettings extends Context.Service<BulkSettings, BulkSettingsShape>()(
  "@beckon/server/bulk/BulkSettings"
) {
  static readonly layer = (settings: BulkSettingsShape): Layer.Layer<BulkSettings> =>
    Layer.succeed(BulkSettings, settings)
}
