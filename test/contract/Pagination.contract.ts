import type { TenantId } from "@beckon/domain/Identifiers"
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Layer } from "effect"
import fc from "fast-check"
import { freshTenant } from "./Fixtures.ts"
import { listsOfBatches } from "./PaginationBatches.ts"
import { listsOfDeliveries } from "./PaginationDeliveries.ts"
import { lists } from "./PaginationLists.ts"
import type { Listed } from "./PaginationLists.ts"
import { scenarios, seed, walk } from "./PaginationWalk.ts"

const all = { ...lists, ...listsOfBatches, ...listsOfDeliveries }

type Made = ReturnType<(typeof all)[keyof typeof all]>

const runs = 15

/** Runs walks through every list over one storage. */
export const paginationContract = <R extends Effect.Services<Made>, E>(
  provider: string,
  stores: Layer.Layer<Effect.Services<Made> | R, E>
) => {
  layer(stores, { timeout: "60 seconds" })(`Pages of lists: ${provider}`, (it) => {
    const made: ReadonlyArray<
      readonly [string, (tenantId: TenantId) => Effect.Effect<Listed, { readonly _tag: string }, Effect.Services<Made>>]
    > = Object.entries(all)
    it.effect.each(made)(
      "%s: whoever is there all the time is seen once, whatever comes and goes meanwhile",
      ([, listOf]) =>
        Effect.gen(function* () {
          const chance = yield* seed
          for (const scenario of fc.sample(scenarios, { numRuns: runs, seed: chance })) {
            const list = yield* listOf(freshTenant())
            const wrong = yield* walk(list, list.read, scenario)
            expect(wrong, `seed ${chance}, ${JSON.stringify(scenario)}`).toEqual([])
          }
        }),
      60_000
    )
  })
}
