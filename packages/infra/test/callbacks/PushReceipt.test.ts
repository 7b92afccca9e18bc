import { DeliveryId } from "@beckon/domain/Delivery"
import { describe, expect, it } from "@effect/vitest"
import { DateTime, Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import * as PushReceipt from "../../src/callbacks/PushReceipt.ts"
import { request } from "./CallbackFixture.ts"

const secret = Redacted.make(new Uint8Array(32).fill(7))
const deliveryId = DeliveryId.make("0199-d1")
const receipt = PushReceipt.receiptOf(secret, deliveryId)
const body = (changes: object = {}) =>
  request(JSON.stringify({ delivery_id: deliveryId, receipt, event: "opened", ...changes }))

describe("PushReceipt", () => {
  it("a receipt has 128 bits, is the same for the same delivery, and another for each other or secret", () => {
    expect(receipt).toMatch(/^[\w-]{22}$/)
    expect(PushReceipt.receiptOf(secret, deliveryId)).toBe(receipt)
    expect(PushReceipt.receiptOf(secret, DeliveryId.make("0199-d2"))).not.toBe(receipt)
    expect(PushReceipt.receiptOf(Redacted.make(new Uint8Array(32)), deliveryId)).not.toBe(receipt)
  })

  it.effect.each([
    ["delivered", "delivered"],
    ["opened", "seen"]
  ] as const)("%s is news of the delivery", ([event, state]) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000)
      expect(yield* PushReceipt.events([secret], body({ event }))).toEqual([
        {
          provider: "client",
          eventKey: `0199-d1:${event}`,
          deliveryId: "0199-d1",
          state,
          code: event,
          detail: null,
          at: DateTime.makeUnsafe(1_000)
        }
      ])
    })
  )

  it.effect.each([
    { receipt: "" },
    { receipt: `${receipt.slice(0, -1)}_` },
    { receipt: `${receipt}=` },
    { receipt: PushReceipt.receiptOf(secret, DeliveryId.make("0199-d2")) },
    { delivery_id: "0199-d2" }
  ])("%o is refused as forged", (changes) =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(PushReceipt.events([secret], body(changes)))).toMatchObject({ reason: "forged" })
    })
  )

  it.effect.each([{ event: "bought" }, { delivery_id: "" }, { receipt: 5 }, { delivery_id: "a\u0000" }])(
    "%o is refused as malformed",
    (changes) =>
      Effect.gen(function* () {
        expect(yield* Effect.flip(PushReceipt.events([secret], body(changes)))).toMatchObject({ reason: "malformed" })
      })
  )
})
