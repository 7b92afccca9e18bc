/**
 * `/api/v1/deliveries/*`: what is under way beyond the socket, and what became of it.
 */
import { DateTime, Duration, Effect, Option } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { DeliveryId } from "@beckon/domain/Delivery"
import { NotFound } from "@beckon/domain/Problem"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import * as Cursor from "../inbox/Cursor.ts"
import { storeToProblem } from "../inbox/Inbox.ts"
import * as Status from "../inbox/Status.ts"

const defaultLimit = 20

/** What is looked at within this time is no cause for alarm. */
const patience = Duration.minutes(5)

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "deliveries",
  Effect.fn(function* (handlers) {
    const store = yield* DeliveryStore
    return handlers.handleAll({
      list: ({ query: { channel, cursor, limit = defaultLimit, state, userId } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const before = cursor === undefined ? undefined : yield* Effect.fromResult(Cursor.toId(cursor))
          const rows = yield* Effect.catch(
            store.list(tenantId, {
              limit: limit + 1,
              ...(state === undefined || state.length === 0 ? {} : { states: state }),
              ...(channel === undefined ? {} : { channel }),
              ...(userId === undefined ? {} : { userId }),
              ...(before === undefined ? {} : { before: DeliveryId.make(before) })
            }),
            storeToProblem
          )
          return Cursor.pageOf(rows.map(Status.deliveryView), limit, ({ id }) => Cursor.ofId(id))
        }),
      counts: () =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          return { data: yield* Effect.catch(store.counts(tenantId), storeToProblem) }
        }),
      reconciliation: () =>
        Effect.gen(function* () {
          yield* CurrentIdentity
          return { data: yield* Effect.catch(store.reconcile(yield* DateTime.now, patience), storeToProblem) }
        }),
      get: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const found = yield* Effect.catch(store.get(tenantId, params.id), storeToProblem)
          return Option.isSome(found)
            ? { data: Status.historyView(found.value) }
            : yield* new NotFound({ detail: "id: no delivery of your tenant has this id" })
        })
    })
  })
)
