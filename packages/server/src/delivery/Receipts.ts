/**
 * What an app sends back to tell that a push arrived or was opened: nobody else can make it for a delivery.
 */
import { Context, Effect, Layer } from "effect"
import type { DeliveryId } from "@beckon/domain/Delivery"

export class Receipts extends Context.Service<
  Receipts,
  { readonly of: (id: DeliveryId) => Effect.Effect<string | undefined> }
>()("@beckon/server/delivery/Receipts") {
  /** Pushes carry no receipt. */
  static readonly layerNone = Layer.succeed(Receipts, { of: () => Effect.succeed(undefined) })
}
