/**
 * Receipts for pushes: a client tells that a push arrived, or was opened.
 *
 * **Details**
 *
 * A push carries the delivery's id and a receipt, which only we can make of the id. A client that shows both had the push; it
 * needs no login, which a phone may not have while the app sleeps.
 *
 * **Gotchas**
 *
 * Whoever had the push can say what he likes about it, and nothing about any other.
 */
import type { ProviderEvent } from "@beckon/domain/Delivery"
import { DeliveryId } from "@beckon/domain/Delivery"
import { DateTime, Effect, Option, Redacted, Schema } from "effect"
import { createHmac } from "node:crypto"
import { isSame, refuse, textOf } from "./Callback.ts"
import type { CallbackRefused, CallbackRequest } from "./Callback.ts"

const receiptBytes = 16

/** 128 bits of HMAC-SHA256 over the delivery's id, in base64url: 22 characters. */
export const receiptOf = (secret: Redacted.Redacted<Uint8Array>, deliveryId: DeliveryId): string =>
  createHmac("sha256", Redacted.value(secret))
    .update(`push receipt\u0000${deliveryId}`, "utf8")
    .digest()
    .subarray(0, receiptBytes)
    .toString("base64url")

const decodeBody = Schema.decodeUnknownOption(
  Schema.fromJsonString(
    Schema.Struct({
      delivery_id: DeliveryId,
      receipt: Schema.String,
      event: Schema.Literals(["delivered", "opened"])
    })
  )
)

/** The news, by any of the secrets, of a body like `{"delivery_id": …, "receipt": …, "event": "opened"}`. */
export const events = Effect.fn("PushReceipt.events")(function* (
  secrets: ReadonlyArray<Redacted.Redacted<Uint8Array>>,
  { body }: Pick<CallbackRequest, "body">
): Effect.fn.Return<ReadonlyArray<ProviderEvent>, CallbackRefused> {
  const decoded = Option.getOrUndefined(decodeBody(textOf(body)))
  if (decoded === undefined) return yield* refuse("malformed")
  const { delivery_id: deliveryId, event, receipt } = decoded
  const given = Buffer.from(receipt, "utf8")
  if (!secrets.some((secret) => isSame(given, Buffer.from(receiptOf(secret, deliveryId), "utf8"))))
    return yield* refuse("forged")
  return [
    {
      provider: "client",
      eventKey: `${deliveryId}:${event}`,
      deliveryId,
      state: event === "opened" ? "seen" : "delivered",
      code: event,
      detail: null,
      at: yield* DateTime.now
    }
  ]
})
