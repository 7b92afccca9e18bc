/**
 * Deliveries that are kept and listed, and never sent.
 */
import { Context, Effect, Layer } from "effect"
import { DeliveryId } from "@beckon/domain/Delivery"
import type { Delivery } from "@beckon/domain/Delivery"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import type { Direct } from "@beckon/domain/ports/DeliveryStore"
import { delivery } from "./Fixture.ts"

export class FakeDeliveries extends Context.Service<
  FakeDeliveries,
  { readonly added: Array<Direct>; readonly rows: Array<Delivery>; readonly asked: () => number }
>()("@beckon/server/test/FakeDeliveries") {}

const make = Effect.sync(() => {
  const added: Array<Direct> = []
  const rows: Array<Delivery> = []
  let asked = 0
  const store = Layer.mock(DeliveryStore, {
    add: (deliveries, now) =>
      Effect.sync(() =>
        deliveries.map((direct) => {
          added.push(direct)
          const { channel, dueAt, target, urgency } = direct.delivery
          const id = DeliveryId.make(`d-${String(rows.length).padStart(6, "0")}`)
          const { tenantId, userId } = direct
          rows.push(
            delivery({ id, tenantId, userId, channel, target, urgency, dueAt, createdAt: now, state: "pending" })
          )
          return id
        })
      ),
    list: (tenantId, { before, channel, endpointId, limit, states }) =>
      Effect.sync(() => {
        asked++
        return rows
          .filter(
            (row) =>
              row.tenantId === tenantId &&
              (channel === undefined || row.channel === channel) &&
              (endpointId === undefined || (row.target._tag === "Endpoint" && row.target.endpointId === endpointId)) &&
              (states === undefined || states.includes(row.state)) &&
              (before === undefined || row.id < before)
          )
          .toReversed()
          .slice(0, limit)
      })
  })
  return Layer.merge(store, Layer.succeed(FakeDeliveries, { added, rows, asked: () => asked }))
})

export const layer = Layer.unwrap(make)
