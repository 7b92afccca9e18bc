/**
 * The settings of uploaded files; part of the table in `Settings.ts`.
 */
import { Config, Duration, Schema } from "effect"
import { setting } from "./Setting.ts"

const Bytes = Schema.NumberFromString.check(
  Schema.isInt(),
  Schema.isBetween({ minimum: 1_024, maximum: 1_099_511_627_776 })
)

export const bulkSettings = {
  bulkMaxBytes: setting({
    name: "BECKON_BULK_MAX_BYTES",
    about: "Bytes of one uploaded file, with the form around it; a larger one is refused with 413.",
    fallback: "1073741824 (1 GiB)",
    read: Config.schema(Bytes, "BECKON_BULK_MAX_BYTES").pipe(Config.withDefault(1_073_741_824))
  }),
  bulkTimeout: setting({
    name: "BECKON_BULK_TIMEOUT",
    about: "How long one upload may take; time in which Beckon itself lets it wait does not count.",
    fallback: "1 hour",
    read: Config.Duration("BECKON_BULK_TIMEOUT").pipe(Config.withDefault(Duration.hours(1)))
  }),
  bulkLease: setting({
    name: "BECKON_BULK_LEASE",
    about: "After how long without news an upload is given up: its node is gone.",
    fallback: "60 seconds",
    read: Config.Duration("BECKON_BULK_LEASE").pipe(Config.withDefault(Duration.seconds(60)))
  })
} as const
