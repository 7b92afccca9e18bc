/**
 * Where a real service comes from: the first that works of an address in the environment, a Docker engine, and the machine
 * itself, which gets what it lacks by apt-get and Maven.
 */
import { dockerRuns, startInDocker } from "./Docker.ts"
import { kafkaProbe, startKafkaHere } from "./Kafka.ts"
import { postgresPassword, postgresProbe, postgresUser, startPostgresHere } from "./Postgres.ts"
import { redisProbe, startRedisHere } from "./Redis.ts"
import type { Control, Probe } from "./ServiceProcess.ts"

export type ServiceName = "postgres" | "redis" | "kafka"

export interface Located {
  readonly source: "environment" | "docker" | "machine"
  /** A URL, or for Kafka `host:port` with commas between several. */
  readonly url: string
  /** None for an address from the environment. */
  readonly control: Control | undefined
}

export interface StartOptions {
  /** More arguments of `redis-server` or `postgres`; only on the machine itself. */
  readonly args?: ReadonlyArray<string> | undefined
  /** Lines of `redis.conf`; only on the machine itself. */
  readonly configuration?: ReadonlyArray<string> | undefined
  /** Settings of `server.properties`; only on the machine itself. */
  readonly settings?: Readonly<Record<string, string | number>> | undefined
}

interface Service {
  readonly variable: string
  readonly probe: Probe
  readonly here: (options: StartOptions) => Promise<Control>
  readonly url: (port: number) => string
}

const services: Readonly<Record<ServiceName, Service>> = {
  postgres: {
    variable: "TEST_DATABASE_URL",
    probe: postgresProbe,
    here: ({ args = [] }) => startPostgresHere(args),
    url: (port) => `postgres://${postgresUser}:${postgresPassword}@127.0.0.1:${port}/postgres`
  },
  redis: {
    variable: "TEST_REDIS_URL",
    probe: redisProbe,
    here: startRedisHere,
    url: (port) => `redis://127.0.0.1:${port}`
  },
  kafka: {
    variable: "TEST_KAFKA_BROKERS",
    probe: kafkaProbe,
    here: ({ settings = {} }) => startKafkaHere(settings),
    url: (port) => `127.0.0.1:${port}`
  }
}

/** Starts a service of one's own, on Docker or on the machine. */
export const startOwn = async (name: ServiceName, options: StartOptions = {}): Promise<Required<Located>> => {
  const service = services[name]
  const located = (source: "docker" | "machine", control: Control) => ({
    source,
    url: service.url(control.port),
    control
  })
  const reasons: Array<string> = []
  // What a test asks for beyond the plain service is set by arguments, which containers of compose.yaml do not take.
  const plain = Object.values(options).every((option) => option === undefined)
  if (plain && (await dockerRuns())) {
    try {
      return located("docker", await startInDocker(name, service.probe))
    } catch (cause) {
      reasons.push(`Docker: ${cause instanceof Error ? cause.message : String(cause)}`)
    }
  } else if (plain) reasons.push("Docker: no engine with compose answers")
  try {
    return located("machine", await service.here(options))
  } catch (cause) {
    reasons.push(`This machine: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
  throw new Error(
    `These tests need a real ${name} and found none. ${service.variable} is not set, or does not serve here.\n${reasons.join("\n")}`
  )
}

/** A service for everyone: the address in the environment, or one's own. */
export const locate = (name: ServiceName): Promise<Located> => {
  const url = process.env[services[name].variable] ?? ""
  return url === "" ? startOwn(name) : Promise.resolve({ source: "environment", url, control: undefined })
}
