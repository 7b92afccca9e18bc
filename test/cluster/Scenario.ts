/**
 * A scenario: traffic, a mishap in the middle of it, and the verdict with one line of figures.
 */
import { assert } from "@effect/vitest"
import { Config, Console, Effect, Option, Schema } from "effect"
import { randomOf } from "../integration/road/Road.ts"
import { Cluster } from "./ClusterNodes.ts"
import type { ClusterShape } from "./ClusterNodes.ts"
import * as Traffic from "./Traffic.ts"

/** The seed of this run's chance; `CLUSTER_SEED` repeats a run. */
export const seed = Effect.map(Config.option(Config.schema(Schema.FiniteFromString, "CLUSTER_SEED")), (given) =>
  Option.getOrElse(given, () => Math.floor(Math.random() * 2 ** 31))
)

/** Traffic before and after the mishap, so that a stall has two ends. */
const calm = "1500 millis"

export interface ScenarioOptions {
  /** Also the tenant. */
  readonly name: string
  readonly mishap: (cluster: ClusterShape, chance: () => number) => Effect.Effect<void, unknown>
  /** Before the devices connect. */
  readonly before?: (cluster: ClusterShape) => Effect.Effect<void, unknown>
  /** Milliseconds that any user or device may have waited. */
  readonly worstStall: number
  readonly rate?: number
  readonly visitEvery?: number
  readonly publish?: Traffic.TrafficOptions["publish"]
}

/** All nodes up, in balance and reachable, whatever an earlier scenario left behind. */
const settle = Effect.fnUntraced(function* (cluster: ClusterShape) {
  yield* cluster.heal
  for (const node of cluster.nodes) {
    node.offered = true
    if (node.running === undefined) yield* cluster.start(node)
    else yield* cluster.thaw(node)
    node.serving = true
  }
})

export const run = Effect.fnUntraced(function* ({ before, mishap, name, worstStall, ...load }: ScenarioOptions) {
  const cluster = yield* Cluster
  const chance = randomOf(yield* seed)
  yield* settle(cluster)
  if (before !== undefined) yield* before(cluster)
  const traffic = yield* Traffic.start({ cluster, tenant: name, chance, ...load })
  yield* Effect.sleep(calm)
  yield* mishap(cluster, chance)
  yield* Effect.sleep(calm)
  const figures = yield* traffic.finish.pipe(
    Effect.tapError(() => Effect.flatMap(cluster.complaints, (lines) => Console.error(lines)))
  )
  const { accepted, answerStall, faults, frameStall, lost, notRecovered, outOfOrder, repeated, saved, seen } = figures
  yield* Console.log(
    `${name}: accepted ${accepted} = saved ${saved} = seen ${seen}; ${lost} lost, ${repeated} repeated, ${outOfOrder} out of order; ` +
      `stall (median/worst ms) of answers ${answerStall.median}/${answerStall.worst}, of frames ${frameStall.median}/${frameStall.worst}; ` +
      `${traffic.visits.length} visitors waited at most ${Math.max(0, ...traffic.visits)} ms; ${traffic.retries()} retries`
  )
  if (faults.length > 0) yield* Console.error(yield* cluster.complaints)
  assert.deepStrictEqual(faults, [])
  assert.deepStrictEqual(
    { lost, repeated, outOfOrder, notRecovered, saved, seen },
    { lost: 0, repeated: 0, outOfOrder: 0, notRecovered: 0, saved: accepted, seen: accepted }
  )
  assert.isAbove(accepted, 200)
  assert.isBelow(answerStall.worst, worstStall, "the longest time that a user got no answer")
  assert.isBelow(frameStall.worst, worstStall, "the longest time that a device got no frame")
  assert.isBelow(Math.max(0, ...traffic.visits), worstStall, "the longest time that a visitor waited")
}, Effect.scoped)
