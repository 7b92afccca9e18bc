/**
 * The settings of batches; part of the table in `Settings.ts`.
 */
import { Config, Duration, Schema } from "effect"
import { setting } from "./Setting.ts"

const Concurrency = Schema.NumberFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: 64 }))

export const batchSettings = {
  batchConcurrency: setting({
    name: "BECKON_BATCH_CONCURRENCY",
    about: "Chunks of batches that a node works at, at once; each holds up to 1,000 rows in memory.",
    fallback: "4",
    read: Config.schema(Concurrency, "BECKON_BATCH_CONCURRENCY").pipe(Config.withDefault(4))
  }),
  batchLease: setting({
    name: "BECKON_BATCH_LEASE",
    about: "How long a node that is silent keeps the chunks of batches that it was sending.",
    fallback: "60 seconds",
    read: Config.Duration("BECKON_BATCH_LEASE").pipe(Config.withDefault(Duration.seconds(60)))
  })
} as const
