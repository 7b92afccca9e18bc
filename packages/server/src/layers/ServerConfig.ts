/**
 * Every setting of the server, read once from the environment.
 *
 * **Details**
 *
 * A setting that is absent has the default that is named with it; one that does not fit stops the start with a message that
 * names it.
 */
import { Config, Context, Duration, Effect, Layer, Option, Schema } from "effect"
import type { LogLevel, Redacted } from "effect"

export interface ServerConfigShape {
  /** `HOST`: the address to listen on. Default 127.0.0.1 with the embedded database, 0.0.0.0 with a server. */
  readonly host: string
  /** `PORT`: HTTP, WebSocket and pages; 0 takes a free one. Default 8080. */
  readonly port: number
  /** `BECKON_DATA_DIR`: the embedded database and the deployment's own secrets. Default `.beckon`. */
  readonly dataDir: string
  /** `DATABASE_URL`: a PostgreSQL server; without it the database is embedded. */
  readonly databaseUrl: Option.Option<Redacted.Redacted>
  /** `BECKON_JWT_SECRET`: the key of HS256 tokens, at least 32 bytes; default a file in the data folder. */
  readonly jwtSecret: Option.Option<Redacted.Redacted>
  /** `BECKON_FLUSH_COMMITS`: whether the embedded database survives a power failure, at the cost of a flush for each commit. */
  readonly flushCommits: boolean
  /** `BECKON_ALLOWED_ORIGINS`: comma-separated origins of browsers that may open sockets. Default all: a token is needed anyway. */
  readonly allowedOrigins: ReadonlyArray<string> | undefined
  /** `BECKON_MAILBOX_IDLE`: how long a mailbox without sessions stays awake. Default 1 minute. */
  readonly mailboxIdle: Duration.Duration
  /** `DRAIN_TIMEOUT`: how long a stop may take before what is left is cut off. Default 4 seconds. */
  readonly drainTimeout: Duration.Duration
  /** `BECKON_LOG_LEVEL`: the least level that is logged: trace, debug, info, warn, error, fatal or none. Default info. */
  readonly logLevel: LogLevel.LogLevel
}

const port = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))

/** The names that effect/cli's `--log-level` has too. */
const logLevels = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error",
  fatal: "Fatal",
  none: "None"
} as const
const logLevel = Schema.Literals(["trace", "debug", "info", "warn", "error", "fatal", "none"])

const config = Config.all({
  host: Config.option(Config.NonEmptyString("HOST")),
  port: Config.schema(Schema.NumberFromString.pipe(Schema.decodeTo(port)), "PORT").pipe(Config.withDefault(8080)),
  dataDir: Config.NonEmptyString("BECKON_DATA_DIR").pipe(Config.withDefault(".beckon")),
  databaseUrl: Config.option(Config.Redacted("DATABASE_URL")),
  jwtSecret: Config.option(Config.Redacted("BECKON_JWT_SECRET")),
  flushCommits: Config.Boolean("BECKON_FLUSH_COMMITS").pipe(Config.withDefault(false)),
  allowedOrigins: Config.option(Config.NonEmptyString("BECKON_ALLOWED_ORIGINS")),
  mailboxIdle: Config.Duration("BECKON_MAILBOX_IDLE").pipe(Config.withDefault(Duration.minutes(1))),
  drainTimeout: Config.Duration("DRAIN_TIMEOUT").pipe(Config.withDefault(Duration.seconds(4))),
  logLevel: Config.schema(logLevel, "BECKON_LOG_LEVEL").pipe(
    Config.withDefault("info" as const),
    Config.map((level) => logLevels[level])
  )
})

export class ServerConfig extends Context.Service<ServerConfig, ServerConfigShape>()(
  "@beckon/server/layers/ServerConfig"
) {
  static readonly layer = Layer.effect(
    ServerConfig,
    Effect.map(config, ({ allowedOrigins, host, ...rest }) => ({
      ...rest,
      host: Option.getOrElse(host, () => (Option.isSome(rest.databaseUrl) ? "0.0.0.0" : "127.0.0.1")),
      allowedOrigins: Option.getOrUndefined(
        Option.map(allowedOrigins, (origins) => origins.split(",").map((origin) => origin.trim()))
      )
    }))
  )
}
