/**
 * Where Redis is and how to reach it: one server, Sentinel or Cluster.
 */
import { Duration, Effect, Redacted, Schema } from "effect"
import type { ClusterOptions, RedisOptions } from "ioredis"

/** The settings cannot be used. Says what is wrong without quoting the URL, which may hold a password. */
export class RedisSettingsInvalid extends Schema.TaggedError<RedisSettingsInvalid>()("RedisSettingsInvalid", {
  reason: Schema.String
}) {
  override get message(): string {
    return `The Redis settings are not valid: ${this.reason}`
  }
}

export interface RedisNode {
  readonly host: string
  readonly port: number
}

export type RedisServers =
  /** `redis://user:password@host:6379/0`, or `rediss://` for TLS. */
  | { readonly kind: "single"; readonly url: Redacted.Redacted }
  | {
      readonly kind: "sentinel"
      /** The name of the group that Sentinel watches. */
      readonly name: string
      readonly sentinels: ReadonlyArray<RedisNode>
      readonly sentinelUsername?: string | undefined
      readonly sentinelPassword?: Redacted.Redacted | undefined
    }
  /** Some nodes of a Redis Cluster; the others are found. */
  | { readonly kind: "cluster"; readonly nodes: ReadonlyArray<RedisNode> }

export interface RedisTls {
  /** PEM. Default: the authorities that Node trusts. */
  readonly ca?: string | undefined
  readonly certificate?: string | undefined
  readonly key?: Redacted.Redacted | undefined
  /** The name that the server's certificate must carry. Default: the host. */
  readonly serverName?: string | undefined
}

export interface RedisSettings {
  readonly servers: RedisServers
  /** Begins every key and channel of this deployment; letters, digits and `_.:-`. */
  readonly prefix: string
  /** An ACL user (Redis 6 and later); wins over the URL's. */
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | undefined
  readonly tls?: RedisTls | undefined
  /** When a command counts as failed; a third of the shortest lease that rests on it. Default: 2 seconds. */
  readonly commandTimeout?: Duration.Input | undefined
}

type ClusterNodeOptions = Omit<NonNullable<ClusterOptions["redisOptions"]>, "replyMapping">
type Options = Omit<RedisOptions, "replyMapping">

/** What ioredis takes. `nodes` are there for Redis Cluster only. */
export interface ConnectionOptions {
  readonly options: Options
  readonly nodes?: ReadonlyArray<RedisNode> | undefined
}

const invalid = (reason: string) => Effect.fail(new RedisSettingsInvalid({ reason }))

/** `decodeURIComponent`, or `undefined` where the escapes are broken. */
const decode = (part: string): string | undefined => {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}

/** The getters of a URL as fields. */
const parts = (raw: string) => {
  const { hash, hostname, password, pathname, port, protocol, search, username } = new URL(raw)
  return { hash, hostname, password, pathname, port, protocol, search, username }
}

const parseUrl = Effect.fnUntraced(function* (url: Redacted.Redacted) {
  const raw = Redacted.value(url)
  if (!URL.canParse(raw)) return yield* invalid("it is not a URL")
  const { hash, hostname, pathname, port, protocol, search, ...rest } = parts(raw)
  const [username, password] = [decode(rest.username), decode(rest.password)]
  if (protocol !== "redis:" && protocol !== "rediss:") return yield* invalid("it must begin with redis:// or rediss://")
  if (username === undefined || password === undefined) return yield* invalid("a percent escape in it is broken")
  if (search !== "" || hash !== "") return yield* invalid("it must not have a query or a fragment")
  const database = /^\/?(\d{0,4})$/.exec(pathname)?.[1]
  if (database === undefined) return yield* invalid("its path must be the number of a database")
  return {
    host: hostname === "" ? "localhost" : hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? 6379 : Number(port),
    username,
    password,
    db: database === "" ? 0 : Number(database),
    secure: protocol === "rediss:"
  }
})

const tlsOptions = ({ ca, certificate, key, serverName }: RedisTls) => ({
  ...(ca === undefined ? {} : { ca }),
  ...(certificate === undefined ? {} : { cert: certificate }),
  ...(key === undefined ? {} : { key: Redacted.value(key) }),
  ...(serverName === undefined ? {} : { servername: serverName })
})

const given = <K extends string>(name: K, value: string | undefined): Partial<Record<K, string>> =>
  value === undefined || value === "" ? {} : ({ [name]: value } as Partial<Record<K, string>>)

/**
 * The options of ioredis.
 *
 * A command fails in time rather than wait: a lease that cannot be refreshed must be known to be in doubt. A command whose
 * connection breaks is not sent again, because nobody waits for its answer any more.
 */
export const connectionOptions = Effect.fnUntraced(function* (
  settings: RedisSettings
): Effect.fn.Return<ConnectionOptions, RedisSettingsInvalid> {
  const { password, prefix, servers, tls, username } = settings
  if (!/^[\w.:-]{1,64}$/.test(prefix)) return yield* invalid("the prefix must be 1 to 64 letters, digits or _.:-")
  const commandTimeout = Duration.toMillis(Duration.fromInputUnsafe(settings.commandTimeout ?? "2 seconds"))
  const timing: Options = {
    commandTimeout,
    connectTimeout: commandTimeout,
    // A peer that vanished without a word is given up, and connected to again.
    socketTimeout: commandTimeout * 2,
    maxRetriesPerRequest: 1,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times - 1, 4), 500),
    lazyConnect: true
  }
  const secure = tls === undefined ? {} : { tls: tlsOptions(tls) }
  const secret = password === undefined ? undefined : Redacted.value(password)
  const account = { ...given("username", username), ...given("password", secret) }
  switch (servers.kind) {
    case "single": {
      const { db, host, port, ...url } = yield* parseUrl(servers.url)
      const own = { ...given("username", url.username), ...given("password", url.password), ...account }
      return { options: { ...timing, ...(url.secure ? { tls: {} } : {}), ...secure, ...own, host, port, db } }
    }
    case "sentinel": {
      if (servers.sentinels.length === 0) return yield* invalid("Sentinel needs at least one address")
      const sentinelSecret = servers.sentinelPassword
      return {
        options: {
          ...timing,
          ...secure,
          ...(tls === undefined ? {} : { enableTLSForSentinelMode: true, sentinelTLS: tlsOptions(tls) }),
          ...account,
          ...given("sentinelUsername", servers.sentinelUsername),
          ...given("sentinelPassword", sentinelSecret === undefined ? undefined : Redacted.value(sentinelSecret)),
          name: servers.name,
          sentinels: servers.sentinels.map(({ host, port }) => ({ host, port })),
          sentinelCommandTimeout: commandTimeout,
          sentinelRetryStrategy: (times) => Math.min(50 * times, 500)
        }
      }
    }
    case "cluster":
      if (servers.nodes.length === 0) return yield* invalid("Redis Cluster needs at least one address")
      return { options: { ...timing, ...secure, ...account }, nodes: servers.nodes }
  }
})

/** The options of a Redis Cluster, whose nodes take those of a connection. */
export const clusterOptions = ({
  lazyConnect,
  ...options
}: Omit<Options, "retryStrategy">): Omit<ClusterOptions, "redisOptions"> & {
  readonly redisOptions: ClusterNodeOptions
} => ({
  redisOptions: options,
  lazyConnect,
  // Messages of a topic travel within the shard that owns its channel (Redis 7), not to every node.
  shardedSubscribers: true,
  slotsRefreshTimeout: options.commandTimeout,
  clusterRetryStrategy: (times) => Math.min(50 * times, 500),
  // A certificate names hosts, so names are not resolved beforehand.
  ...(options.tls === undefined ? {} : { dnsLookup: (address, callback) => callback(null, address) })
})
