/**
 * How batches are worked at; the server's configuration gives the values.
 */
import { Context, Duration, Layer } from "effect"

export interface BatchSettingsShape {
  /** Chunks that this node works at, at once. */
  readonly concurrency: number
  /** Rows that are handed to their mailboxes and reported together. */
  readonly slice: number
  /** How long a node that is silent keeps its chunks. */
  readonly lease: Duration.Duration
  /** How often the store is asked for chunks, when nobody says that there are some. */
  readonly poll: Duration.Duration
  /** How long a batch waits for its next chunk, before it has them all. */
  readonly patience: Duration.Duration
  /** How often the store is asked for batches that wait for too long. */
  readonly expireEvery: Duration.Duration
  /** Progress is told at most so often, for each batch. */
  readonly progressEvery: Duration.Duration
}

export const defaults: BatchSettingsShape = {
  concurrency: 4,
  slice: 250,
  lease: Duration.seconds(60),
  poll: Duration.seconds(1),
  patience: Duration.hours(24),
  expireEvery: Duration.seconds(30),
  progressEvery: Duration.millis(250)
}

export class BatchSettings extends Context.Service<BatchSettings, BatchSettingsShape>()(
  "@beckon/server/batches/BatchSettings"
) {
  static readonly layer = (settings: Partial<BatchSettingsShape> = {}): Layer.Layer<BatchSettings> =>
    Layer.succeed(BatchSettings, { ...defaults, ...settings })
}
