/**
 * One shared connection to Redis, with typed errors that come in time.
 *
 * **Details**
 *
 * All keys begin with the deployment's prefix. `key` puts a room's keys into one slot of a Redis Cluster, so that Lua may touch
 * several of them; `spreadKey` lets every key find its own slot. Scripts run by their hash (EVALSHA) and are sent once to
 * each server.
 *
 * **Gotchas**
 *
 * Errors of ioredis carry the command with its arguments, and so passwords and what users wrote: only their message leaves
 * this module. A command that timed out may still have happened.
 */
import { Cause, Context, Effect, Layer, Queue, Schema } from "effect"
import type { Scope } from "effect"
import { Cluster, Redis } from "ioredis"
import { createHash } from "node:crypto"
import { clusterOptions, connectionOptions } from "./RedisSettings.ts"
import type { ConnectionOptions, RedisSettings, RedisSettingsInvalid } from "./RedisSettings.ts"

/** Redis did not do it, or did not say so in time. */
export class RedisUnavailable extends Schema.TaggedError<RedisUnavailable>()("RedisUnavailable", {
  /** The command, without its arguments. */
  command: Schema.String,
  /** Redis's own code (`NOAUTH`, `OOM`, …), or `TIMEOUT`, `CLOSED` (no connection) or `REPLY` (not what was expected). */
  code: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Redis ${this.command}: ${this.reason}`
  }
}

export type RedisConnection = Redis | Cluster

export interface LuaScript {
  /** Goes into errors. */
  readonly name: string
  readonly lua: string
  readonly sha: string
}

const shaOf = (lua: string): string => createHash("sha1").update(lua).digest("hex")

/** A script with its hash; make it at module scope. */
export const luaScript = (name: string, lua: string): LuaScript => ({
  name,
  lua,
  sha: shaOf(lua)
})

const codeOf = (message: string): string => {
  if (/timed out|ETIMEDOUT/i.test(message)) return "TIMEOUT"
  return /^([A-Z][A-Z0-9]+)\b/.exec(message)?.[1] ?? "CLOSED"
}

/** The typed form of what ioredis threw, without its arguments. */
export const unavailable = (command: string, cause: unknown): RedisUnavailable => {
  const reason = cause instanceof Error ? cause.message : "the command failed"
  return new RedisUnavailable({ command, code: codeOf(reason), reason })
}

/** What a connection says about itself. */
type Turn = { readonly to: "up" } | { readonly to: "down"; readonly reason: string }

/** A cluster's client decides itself when to connect to a node again. */
const withoutRetries = (options: ConnectionOptions["options"]) => {
  const rest = { ...options }
  delete rest.retryStrategy
  return rest
}

/** Opens nothing yet: ioredis connects at the first command. */
const open = ({ nodes, options }: ConnectionOptions): RedisConnection =>
  nodes === undefined
    ? new Redis(options)
    : new Cluster(
        nodes.map(({ host, port }) => ({ host, port })),
        clusterOptions(withoutRetries(options))
      )

/** For commands that wait on purpose. */
const patient = ({ nodes, options }: ConnectionOptions): ConnectionOptions => ({
  nodes,
  options: { ...options, commandTimeout: undefined, socketTimeout: undefined }
})

/** A cluster's client holds commands back while it knows no node, and ioredis does not time that. */
const inTime = <A>(reply: Promise<A>, millis: number): Promise<A> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("Command timed out")), millis)
    reply.then(resolve, reject).finally(() => clearTimeout(timer))
  })

export class RedisClient extends Context.Service<
  RedisClient,
  {
    readonly prefix: string
    readonly isCluster: boolean
    /** `{prefix:room}:part:…`; all keys of a room are in one slot. */
    readonly key: (room: string, ...parts: ReadonlyArray<string>) => string
    /** `prefix:room:part:…`; for keys that are touched alone. */
    readonly spreadKey: (room: string, ...parts: ReadonlyArray<string>) => string
    readonly send: (
      command: string,
      ...args: ReadonlyArray<string | number>
    ) => Effect.Effect<unknown, RedisUnavailable>
    /** Runs a script; its keys must be in one slot. */
    readonly evaluate: (
      script: LuaScript,
      keys: ReadonlyArray<string>,
      args: ReadonlyArray<string | number>
    ) => Effect.Effect<unknown, RedisUnavailable>
    /** Keeps a script on every server, so that EVALSHA finds it; gives its hash. */
    readonly load: (lua: string) => Effect.Effect<string, RedisUnavailable>
    /** A further connection, opened by its first command; `blocks`: its commands may wait as long as they like. */
    readonly connect: (options?: { readonly blocks: boolean }) => Effect.Effect<RedisConnection, never, Scope.Scope>
    /** Succeeds when Redis answers within the command timeout. */
    readonly ping: Effect.Effect<void, RedisUnavailable>
  }
>()("@beckon/infra/redis/RedisClient") {
  /** Connects, and fails if Redis does not answer or refuses the account. */
  static readonly layer = (
    settings: RedisSettings
  ): Layer.Layer<RedisClient, RedisUnavailable | RedisSettingsInvalid> => Layer.effect(RedisClient, make(settings))
}

/** Logs when a connection comes and goes, each once; without a listener ioredis writes errors to the console. */
const watch = Effect.fnUntraced(function* (connection: RedisConnection, troubles: WeakMap<RedisConnection, Error>) {
  const turns = yield* Queue.sliding<Turn>(16)
  let failing = false
  const turn = (next: Turn) => {
    if (failing === (next.to === "down")) return
    failing = !failing
    Queue.offerUnsafe(turns, next)
  }
  connection.on("ready", () => {
    troubles.delete(connection)
    turn({ to: "up" })
  })
  connection.on("error", (error: Error) => {
    troubles.set(connection, error)
    turn({ to: "down", reason: error.message })
  })
  yield* Queue.take(turns).pipe(
    Effect.flatMap((next) =>
      next.to === "up"
        ? Effect.logInfo("Redis answers again")
        : Effect.logWarning("The connection to Redis is broken").pipe(Effect.annotateLogs({ reason: next.reason }))
    ),
    Effect.forever,
    Effect.forkScoped
  )
})

const make = Effect.fnUntraced(function* (settings: RedisSettings) {
  const { prefix } = settings
  const options = yield* connectionOptions(settings)
  const troubles = new WeakMap<RedisConnection, Error>()
  const connect = ({ blocks } = { blocks: false }) =>
    Effect.acquireRelease(
      Effect.sync(() => open(blocks ? patient(options) : options)),
      (connection) => Effect.sync(() => connection.disconnect())
    ).pipe(Effect.tap((connection) => watch(connection, troubles)))
  const client = yield* connect()
  const within = options.options.commandTimeout ?? 0

  const call = (connection: RedisConnection, name: string, args: ReadonlyArray<string | number>) =>
    Effect.tryPromise({
      try: () => {
        // In capitals: replies of commands that ioredis knows in small letters are made into objects.
        const reply = Promise.resolve(connection.call(name.toUpperCase(), ...args))
        return connection instanceof Cluster ? inTime(reply, within) : reply
      },
      catch: (cause) => {
        const error = unavailable(name, cause)
        const trouble = troubles.get(connection)
        // That a command was given up says less than why there is no connection.
        return error.code === "CLOSED" && trouble !== undefined ? unavailable(name, trouble) : error
      }
    })
  const send = (command: string, ...args: ReadonlyArray<string | number>) => call(client, command, args)

  const evaluate = ({ lua, name, sha }: LuaScript, keys: ReadonlyArray<string>, args: ReadonlyArray<string | number>) =>
    call(client, "EVALSHA", [sha, keys.length, ...keys, ...args]).pipe(
      Effect.catchIf(
        (error) => error.code === "NOSCRIPT",
        () => call(client, "EVAL", [lua, keys.length, ...keys, ...args])
      ),
      Effect.mapError(({ code, reason }) => new RedisUnavailable({ command: name, code, reason }))
    )

  const load = (lua: string) =>
    Effect.forEach(
      client instanceof Cluster ? client.nodes("master") : [client],
      (node) => call(node, "SCRIPT", ["LOAD", lua]),
      { concurrency: "unbounded", discard: true }
    ).pipe(Effect.as(shaOf(lua)))

  const ping = Effect.asVoid(send("PING"))
  yield* ping

  return RedisClient.of({
    prefix,
    isCluster: client instanceof Cluster,
    key: (room, ...parts) => [`{${prefix}:${room}}`, ...parts].join(":"),
    spreadKey: (room, ...parts) => [prefix, room, ...parts].join(":"),
    send,
    evaluate,
    load,
    connect,
    ping
  })
})

/** Fails where a reply is not what the command promises. */
export const decodeReply = <A>(command: string, schema: Schema.Codec<A, unknown>) => {
  const decode = Schema.decodeUnknownEffect(schema)
  return (reply: unknown): Effect.Effect<A, RedisUnavailable> =>
    Effect.mapError(
      decode(reply),
      (error) => new RedisUnavailable({ command, code: "REPLY", reason: Cause.pretty(Cause.fail(error)) })
    )
}
