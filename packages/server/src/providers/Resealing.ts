/**
 * Seals secrets anew under the first key, by itself, after a start that knows more than one: an embedded database is open to
 * nobody else.
 */
import { Cause, Duration, Effect, Layer } from "effect"
import { KeyRing } from "@beckon/infra/security/KeyRing"
import * as SqlResealing from "@beckon/infra/postgres/SqlResealing"

/** Between two batches of `batch` rows: deliveries come first. */
const pause = Duration.millis(250)
const batch = 100

const run = Effect.gen(function* () {
  const { sealing } = yield* KeyRing
  const tables = yield* SqlResealing.reseal({ batch, onBatch: () => Effect.sleep(pause) })
  const resealed = tables.reduce((sum, table) => sum + table.resealed, 0)
  if (resealed > 0) yield* Effect.logInfo(`${resealed} secrets were sealed anew under the key ${sealing}`)
  for (const { stuck, table } of tables) {
    for (const [keyId, rows] of stuck) {
      yield* Effect.logError(
        `ALARM: ${rows} rows of ${table} do not open: they name the key ${keyId}. What they open waits until BECKON_KEYS has it`
      )
    }
  }
})

export const layer = Layer.effectDiscard(
  Effect.forkScoped(
    Effect.catchCause(run, (cause) =>
      Cause.hasInterruptsOnly(cause)
        ? Effect.void
        : Effect.logWarning("Secrets could not be sealed anew; the next start goes on", cause)
    )
  )
)
