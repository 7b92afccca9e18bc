/**
 * Real PostgreSQL, Redis and Kafka for tests.
 *
 * **Details**
 *
 * Shared: one server of each kind per run, started by the first test that asks; a test isolates itself by its own database
 * (`freshDatabase`), key prefix (`sharedRedis`) or topic prefix (`sharedKafka`). Own: `startPostgres`, `startRedis` and
 * `startKafka` give a server for the lifetime of a scope, which the test may freeze, thaw, stop, kill and start again.
 *
 * A server comes from the first of these that works: `TEST_DATABASE_URL`, `TEST_REDIS_URL`, `TEST_KAFKA_BROKERS` (shared only);
 * a Docker engine (compose.yaml); programs on the machine, started privately in a temporary folder; the same after
 * installing them (apt-get for root on Debian; Kafka by Maven into `.cache/kafka`). If none works the test fails and says what
 * is missing. All processes end with the tests, also when those are killed.
 *
 * **Gotchas**
 *
 * Everything here runs on the real clock, also under `it.effect`. The shared servers need `SharedServices.ts` as vitest's
 * `globalSetup`. Topics stay on a broker that the environment gave.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Redacted, Schema } from "effect"
import type { Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import { randomUUID } from "node:crypto"
import { inject } from "vitest"
import { startOwn } from "./Locate.ts"
import type { Located, ServiceName, StartOptions } from "./Locate.ts"
import { eraseKeys } from "./RedisKeys.ts"
import type { Control } from "./ServiceProcess.ts"

/** No real service can be had; says which and why. */
export class ServiceUnavailable extends Schema.TaggedError<ServiceUnavailable>()("ServiceUnavailable", {
  service: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

/** A server that belongs to one test. */
export interface OwnService {
  /** On 127.0.0.1; stays the same over restarts. */
  readonly port: number
  /** Of the server's process; 0 while it is down, and in a container that of `docker compose`. */
  readonly processId: Effect.Effect<number>
  /** Freezes all its processes (SIGSTOP): connections stay open, nothing answers. */
  readonly pause: Effect.Effect<void, ServiceUnavailable>
  /** Thaws it (SIGCONT). */
  readonly resume: Effect.Effect<void, ServiceUnavailable>
  /** Ends it cleanly and waits; also when it is frozen. */
  readonly stop: Effect.Effect<void, ServiceUnavailable>
  /** Ends it with SIGKILL and waits. */
  readonly kill: Effect.Effect<void, ServiceUnavailable>
  /** Starts it again on the same port and data folder, and waits until it is ready. */
  readonly start: Effect.Effect<void, ServiceUnavailable>
  /** `stop`, then `start`. */
  readonly restart: Effect.Effect<void, ServiceUnavailable>
  /** The last lines that it wrote. */
  readonly log: Effect.Effect<string>
}

export interface OwnPostgres extends OwnService {
  /** Of an empty database, with a superuser. */
  readonly url: Redacted.Redacted
}

export interface OwnRedis extends OwnService {
  readonly url: Redacted.Redacted
}

export interface OwnKafka extends OwnService {
  /** `host:port` */
  readonly brokers: ReadonlyArray<string>
}

export interface FreshDatabase {
  readonly url: Redacted.Redacted
  readonly name: string
}

export interface SharedRedis {
  readonly url: Redacted.Redacted
  /** Belongs to this caller alone; put it before every key and channel. */
  readonly prefix: string
}

export interface SharedKafka {
  /** `host:port` */
  readonly brokers: ReadonlyArray<string>
  /** Belongs to this caller alone; put it before every topic and group. */
  readonly prefix: string
}

const reasonOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause))

const attempt = <A>(service: ServiceName, evaluate: () => Promise<A>): Effect.Effect<A, ServiceUnavailable> =>
  Effect.tryPromise({ try: evaluate, catch: (cause) => new ServiceUnavailable({ service, reason: reasonOf(cause) }) })

const own = (name: ServiceName, options?: StartOptions) =>
  Effect.map(
    Effect.acquireRelease(
      attempt(name, () => startOwn(name, options)),
      ({ control }) => Effect.promise(() => control?.dispose() ?? Promise.resolve())
    ),
    ({ control, url }) => ({ url, service: control === undefined ? undefined : ownService(name, control) })
  ).pipe(
    Effect.flatMap(({ service, url }) =>
      service === undefined
        ? Effect.fail(new ServiceUnavailable({ service: name, reason: "It is not under control" }))
        : Effect.succeed({ url, service })
    )
  )

const ownService = (name: ServiceName, control: Control): OwnService => {
  const stop = attempt(name, control.stop)
  const start = attempt(name, control.start)
  return {
    port: control.port,
    processId: Effect.sync(control.pid),
    pause: attempt(name, control.pause),
    resume: attempt(name, control.resume),
    stop,
    kill: attempt(name, control.kill),
    start,
    restart: Effect.andThen(stop, start),
    log: Effect.sync(control.log)
  }
}

/** A PostgreSQL server of one's own; `args` are more arguments of `postgres`. Its data survives `restart` and `kill`. */
export const startPostgres = (options?: {
  readonly args?: ReadonlyArray<string>
}): Effect.Effect<OwnPostgres, ServiceUnavailable, Scope.Scope> =>
  Effect.map(own("postgres", options), ({ service, url }) => ({ ...service, url: Redacted.make(url) }))

/**
 * A Redis server of one's own; `args` are more arguments of `redis-server`, `configuration` lines of its file. It keeps
 * nothing over a restart, unless with `args: ["--appendonly", "yes"]`.
 */
export const startRedis = (options?: {
  readonly args?: ReadonlyArray<string>
  readonly configuration?: ReadonlyArray<string>
}): Effect.Effect<OwnRedis, ServiceUnavailable, Scope.Scope> =>
  Effect.map(own("redis", options), ({ service, url }) => ({ ...service, url: Redacted.make(url) }))

/** A Kafka broker of one's own; `settings` go to `server.properties`. Its topics survive `restart` and `kill`. */
export const startKafka = (options?: {
  readonly settings?: Readonly<Record<string, string | number>>
}): Effect.Effect<OwnKafka, ServiceUnavailable, Scope.Scope> =>
  Effect.map(own("kafka", options), ({ service, url }) => ({ ...service, brokers: url.split(",") }))

const Answer = Schema.fromJsonString(
  Schema.Struct({ url: Schema.String, source: Schema.Literals(["environment", "docker", "machine"]) })
)
const decodeAnswer = Schema.decodeUnknownSync(Answer)

const shared = (service: ServiceName): Effect.Effect<Pick<Located, "url" | "source">, ServiceUnavailable> =>
  attempt(service, async () => {
    const response = await fetch(`${inject("beckonServices")}/${service}`)
    const text = await response.text()
    if (response.status !== 200) throw new Error(text)
    return decodeAnswer(text)
  })

const freshName = (separator: string) => `test${separator}${randomUUID().replaceAll("-", "").slice(0, 16)}`

/** The shared Redis and a prefix of one's own, whose keys are erased with the scope. */
export const sharedRedis: Effect.Effect<SharedRedis, ServiceUnavailable, Scope.Scope> = Effect.gen(function* () {
  const { source, url } = yield* shared("redis")
  const prefix = freshName("-")
  if (source === "environment") {
    yield* Effect.addFinalizer(() => Effect.orDie(attempt("redis", () => eraseKeys(url, prefix))))
  }
  return { url: Redacted.make(url), prefix }
})

/** The shared Kafka broker and a prefix of one's own. */
export const sharedKafka: Effect.Effect<SharedKafka, ServiceUnavailable> = Effect.map(shared("kafka"), ({ url }) => ({
  brokers: url.split(","),
  prefix: `${freshName("-")}-`
}))

/** An empty database of one's own on the shared PostgreSQL; dropped with the scope, whoever is still connected. */
export const freshDatabase: Effect.Effect<FreshDatabase, ServiceUnavailable, Scope.Scope> = Effect.gen(function* () {
  const { url } = yield* shared("postgres")
  const name = freshName("_")
  const administer = (statement: string) =>
    PgClient.make({ url: Redacted.make(url), maxConnections: 1 }).pipe(
      Effect.flatMap((sql) => sql.unsafe(statement)),
      Effect.scoped,
      Effect.provide(Reactivity.layer),
      Effect.mapError(
        (error) => new ServiceUnavailable({ service: "postgres", reason: `${statement}: ${error.message}` })
      )
    )
  yield* Effect.acquireRelease(administer(`CREATE DATABASE ${name}`), () =>
    Effect.orDie(administer(`DROP DATABASE ${name} WITH (FORCE)`))
  )
  const mine = new URL(url)
  mine.pathname = `/${name}`
  return { url: Redacted.make(mine.href), name }
})
