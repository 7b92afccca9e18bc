/**
 * `/api/v1/notifications/*`: what services of a tenant send, ask and cancel.
 */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CallOrigin } from "@beckon/domain/CallOrigin"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { Unavailable } from "@beckon/domain/Problem"
import { Audit } from "../audit/Audit.ts"
import { Audiences } from "../inbox/Audiences.ts"
import { Notifications } from "../inbox/Notifications.ts"
import type { Cancelled } from "../inbox/Notifications.ts"

/** Scheduled ones are kept with it, and leave without their caller. */
const correlationId = Effect.map(CallOrigin, (origin) => origin.correlationId ?? undefined)

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "notifications",
  Effect.fn(function* (handlers) {
    const notifications = yield* Notifications
    const audiences = yield* Audiences
    const audit = yield* Audit

    /** Where there was nothing left to cancel nothing was done. */
    const noteCancelled = (target: string, { deliveries, scheduled }: Cancelled) =>
      deliveries + scheduled === 0
        ? Effect.void
        : audit.record({ action: "notification.cancel", target, after: { deliveries, scheduled } })

    return handlers.handleAll({
      send: ({ payload: { requestId, userId, ...content } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const [sent] = yield* notifications.send({
            tenantId,
            content,
            userIds: [userId],
            dedupeKey: requestId === undefined ? undefined : `request:${requestId}`,
            correlationId: yield* correlationId
          })
          if (sent === undefined) return yield* new Unavailable({ detail: "The mailbox gave no answer; try again." })
          return { data: sent }
        }),
      broadcast: ({ payload }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const { nextCursor, ...data } = yield* audiences.broadcast(tenantId, payload, yield* correlationId)
          return { data, meta: { nextCursor } }
        }),
      status: ({ params }) =>
        Effect.flatMap(CurrentIdentity, ({ tenantId }) =>
          Effect.map(notifications.status(tenantId, params.id), (data) => ({ data }))
        ),
      cancel: ({ params }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const data = yield* notifications.cancel(tenantId, params.id)
          yield* noteCancelled(`notification/${params.id}`, data)
          return { data }
        }),
      cancelAll: ({ payload }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const data = yield* notifications.cancelAll(tenantId, payload.cancelKey)
          yield* noteCancelled(`cancel_key/${payload.cancelKey}`, data)
          return { data }
        })
    })
  })
)
