import { assert, layer } from "@effect/vitest"
import { Console, Effect, Schedule } from "effect"
import { randomOf } from "../integration/road/Road.ts"
import * as Mishaps from "./Mishaps.ts"
import { Cluster, lease } from "./ClusterNodes.ts"
import type { ClusterNode, ClusterShape } from "./ClusterNodes.ts"
import * as Scenario from "./Scenario.ts"
import * as RandomSchedule from "./Schedule.ts"

const { nodeOf } = Mishaps

/** Waits until a node says that it is ready, or that it is not and why. */
const untilReadiness = (cluster: ClusterShape, node: ClusterNode, expected: number) =>
  cluster.readiness(node).pipe(
    Effect.filterOrFail(({ status }) => status === expected),
    Effect.retry(Schedule.spaced("100 millis").pipe(Schedule.upTo({ duration: "15 seconds" })))
  )

/** Every node says that it is not ready, for this reason. */
const expectReason = (cluster: ClusterShape, reason: string) =>
  Effect.forEach(
    cluster.nodes,
    (node) =>
      Effect.map(untilReadiness(cluster, node, 503), ({ reasons }) => assert.include(reasons, reason, node.name)),
    { concurrency: "unbounded" }
  )

const expectReady = (cluster: ClusterShape) =>
  Effect.forEach(cluster.nodes, (node) => untilReadiness(cluster, node, 200), { concurrency: "unbounded" })

layer(Cluster.layer, { timeout: "120 seconds", excludeTestServices: true })(
  "three nodes lose, repeat and disorder nothing",
  (it) => {
    // The first: partitions are still on their way to the nodes that have just joined.
    it.effect("when they have just found one another", () =>
      Scenario.run({ name: "just-started", worstStall: 3_000, visitEvery: 20, mishap: () => Effect.void })
    )

    it.effect("when they are restarted one after another", () =>
      Scenario.run({ name: "rolling-restart", worstStall: lease + 4_000, mishap: Mishaps.rollingRestart })
    )

    it.effect("when the owner of a third of the mailboxes is killed, whose sockets are elsewhere", () =>
      Scenario.run({
        name: "kill-owner",
        worstStall: lease + 4_000,
        before: (cluster) => Effect.sync(() => (nodeOf(cluster, 0).offered = false)),
        mishap: (cluster) => Mishaps.killed(cluster, nodeOf(cluster, 0))
      })
    )

    it.effect("when the gateway of all sockets is killed", () =>
      Scenario.run({
        name: "kill-gateway",
        worstStall: lease + 4_000,
        before: (cluster) => Effect.sync(() => cluster.nodes.slice(1).forEach((node) => (node.offered = false))),
        mishap: (cluster) =>
          Effect.andThen(
            Effect.sync(() => cluster.nodes.forEach((node) => (node.offered = true))),
            Mishaps.killed(cluster, nodeOf(cluster, 0))
          )
      })
    )

    it.effect("when one is frozen for longer than its lease, and wakes", () =>
      Scenario.run({
        name: "frozen-node",
        worstStall: lease + 5_000,
        mishap: (cluster) => Mishaps.frozen(cluster, nodeOf(cluster, 1), lease + 3_000)
      })
    )

    it.effect("when a fourth joins and leaves", () =>
      Scenario.run({
        name: "fourth-node",
        visitEvery: 40,
        // Usually below 1.5 s; a leave that is slow to end costs up to the lease.
        worstStall: lease + 2_000,
        mishap: (cluster) => Effect.scoped(Effect.andThen(cluster.join, Effect.sleep("3 seconds")))
      })
    )

    it.effect("when two of them cannot reach each other", () =>
      Scenario.run({
        name: "partition",
        worstStall: Mishaps.partitionFor + 4_000,
        mishap: (cluster) => Mishaps.partition(cluster, nodeOf(cluster, 0), nodeOf(cluster, 1))
      })
    )

    it.effect("when Redis is frozen, which readiness tells", () =>
      Scenario.run({
        name: "redis-frozen",
        worstStall: Mishaps.redisGoneFor + lease + 5_000,
        mishap: (cluster) =>
          Effect.gen(function* () {
            yield* Mishaps.redisFrozen(cluster, Mishaps.redisGoneFor, expectReason(cluster, "Redis does not answer"))
            yield* expectReady(cluster)
          })
      })
    )

    it.effect("when Redis is restarted and has forgotten everything", () =>
      Scenario.run({
        name: "redis-restarted",
        worstStall: lease + 8_000,
        mishap: (cluster) => Effect.andThen(cluster.redis.restart, Effect.sleep(lease))
      })
    )

    it.effect("when PostgreSQL is restarted, which readiness tells", () =>
      Scenario.run({
        name: "postgres-restarted",
        worstStall: 9_000,
        mishap: (cluster) =>
          Effect.gen(function* () {
            yield* Mishaps.postgresRestarted(cluster, expectReason(cluster, "The database does not answer"))
            yield* expectReady(cluster)
          })
      })
    )

    it.effect("whatever comes, one after another", () =>
      Effect.gen(function* () {
        const seed = yield* Scenario.seed
        const steps = RandomSchedule.draw(randomOf(seed), 6)
        yield* Console.log(`CLUSTER_SEED=${seed}: ${steps.map(({ name }) => name).join("; ")}`)
        yield* Scenario.run({
          name: "random",
          // Mishaps overlap with the recovery from the one before.
          worstStall: 25_000,
          mishap: (cluster) => RandomSchedule.run(cluster, steps)
        })
      })
    )
  }
)
