/**
 * What can happen to a cluster. Each leaves it whole.
 */
import { Effect } from "effect"
import { lease } from "./ClusterNodes.ts"
import type { ClusterNode, ClusterShape } from "./ClusterNodes.ts"

/** Milliseconds. */
export const redisGoneFor = 30_000
/** At most, in a random schedule, where others follow. */
export const redisFrozenFor = 8_000
export const partitionFor = 8_000

export const nodeOf = ({ nodes }: ClusterShape, index: number): ClusterNode => {
  const node = nodes[index]
  if (node === undefined) throw new Error(`There are ${nodes.length} nodes`)
  return node
}

/** Told to stop, waited for, and started again. */
export const restarted = (cluster: ClusterShape, node: ClusterNode) =>
  Effect.andThen(cluster.end(node, "SIGTERM"), cluster.start(node))

export const rollingRestart = (cluster: ClusterShape) =>
  Effect.forEach(cluster.nodes, (node) => restarted(cluster, node), { discard: true })

/** Killed, missed for longer than its lease, and started again. */
export const killed = (cluster: ClusterShape, node: ClusterNode) =>
  Effect.gen(function* () {
    yield* cluster.end(node, "SIGKILL")
    yield* Effect.sleep(lease + 2_500)
    yield* cluster.start(node)
  })

export const frozen = (cluster: ClusterShape, node: ClusterNode, millis: number) =>
  cluster.freeze(node).pipe(
    Effect.andThen(Effect.sleep(millis)),
    Effect.andThen(cluster.thaw(node)),
    // It notices that it is no owner any more, and takes part again.
    Effect.andThen(Effect.sleep(2_000))
  )

export const partition = (cluster: ClusterShape, one: ClusterNode, other: ClusterNode, millis = partitionFor) =>
  cluster.cut(one, other).pipe(Effect.andThen(Effect.sleep(millis)), Effect.andThen(cluster.heal))

/** `meanwhile` runs while it is frozen. */
export const redisFrozen = <E = never>(
  cluster: ClusterShape,
  millis: number,
  meanwhile: Effect.Effect<unknown, E> = Effect.void
) =>
  cluster.redis.pause.pipe(
    Effect.andThen(Effect.all([meanwhile, Effect.sleep(millis)], { concurrency: 2, discard: true })),
    Effect.ensuring(Effect.orDie(cluster.redis.resume))
  )

/** `meanwhile` runs while it is down. */
export const postgresRestarted = <E>(cluster: ClusterShape, meanwhile: Effect.Effect<unknown, E>) =>
  cluster.postgres.stop.pipe(Effect.andThen(meanwhile), Effect.ensuring(Effect.orDie(cluster.postgres.start)))
