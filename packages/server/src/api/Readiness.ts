/**
 * What this node needs to do its work, beside the database: whoever opens such a thing adds a check of it.
 */
import { Context, Duration, Effect, Layer, Option } from "effect"
import type { Scope } from "effect"

/** How long one check may take. */
export const probeTimeout = Duration.seconds(2)

interface Check {
  readonly reason: string
  readonly check: Effect.Effect<unknown, unknown>
}

export class Readiness extends Context.Service<
  Readiness,
  {
    /** From now until the scope closes the node is not ready, for this reason, when `check` fails or takes too long. */
    readonly add: (reason: string, check: Effect.Effect<unknown, unknown>) => Effect.Effect<void, never, Scope.Scope>
    /** Why the node cannot do its work now; empty when it can. */
    readonly reasons: Effect.Effect<ReadonlyArray<string>>
  }
>()("@beckon/server/api/Readiness") {
  static readonly layer = Layer.sync(Readiness, () => {
    const checks = new Set<Check>()
    const reasonOf = ({ check, reason }: Check) =>
      check.pipe(
        Effect.timeout(probeTimeout),
        Effect.match({ onFailure: () => Option.some(reason), onSuccess: () => Option.none<string>() })
      )
    return {
      add: (reason, check) => {
        const one: Check = { reason, check }
        return Effect.acquireRelease(
          Effect.sync(() => void checks.add(one)),
          () => Effect.sync(() => checks.delete(one))
        )
      },
      reasons: Effect.suspend(() => Effect.forEach(checks, reasonOf, { concurrency: "unbounded" })).pipe(
        Effect.map((found) => found.flatMap(Option.toArray))
      )
    }
  })

  /** Adds a check that needs services. */
  static readonly layerCheck = <E, R>(reason: string, check: Effect.Effect<Effect.Effect<unknown, unknown>, E, R>) =>
    Layer.effectDiscard(
      Effect.gen(function* () {
        const readiness = yield* Readiness
        yield* readiness.add(reason, yield* check)
      })
    )
}
