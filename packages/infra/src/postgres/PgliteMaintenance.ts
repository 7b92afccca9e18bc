/**
 * What a PostgreSQL server does by itself and PGlite does not: it has no autovacuum.
 */
import { Effect, Layer, Schedule } from "effect"
import { SqlClient } from "effect/sql/SqlClient"

/** Often enough that changes of state leave few dead rows, seldom enough that nobody waits for it. */
const interval = "10 minutes"

/** Plans that were made while all tables were empty read whole tables: the first look comes soon after the first rows. */
const first = "30 seconds"

/** Frees dead rows and refreshes the planner's statistics, after 30 seconds and then every 10 minutes while the layer lives. */
export const layer: Layer.Layer<never, never, SqlClient> = Layer.effectDiscard(
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const vacuum = Effect.catch(sql`VACUUM (ANALYZE)`, (error) => Effect.logWarning("The vacuum failed", error))
    yield* Effect.forkScoped(Effect.delay(Effect.repeat(vacuum, Schedule.spaced(interval)), first))
  })
)
