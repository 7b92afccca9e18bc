/**
 * `/api/v1/notifications/*`: what services of a tenant send, ask and cancel.
 */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { Unavailable } from "@beckon/domain/Problem"
import { Audiences } from "../inbox/Audiences.ts"
import { Notifications } from "../inbox/Notifications.ts"

/** What is logged on the way of a request names it as its CurrentIdentity does. */
const correlated = <A, E, R>(effect: Effect.Effect<A, E, R>, id: string | undefined): Effect.Effect<A, E, R> =>
  id === undefined ? effect : Effect.annotateLogs(effect, "correlation_id", id)

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "notifications",
  Effect.fn(function* (handlers) {
    const notifications = yield* Notifications
    const audiences = yield* Audiences
    return handlers.handleAll({
      send: ({ headers, payload: { requestId, userId, ...content } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const [sent] = yield* notifications.send({
            tenantId,
            content,
            userIds: [userId],
            dedupeKey: requestId === undefined ? undefined : `request:${requestId}`,
            correlationId: headers["x-correlation-id"]
          })
          if (sent === undefined) return yield* new Unavailable({ detail: "The mailbox gave no answer; try again." })
          return { data: sent }
        }).pipe((sending) => correlated(sending, headers["x-correlation-id"])),
      broadcast: ({ headers, payload }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const { nextCursor, ...data } = yield* audiences.broadcast(tenantId, payload, headers["x-correlation-id"])
          return { data, meta: { nextCursor } }
        }).pipe((sending) => correlated(sending, headers["x-correlation-id"])),
      status: ({ params }) =>
        Effect.flatMap(CurrentIdentity, ({ tenantId }) =>
          Effect.map(notifications.status(tenantId, params.id), (data) => ({ data }))
        ),
      cancel: ({ params }) =>
        Effect.flatMap(CurrentIdentity, ({ tenantId }) =>
          Effect.map(notifications.cancel(tenantId, params.id), (data) => ({ data }))
        ),
      cancelAll: ({ payload }) =>
        Effect.flatMap(CurrentIdentity, ({ tenantId }) =>
          Effect.map(notifications.cancelAll(tenantId, payload.cancelKey), (data) => ({ data }))
        )
    })
  })
)
