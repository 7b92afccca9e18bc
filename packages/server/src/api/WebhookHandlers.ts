/**
 * `/api/v1/webhooks/*`: where a tenant wants to be called.
 */
import { DateTime, Duration, Effect, Schema } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { WebhookEndpointView } from "@beckon/domain/api/WebhookApi"
import { DeliveryId } from "@beckon/domain/Delivery"
import type { WebhookEndpoint } from "@beckon/domain/WebhookEndpoint"
import { Audit } from "../audit/Audit.ts"
import { Endpoints, maxEndpoints } from "../delivery/Endpoints.ts"
import * as Cursor from "../inbox/Cursor.ts"
import * as Status from "../inbox/Status.ts"

const defaultLimit = 20

const toView = ({ tenantId: _tenantId, ...endpoint }: WebhookEndpoint): WebhookEndpointView => endpoint

const encode = Schema.encodeEffect(Schema.toCodecJson(WebhookEndpointView))

/** As the audit log shows it. */
const noted = (endpoint: WebhookEndpoint) => Effect.orDie(encode(toView(endpoint)))

const targetOf = (id: string): string => `webhook/${id}`

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "webhooks",
  Effect.fn(function* (handlers) {
    const endpoints = yield* Endpoints
    const audit = yield* Audit
    return handlers.handleAll({
      create: ({ payload }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const { endpoint, secret } = yield* endpoints.create(tenantId, payload)
          const target = targetOf(endpoint.id)
          yield* audit.record({ action: "webhook.create", target, after: yield* noted(endpoint) })
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
          const before = yield* noted(yield* endpoints.get(tenantId, params.id))
          const changed = yield* endpoints.update(tenantId, params.id, payload)
          const target = targetOf(params.id)
          yield* audit.record({ action: "webhook.update", target, before, after: yield* noted(changed) })
          return { data: toView(changed) }
        }),
      remove: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const before = yield* noted(yield* endpoints.get(tenantId, params.id))
          yield* endpoints.remove(tenantId, params.id)
          yield* audit.record({ action: "webhook.remove", target: targetOf(params.id), before })
        }),
      rotate: ({ params, payload: { overlapSeconds } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const overlap = overlapSeconds === undefined ? undefined : Duration.seconds(overlapSeconds)
          const data = yield* endpoints.rotate(tenantId, params.id, overlap)
          const after = { former_until: DateTime.formatIso(data.formerUntil) }
          yield* audit.record({ action: "webhook.rotate", target: targetOf(params.id), after })
          return { data }
        }),
      test: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          return { data: { deliveryId: yield* endpoints.test(tenantId, params.id) } }
        }),
      replay: ({ params, payload }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const data = yield* endpoints.replay(tenantId, params.id, payload.ids)
          const after = { replayed: data.map(({ id, replayedAs }) => ({ id, replayed_as: replayedAs })) }
          yield* audit.record({ action: "webhook.replay", target: targetOf(params.id), after })
          return { data }
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
