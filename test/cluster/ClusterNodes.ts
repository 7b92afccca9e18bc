/**
 * Nodes of one deployment in processes of their own, on one PostgreSQL and one Redis that the test may break, behind a load
 * balancer, and with a network between them that the test may cut.
 */
import { Context, Effect, Exit, Layer, Redacted, Scope } from "effect"
import * as BeckonProcess from "../support/BeckonProcess.ts"
import { startKafka, startPostgres, startRedis } from "../support/services/Services.ts"
import type { OwnKafka, OwnPostgres, OwnRedis } from "../support/services/Services.ts"
import { call, jwtSecret, lastingPort } from "../integration/road/Road.ts"
import * as Balancer from "./Balancer.ts"
import * as TcpProxy from "./TcpProxy.ts"

/** Where other nodes reach a node (through its proxy), and where it listens. */
const nodeHost = "127.0.0.2"
const listenHost = "127.0.0.1"

/** Of `BECKON_LEASE`, in milliseconds. */
export const lease = 4_000

export interface ClusterNode {
  readonly name: string
  readonly url: string
  readonly port: number
  /** Absent while it is down. */
  running: BeckonProcess.BeckonProcess | undefined
  /** Whether the load balancer gives it new connections. */
  offered: boolean
  /** Whether senders choose it: false while it is stopping or down. */
  serving: boolean
}

export interface ClusterShape {
  readonly nodes: ReadonlyArray<ClusterNode>
  readonly postgres: OwnPostgres
  readonly redis: OwnRedis
  /** Only with `layerKafka`. */
  readonly kafka: OwnKafka | undefined
  /** Of the load balancer. */
  readonly url: string
  readonly start: (node: ClusterNode) => Effect.Effect<void, BeckonProcess.ProcessEnded>
  /** Adds a node to the deployment, which leaves it (SIGTERM) with the scope. */
  readonly join: Effect.Effect<ClusterNode, BeckonProcess.ProcessEnded, Scope.Scope>
  /** Sends a signal that ends it, and waits for the end. */
  readonly end: (node: ClusterNode, signal: "SIGTERM" | "SIGKILL") => Effect.Effect<BeckonProcess.ProcessExit>
  readonly freeze: (node: ClusterNode) => Effect.Effect<void>
  readonly thaw: (node: ClusterNode) => Effect.Effect<void>
  /** Nothing passes between these two any more, in either direction; both still reach all others. */
  readonly cut: (one: ClusterNode, other: ClusterNode) => Effect.Effect<void>
  readonly heal: Effect.Effect<void>
  /** What `/health/ready` says: its status, and why not; status 0 is no answer within three seconds. */
  readonly readiness: (
    node: ClusterNode
  ) => Effect.Effect<{ readonly status: number; readonly reasons: ReadonlyArray<string> }>
  /** The last lines of all nodes that are not plain information. */
  readonly complaints: Effect.Effect<string>
}

interface Slot {
  readonly node: ClusterNode
  readonly nodePort: number
  proxy: TcpProxy.TcpProxy
  scope: Scope.Closeable | undefined
}

const make = Effect.fnUntraced(function* (options: { readonly withKafka: boolean }) {
  const outer = yield* Effect.scope
  const [postgres, redis, kafka] = yield* Effect.all(
    [startPostgres(), startRedis(), options.withKafka ? startKafka() : Effect.undefined],
    { concurrency: "unbounded" }
  )
  const slots: Array<Slot> = []
  const nodes: Array<ClusterNode> = []
  const cuts = new Set<string>()
  const folder = yield* BeckonProcess.temporaryFolder
  const pids = () => nodes.flatMap(({ running }) => running?.pid ?? [])
  const nameOfPid = (pid: number) => nodes.find(({ running }) => running?.pid === pid)?.name ?? ""
  const past: Array<string> = []

  const slotOf = (node: ClusterNode): Slot => {
    const slot = slots.find((one) => one.node === node)
    if (slot === undefined) throw new Error(`No node ${node.name}`)
    return slot
  }

  const add = Effect.gen(function* () {
    const port = yield* lastingPort
    const nodePort = yield* lastingPort
    const name = `node-${slots.length + 1}`
    const node: ClusterNode = {
      name,
      port,
      url: `http://127.0.0.1:${port}`,
      running: undefined,
      offered: true,
      serving: false
    }
    const proxy = yield* TcpProxy.make({
      listen: { host: nodeHost, port: nodePort },
      target: { host: listenHost, port: nodePort },
      pids,
      isCut: (pid) => cuts.has([name, nameOfPid(pid)].toSorted().join())
    })
    slots.push({ node, nodePort, proxy, scope: undefined })
    nodes.push(node)
    return node
  }).pipe(Effect.provideService(Scope.Scope, outer))

  const start = Effect.fnUntraced(function* (node: ClusterNode) {
    const slot = slotOf(node)
    const scope = yield* Scope.fork(outer)
    slot.scope = scope
    node.running = yield* BeckonProcess.start({
      port: node.port,
      dataDir: `${folder}/${node.name}`,
      env: {
        DATABASE_URL: Redacted.value(postgres.url),
        REDIS_URL: Redacted.value(redis.url),
        BECKON_JWT_SECRET: jwtSecret,
        BECKON_DEVICE_TOKEN_SECRET: "5e".repeat(32),
        BECKON_LEASE: `${lease} millis`,
        DRAIN_TIMEOUT: "4 seconds",
        HOST: "127.0.0.1",
        NODE_HOST: nodeHost,
        NODE_LISTEN_HOST: listenHost,
        NODE_PORT: String(slot.nodePort),
        ...(kafka === undefined ? {} : { KAFKA_BROKERS: kafka.brokers.join() })
      }
    }).pipe(Effect.provideService(Scope.Scope, scope))
    node.offered = true
    node.serving = true
  })

  const end = Effect.fnUntraced(function* (node: ClusterNode, signal: "SIGTERM" | "SIGKILL") {
    const slot = slotOf(node)
    const { running } = node
    if (running === undefined) return { code: null, signal: null }
    node.serving = false
    yield* running.kill(signal)
    const exit = yield* running.exit
    past.push(...complaintsOf(node))
    node.running = undefined
    if (slot.scope !== undefined) yield* Scope.close(slot.scope, Exit.void)
    return exit
  })

  const signal = (node: ClusterNode, name: NodeJS.Signals) =>
    Effect.suspend(() => node.running?.kill(name) ?? Effect.void)

  const updateCuts = Effect.sync(() => slots.forEach(({ proxy }) => proxy.update()))

  for (let count = 0; count < 3; count++) yield* add
  // One after another: the first makes the tables.
  for (const node of nodes) yield* start(node)
  const balancerPort = yield* lastingPort
  yield* Balancer.make(balancerPort, () =>
    nodes.map((node) => ({ port: node.port, isOffered: () => node.offered && node.running !== undefined }))
  )

  return Cluster.of({
    nodes,
    postgres,
    redis,
    kafka,
    url: `http://127.0.0.1:${balancerPort}`,
    start,
    join: Effect.acquireRelease(Effect.tap(add, start), (node) =>
      Effect.andThen(
        end(node, "SIGTERM"),
        Effect.sync(() => nodes.splice(nodes.indexOf(node), 1))
      )
    ),
    end,
    freeze: (node) => signal(node, "SIGSTOP"),
    thaw: (node) => signal(node, "SIGCONT"),
    cut: (one, other) =>
      Effect.andThen(
        Effect.sync(() => cuts.add([one.name, other.name].toSorted().join())),
        updateCuts
      ),
    heal: Effect.andThen(
      Effect.sync(() => cuts.clear()),
      updateCuts
    ),
    readiness: (node) =>
      call(node.url, "/health/ready").pipe(
        Effect.map(({ body, status }) => ({ status, reasons: body.reasons ?? [] })),
        Effect.timeout("3 seconds"),
        Effect.catch(() => Effect.succeed({ status: 0, reasons: [] }))
      ),
    complaints: Effect.sync(() => [...past, ...nodes.flatMap(complaintsOf)].slice(-120).join("\n"))
  })
})

const complaintsOf = ({ name, running }: ClusterNode): ReadonlyArray<string> =>
  [...(running?.stderr ?? []), ...(running?.stdout ?? [])].slice(-60).map((line) => `${name} ${line}`)

export class Cluster extends Context.Service<Cluster, ClusterShape>()("@beckon/test/Cluster") {
  /** Three nodes. */
  static readonly layer = Layer.effect(Cluster, make({ withKafka: false }))
  /** The same, and they take events from a broker that the test may break. */
  static readonly layerKafka = Layer.effect(Cluster, make({ withKafka: true }))
}
