/**
 * The configuration of the server, read once from the environment. `Settings.ts` is the table of all settings.
 *
 * **Details**
 *
 * A setting that is absent has its default; one that does not fit stops the start with a message that names it.
 */
import { Config, Context, Effect, Layer, Option, Schema } from "effect"
import { settings } from "./Settings.ts"

const config = Config.all({
  host: settings.host.read,
  nodeListenHost: settings.nodeListenHost.read,
  allowedOrigins: settings.allowedOrigins.read,
  port: settings.port.read,
  dataDir: settings.dataDir.read,
  databaseUrl: settings.databaseUrl.read,
  databasePoolSize: settings.databasePoolSize.read,
  databasePoolMax: settings.databasePoolMax.read,
  databaseAcquireTimeout: settings.databaseAcquireTimeout.read,
  databaseRecycleAfter: settings.databaseRecycleAfter.read,
  databasePrePing: settings.databasePrePing.read,
  flushCommits: settings.flushCommits.read,
  redisUrl: settings.redisUrl.read,
  prefix: settings.prefix.read,
  nodeHost: settings.nodeHost.read,
  nodePort: settings.nodePort.read,
  lease: settings.lease.read,
  jwtSecret: settings.jwtSecret.read,
  mailboxIdle: settings.mailboxIdle.read,
  drainTimeout: settings.drainTimeout.read,
  logLevel: settings.logLevel.read
})

type Read = typeof config extends Config.Config<infer A> ? A : never

/** What `Settings.ts` says, with the defaults that depend on other settings filled in. */
export interface ServerConfigShape extends Omit<Read, "host" | "nodeListenHost" | "allowedOrigins"> {
  readonly host: string
  readonly nodeListenHost: string
  readonly allowedOrigins: ReadonlyArray<string> | undefined
}

/** Settings that do not go together. */
export class SettingsConflict extends Schema.TaggedError<SettingsConflict>()("SettingsConflict", {
  detail: Schema.String
}) {
  override get message() {
    return `The settings do not go together: ${this.detail}`
  }
}

/** Several nodes share a database and secrets; with one of them missing each node would have its own. */
const conflictOf = (config: Pick<ServerConfigShape, "redisUrl" | "databaseUrl" | "jwtSecret">): string | undefined => {
  if (Option.isNone(config.redisUrl)) return undefined
  if (Option.isNone(config.databaseUrl))
    return "REDIS_URL joins several nodes, which need DATABASE_URL: an embedded database has one"
  if (Option.isNone(config.jwtSecret)) return "REDIS_URL joins several nodes, which need the same BECKON_JWT_SECRET"
  return undefined
}

export class ServerConfig extends Context.Service<ServerConfig, ServerConfigShape>()(
  "@beckon/server/layers/ServerConfig"
) {
  static readonly layer = Layer.effect(
    ServerConfig,
    Effect.gen(function* () {
      const { allowedOrigins, host, nodeListenHost, ...rest } = yield* config
      const detail = conflictOf(rest)
      if (detail !== undefined) return yield* new SettingsConflict({ detail })
      return {
        ...rest,
        host: Option.getOrElse(host, () => (Option.isSome(rest.databaseUrl) ? "0.0.0.0" : "127.0.0.1")),
        nodeListenHost: Option.getOrElse(nodeListenHost, () => rest.nodeHost),
        allowedOrigins: Option.getOrUndefined(
          Option.map(allowedOrigins, (origins) => origins.split(",").map((origin) => origin.trim()))
        )
      }
    })
  )
}
