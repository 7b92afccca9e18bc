/**
 * `/api/v1/webhooks/*`: where a tenant wants to be called.
 */
import { Duration, Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import type { WebhookEndpointView } from "@beckon/domain/api/WebhookApi"
import { DeliveryId } from "@beckon/domain/Delivery"
import type { WebhookEndpoint } from "@beckon/domain/WebhookEndpoint"
import { Endpoints, maxEndpoints } from "../delivery/Endpoints.ts"
import * as Cursor from "../inbox/Cursor.ts"
import * as Status from "../inbox/Status.ts"

const defaultLimit = 20

const toView = ({ tenantId: _tenantId, ...endpoint }: WebhookEndpoint): WebhookEndpointView => endpoint

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "webhooks",
  Effect.fn(function* (handlers) {
    const endpoints = yield* Endpoints
    return handlers.handleAll({
      create: ({ payload }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const { endpoint, secret } = yield* endpoints.create(tenantId, payload)
          return { data: { ...toView(endpoint), secret } }
        }),
      list: () =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const data = (yield* endpoints.list(tenantId)).map(toView)
          return { data, meta: { limit: maxEndpoints, nextCursor: null } }
        }),
      get: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          return { data: toView(yield* endpoints.get(tenantId, params.id)) }
        }),
      update: ({ params, payload }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          return { data: toView(yield* endpoints.update(tenantId, params.id, payload)) }
        }),
      remove: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          yield* endpoints.remove(tenantId, params.id)
        }),
      rotate: ({ params, payload: { overlapSeconds } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const overlap = overlapSeconds === undefined ? undefined : Duration.seconds(overlapSeconds)
          return { data: yield* endpoints.rotate(tenantId, params.id, overlap) }
        }),
      test: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          return { data: { deliveryId: yield* endpoints.test(tenantId, params.id) } }
        }),
      replay: ({ params, payload }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          return { data: yield* endpoints.replay(tenantId, params.id, payload.ids) }
        }),
      deliveries: ({ params, query: { cursor, limit = defaultLimit, state } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const before =
            cursor === undefined ? undefined : DeliveryId.make(yield* Effect.fromResult(Cursor.toId(cursor)))
          const { deliveries, next } = yield* endpoints.deliveries(tenantId, params.id, {
            limit,
            states: state,
            before
          })
          const nextCursor = next === undefined ? null : Cursor.ofId(next)
          return { data: deliveries.map(Status.deliveryView), meta: { limit, nextCursor } }
        })
    })
  })
)
