import { Effect } from "effect"
import fc from "fast-check"
import type { CallbackRequest } from "../../src/callbacks/Callback.ts"

export const request = (
  body: string | Uint8Array,
  headers: CallbackRequest["headers"] = {},
  url = "https://beckon.example/callbacks"
): CallbackRequest => ({ url, headers, body: typeof body === "string" ? new TextEncoder().encode(body) : body })

/** The same bytes with one bit changed. */
export const flipped = (bytes: Uint8Array, at: number): Buffer => {
  const copy = Buffer.from(bytes)
  const index = Math.floor(at / 8) % Math.max(copy.length, 1)
  copy[index] = (copy[index] ?? 0) ^ (1 << (at % 8))
  return copy
}

/** The property holds for so many values; it runs where it is asked, with the clock of the test. */
export const holds = <A, E, R>(
  values: fc.Arbitrary<A>,
  numRuns: number,
  property: (value: A) => Effect.Effect<void, E, R>
): Effect.Effect<void, never, R> =>
  Effect.flatMap(Effect.context<R>(), (context) =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(values, (value) => Effect.runPromiseWith(context)(property(value))),
        { numRuns }
      )
    )
  )
