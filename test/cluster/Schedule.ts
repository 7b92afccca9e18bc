/**
 * A random schedule of mishaps, one after another; the same seed gives the same schedule.
 */
import { Effect } from "effect"
import { lease } from "./ClusterNodes.ts"
import type { ClusterShape } from "./ClusterNodes.ts"
import * as Mishaps from "./Mishaps.ts"

export interface Step {
  readonly name: string
  readonly run: (cluster: ClusterShape) => Effect.Effect<void, unknown>
}

const whole = (chance: () => number, below: number): number => Math.floor(chance() * below)

const kinds: ReadonlyArray<(chance: () => number) => Step> = [
  (chance) => {
    const node = whole(chance, 3)
    return { name: `restart ${node}`, run: (cluster) => Mishaps.restarted(cluster, Mishaps.nodeOf(cluster, node)) }
  },
  (chance) => {
    const node = whole(chance, 3)
    return { name: `kill ${node}`, run: (cluster) => Mishaps.killed(cluster, Mishaps.nodeOf(cluster, node)) }
  },
  (chance) => {
    const node = whole(chance, 3)
    // Shorter and longer than the lease.
    const millis = 1_000 + whole(chance, 2 * lease)
    return {
      name: `freeze ${node} for ${millis} ms`,
      run: (cluster) => Mishaps.frozen(cluster, Mishaps.nodeOf(cluster, node), millis)
    }
  },
  (chance) => {
    const one = whole(chance, 3)
    const other = (one + 1 + whole(chance, 2)) % 3
    const millis = 1_000 + whole(chance, Mishaps.partitionFor)
    return {
      name: `part ${one} from ${other} for ${millis} ms`,
      run: (cluster) => Mishaps.partition(cluster, Mishaps.nodeOf(cluster, one), Mishaps.nodeOf(cluster, other), millis)
    }
  },
  (chance) => {
    const millis = 500 + whole(chance, Mishaps.redisFrozenFor)
    return { name: `freeze Redis for ${millis} ms`, run: (cluster) => Mishaps.redisFrozen(cluster, millis) }
  },
  () => ({ name: "restart Redis", run: (cluster) => cluster.redis.restart }),
  () => ({ name: "restart PostgreSQL", run: (cluster) => Mishaps.postgresRestarted(cluster, Effect.void) })
]

/** `count` steps, no kind twice before each had its turn. */
export const draw = (chance: () => number, count: number): ReadonlyArray<Step> => {
  const steps: Array<Step> = []
  let left: Array<(typeof kinds)[number]> = []
  while (steps.length < count) {
    if (left.length === 0) left = [...kinds]
    for (const kind of left.splice(whole(chance, left.length), 1)) steps.push(kind(chance))
  }
  return steps
}

/** A second of peace between them, in which not everything has recovered. */
export const run = (cluster: ClusterShape, steps: ReadonlyArray<Step>) =>
  Effect.forEach(steps, (step) => Effect.andThen(step.run(cluster), Effect.sleep("1 second")), { discard: true })
