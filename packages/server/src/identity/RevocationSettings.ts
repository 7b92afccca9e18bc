import { Context, Layer } from "effect"
import type { Duration } from "effect"

export interface RevocationSettingsShape {
  /** The greatest age of tokens: when it is over, none is left that a revocation could be about. */
  readonly keptFor: Duration.Duration
}

export class RevocationSettings extends Context.Service<RevocationSettings, RevocationSettingsShape>()(
  "@beckon/server/identity/RevocationSettings"
) {
  static readonly layer = (settings: RevocationSettingsShape): Layer.Layer<RevocationSettings> =>
    Layer.succeed(RevocationSettings, settings)
}
