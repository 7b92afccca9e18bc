import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { RequestBody } from "../../src/uws/UwsRequestBody.ts"

const kilobyte = new ArrayBuffer(1_024)

const make = () => {
  const seen = { paused: 0, refused: 0 }
  const body = new RequestBody(1_024 * 1_024, {
    pause: () => void (seen.paused += 1),
    resume: () => {},
    tooLarge: () => void (seen.refused += 1)
  })
  return { body, seen }
}

it.effect("a body that is collected is let go as soon as it is larger than asked for", () =>
  Effect.gen(function* () {
    const { body, seen } = make()
    const collecting = yield* Effect.forkChild(Effect.flip(body.collect(4_096)), { startImmediately: true })
    for (let count = 0; count < 5; count++) body.push(kilobyte, false)
    // The rest is still to come.
    assert.strictEqual(yield* Fiber.join(collecting), "TooLarge")
    for (let count = 0; count < 2_000; count++) body.push(kilobyte, count === 1_999)
    assert.deepStrictEqual(seen, { paused: 0, refused: 0 })
    assert.strictEqual(yield* Effect.flip(body.collect(8_192)), "TooLarge")
  })
)

it.effect("so is one of which too much came before anybody asked", () =>
  Effect.gen(function* () {
    const { body } = make()
    for (let count = 0; count < 5; count++) body.push(kilobyte, false)
    assert.strictEqual(yield* Effect.flip(body.collect(4_096)), "TooLarge")
  })
)

it.effect("one of the size that was asked for is given, more than once", () =>
  Effect.gen(function* () {
    const { body } = make()
    for (let count = 0; count < 4; count++) body.push(kilobyte, count === 3)
    assert.strictEqual((yield* body.collect(4_096)).byteLength, 4_096)
    assert.strictEqual((yield* body.collect(8_192)).byteLength, 4_096)
    assert.strictEqual(yield* Effect.flip(body.collect(1_024)), "TooLarge")
  })
)
