/**
 * Every setting of the server: its name in the environment, what it does, its default, how it is read. The documentation
 * (`docs/configuration.md`, `deploy/env/*.env.example`) is generated from this table by `pnpm docs`.
 */
import { Config, Duration, Schema } from "effect"
import { batchSettings } from "./BatchSettingsTable.ts"
import { bulkSettings } from "./BulkSettingsTable.ts"
import { deliverySettings } from "./DeliverySettingsTable.ts"
import { identitySettings } from "./IdentitySettingsTable.ts"
import { httpSettings } from "./HttpSettingsTable.ts"
import { secretSettings } from "./SecretSettingsTable.ts"
import { setting } from "./Setting.ts"
import type { Setting } from "./Setting.ts"

export type { Setting } from "./Setting.ts"

const Port = Schema.NumberFromString.pipe(
  Schema.decodeTo(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 })))
)

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
const LogLevel = Schema.Literals(["trace", "debug", "info", "warn", "error", "fatal", "none"])

const server = {
  host: setting({
    name: "HOST",
    about: "The address to listen on for HTTP, WebSocket and pages.",
    fallback: "127.0.0.1 with the embedded database, 0.0.0.0 with DATABASE_URL",
    read: Config.option(Config.NonEmptyString("HOST"))
  }),
  port: setting({
    name: "PORT",
    about: "The port of HTTP, WebSocket and pages; 0 takes a free one.",
    fallback: "8080",
    read: Config.schema(Port, "PORT").pipe(Config.withDefault(8080))
  }),
  dataDir: setting({
    name: "BECKON_DATA_DIR",
    about: "The folder of the embedded database and of the secrets that the deployment makes for itself.",
    fallback: ".beckon",
    read: Config.NonEmptyString("BECKON_DATA_DIR").pipe(Config.withDefault(".beckon"))
  }),
  mailboxIdle: setting({
    name: "BECKON_MAILBOX_IDLE",
    about: "How long a mailbox without sessions and work stays awake.",
    fallback: "1 minute",
    read: Config.Duration("BECKON_MAILBOX_IDLE").pipe(Config.withDefault(Duration.minutes(1)))
  }),
  mailboxesAwake: setting({
    name: "BECKON_MAILBOXES_AWAKE",
    about:
      "How many mailboxes without sessions a node keeps awake; more are put away as soon as they have nothing to do, and cost no memory.",
    fallback: "16384",
    read: Config.schema(
      Schema.NumberFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 0, maximum: 10_000_000 })),
      "BECKON_MAILBOXES_AWAKE"
    ).pipe(Config.withDefault(16_384))
  }),
  drainTimeout: setting({
    name: "DRAIN_TIMEOUT",
    about: "How long a stop may take; what is left then is cut off.",
    fallback: "4 seconds",
    production: "25 seconds",
    read: Config.Duration("DRAIN_TIMEOUT").pipe(Config.withDefault(Duration.seconds(4)))
  }),
  retentionEvery: setting({
    name: "RETENTION_EVERY",
    about: "How often what tenants no longer keep (their setting `retention`) is thrown away; one node does it.",
    fallback: "1 hour",
    read: Config.Duration("RETENTION_EVERY").pipe(Config.withDefault(Duration.hours(1)))
  }),
  metricsToken: setting({
    name: "METRICS_TOKEN",
    about: "The bearer token with which Prometheus reads /metrics.",
    fallback: "none: a credential with the scope tenants:read",
    production: "change-me-to-a-long-random-token",
    secret: true,
    read: Config.option(Config.Redacted("METRICS_TOKEN"))
  }),
  logLevel: setting({
    name: "BECKON_LOG_LEVEL",
    about: "The least level that is logged: trace, debug, info, warn, error, fatal or none.",
    fallback: "info",
    read: Config.schema(LogLevel, "BECKON_LOG_LEVEL").pipe(
      Config.withDefault("info" as const),
      Config.map((level) => logLevels[level])
    )
  })
}

const database = {
  databaseUrl: setting({
    name: "DATABASE_URL",
    about: "A PostgreSQL server, 15 or newer, as a libpq URI; without it the database is embedded.",
    fallback: "none: the embedded database",
    production: "postgres://beckon:change-me@db.internal:5432/beckon?sslmode=require",
    secret: true,
    read: Config.option(Config.Redacted("DATABASE_URL"))
  }),
  databasePoolSize: setting({
    name: "DATABASE_POOL_SIZE",
    about: "Connections to the server that stay open when idle.",
    fallback: "2",
    read: Config.schema(
      Schema.NumberFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 0, maximum: 1_000 })),
      "DATABASE_POOL_SIZE"
    ).pipe(Config.withDefault(2))
  }),
  databasePoolMax: setting({
    name: "DATABASE_POOL_MAX",
    about: "The most connections to the server at once: pool size and overflow together.",
    fallback: "20",
    read: Config.schema(
      Schema.NumberFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: 1_000 })),
      "DATABASE_POOL_MAX"
    ).pipe(Config.withDefault(20))
  }),
  databaseAcquireTimeout: setting({
    name: "DATABASE_ACQUIRE_TIMEOUT",
    about: "How long a query waits for a free connection.",
    fallback: "10 seconds",
    read: Config.Duration("DATABASE_ACQUIRE_TIMEOUT").pipe(Config.withDefault(Duration.seconds(10)))
  }),
  databaseRecycleAfter: setting({
    name: "DATABASE_RECYCLE_AFTER",
    about: "The age at which a connection is replaced before its next use.",
    fallback: "30 minutes",
    read: Config.Duration("DATABASE_RECYCLE_AFTER").pipe(Config.withDefault(Duration.minutes(30)))
  }),
  databasePrePing: setting({
    name: "DATABASE_PRE_PING",
    about: "Whether a connection that rested for 5 seconds or more is tested before it is used.",
    fallback: "true",
    read: Config.Boolean("DATABASE_PRE_PING").pipe(Config.withDefault(true))
  }),
  flushCommits: setting({
    name: "BECKON_FLUSH_COMMITS",
    about: "Whether the embedded database survives a power failure, at the cost of a flush for each commit.",
    fallback: "false",
    read: Config.Boolean("BECKON_FLUSH_COMMITS").pipe(Config.withDefault(false))
  })
}

const nodes = {
  redisUrl: setting({
    name: "REDIS_URL",
    about:
      "Joins the nodes of a deployment; without it this node is alone. Needs DATABASE_URL, BECKON_JWT_SECRET and BECKON_KEYS.",
    fallback: "none: one node",
    production: "rediss://beckon:change-me@redis.internal:6379",
    secret: true,
    read: Config.option(Config.Redacted("REDIS_URL"))
  }),
  redisSentinels: setting({
    name: "REDIS_SENTINELS",
    about: "Instead of REDIS_URL: host:port of Sentinels, comma-separated. Needs REDIS_SENTINEL_NAME.",
    fallback: "none",
    read: Config.option(Config.NonEmptyString("REDIS_SENTINELS"))
  }),
  redisSentinelName: setting({
    name: "REDIS_SENTINEL_NAME",
    about: "The name of the group that the Sentinels watch.",
    fallback: "none",
    read: Config.option(Config.NonEmptyString("REDIS_SENTINEL_NAME"))
  }),
  redisClusterNodes: setting({
    name: "REDIS_CLUSTER_NODES",
    about: "Instead of REDIS_URL: host:port of some nodes of a Redis Cluster, comma-separated.",
    fallback: "none",
    read: Config.option(Config.NonEmptyString("REDIS_CLUSTER_NODES"))
  }),
  redisUsername: setting({
    name: "REDIS_USERNAME",
    about: "The ACL user for Redis; wins over the one in REDIS_URL.",
    fallback: "none",
    read: Config.option(Config.NonEmptyString("REDIS_USERNAME"))
  }),
  redisPassword: setting({
    name: "REDIS_PASSWORD",
    about: "The password of Redis; wins over the one in REDIS_URL.",
    fallback: "none",
    secret: true,
    read: Config.option(Config.Redacted("REDIS_PASSWORD"))
  }),
  redisTls: setting({
    name: "REDIS_TLS",
    about: "Whether Sentinel and Cluster are reached over TLS; with REDIS_URL the scheme rediss:// says so.",
    fallback: "false",
    read: Config.Boolean("REDIS_TLS").pipe(Config.withDefault(false))
  }),
  prefix: setting({
    name: "BECKON_PREFIX",
    about: "What the keys of this deployment in Redis begin with.",
    fallback: "beckon",
    read: Config.NonEmptyString("BECKON_PREFIX").pipe(Config.withDefault("beckon"))
  }),
  nodeHost: setting({
    name: "NODE_HOST",
    about: "Where the other nodes reach this one: the pod's address on Kubernetes.",
    fallback: "127.0.0.1",
    production: "10.0.0.11",
    read: Config.NonEmptyString("NODE_HOST").pipe(Config.withDefault("127.0.0.1"))
  }),
  nodePort: setting({
    name: "NODE_PORT",
    about: "The port for the other nodes. Only they should reach it.",
    fallback: "8081",
    read: Config.schema(Port, "NODE_PORT").pipe(Config.withDefault(8081))
  }),
  nodeListenHost: setting({
    name: "NODE_LISTEN_HOST",
    about: "The address to listen on for the other nodes.",
    fallback: "the same as NODE_HOST",
    read: Config.option(Config.NonEmptyString("NODE_LISTEN_HOST"))
  }),
  lease: setting({
    name: "BECKON_LEASE",
    about: "How long a node that is silent keeps its partitions: the longest stall after a node died.",
    fallback: "6 seconds",
    read: Config.Duration("BECKON_LEASE").pipe(Config.withDefault(Duration.seconds(6)))
  })
}

const kafka = {
  kafkaBrokers: setting({
    name: "KAFKA_BROKERS",
    about: "host:port of some Kafka brokers, comma-separated; without it events stay in the process.",
    fallback: "none: the bus in the process",
    production: "kafka-1.internal:9092,kafka-2.internal:9092",
    read: Config.option(Config.NonEmptyString("KAFKA_BROKERS"))
  }),
  kafkaTls: setting({
    name: "KAFKA_TLS",
    about: "Whether the brokers are reached over TLS.",
    fallback: "false",
    read: Config.Boolean("KAFKA_TLS").pipe(Config.withDefault(false))
  }),
  kafkaSaslMechanism: setting({
    name: "KAFKA_SASL_MECHANISM",
    about: "plain, scram-sha-256 or scram-sha-512. Needs KAFKA_USERNAME and KAFKA_PASSWORD.",
    fallback: "none",
    read: Config.option(
      Config.schema(Schema.Literals(["plain", "scram-sha-256", "scram-sha-512"]), "KAFKA_SASL_MECHANISM")
    )
  }),
  kafkaUsername: setting({
    name: "KAFKA_USERNAME",
    about: "The SASL user.",
    fallback: "none",
    read: Config.option(Config.NonEmptyString("KAFKA_USERNAME"))
  }),
  kafkaPassword: setting({
    name: "KAFKA_PASSWORD",
    about: "The password of the SASL user.",
    fallback: "none",
    secret: true,
    read: Config.option(Config.Redacted("KAFKA_PASSWORD"))
  }),
  kafkaTopicPrefix: setting({
    name: "KAFKA_TOPIC_PREFIX",
    about: "Stands before every topic and group, for several deployments on one Kafka.",
    fallback: "empty",
    read: Config.String("KAFKA_TOPIC_PREFIX").pipe(Config.withDefault(""))
  })
}

export const settings = {
  ...server,
  ...database,
  ...nodes,
  ...kafka,
  ...identitySettings,
  ...httpSettings,
  ...secretSettings,
  ...batchSettings,
  ...bulkSettings,
  ...deliverySettings
}

/** The same in the order of the documentation. */
export const chapters: ReadonlyArray<readonly [title: string, table: Readonly<Record<string, Setting<unknown>>>]> = [
  ["The server", server],
  ["The database", database],
  ["Several nodes", nodes],
  ["Kafka", kafka],
  ["Who may call", identitySettings],
  ["Calls and sockets", httpSettings],
  ["Secrets at rest", secretSettings],
  ["Batches and files", { ...batchSettings, ...bulkSettings }],
  ["Deliveries, and accounts with senders", deliverySettings]
]
