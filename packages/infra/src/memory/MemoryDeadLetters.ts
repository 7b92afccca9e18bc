import { DeadLetters, ownerOf } from "@beckon/domain/ports/DeadLetters"
import type { DeadLetter } from "@beckon/domain/ports/DeadLetters"
import { DateTime, Effect, Layer } from "effect"

const make = Effect.sync(() => {
  const letters: Array<DeadLetter> = []

  return DeadLetters.of({
    add: ({ headers, key, topic, value }, reason) =>
      Effect.map(DateTime.now, (at) => {
        letters.push({ id: String(letters.length + 1), topic, key, headers: { ...headers }, value, reason, at })
      }),
    list: ({ limit, tenantId }) =>
      Effect.sync(() =>
        letters
          .filter((letter) => tenantId === undefined || ownerOf(letter) === tenantId)
          .toReversed()
          .slice(0, limit)
      )
  })
})

/** Dead letters in memory. */
export const layer: Layer.Layer<DeadLetters> = Layer.effect(DeadLetters, make)
