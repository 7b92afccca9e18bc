import { DeadLetters } from "@beckon/domain/ports/DeadLetters"
import type { DeadLetter } from "@beckon/domain/ports/DeadLetters"
import { DateTime, Effect, Layer } from "effect"

const make = Effect.sync(() => {
  const letters: Array<DeadLetter> = []

  return DeadLetters.of({
    add: ({ headers, key, topic, value }, reason) =>
      Effect.map(DateTime.now, (at) => {
        letters.push({ id: String(letters.length + 1), topic, key, headers: { ...headers }, value, reason, at })
      }),
    list: (limit) => Effect.sync(() => letters.slice(Math.max(0, letters.length - limit)).toReversed())
  })
})

/** Dead letters in memory. */
export const layer: Layer.Layer<DeadLetters> = Layer.effect(DeadLetters, make)
