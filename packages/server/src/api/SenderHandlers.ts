/**
 * `/api/v1/services/*` and `/api/v1/events`: what other systems call.
 */
import { Effect, Layer } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import type { Accepted } from "@beckon/domain/Notification"
import type { UserId } from "@beckon/domain/Identifiers"
import { Unavailable } from "@beckon/domain/Problem"
import { chargeRows } from "../http/CurrentCall.ts"
import { EventIngest } from "../ingest/EventIngest.ts"
import { Sender } from "../inbox/Sender.ts"

const toView = ({ duplicate, notificationId, seq }: Accepted, userId: UserId) => ({
  id: notificationId,
  userId,
  seq,
  duplicate
})

const services = HttpApiBuilder.group(
  BeckonApi,
  "services",
  Effect.fn(function* (handlers) {
    const sender = yield* Sender
    return handlers.handleAll({
      send: ({ payload }) =>
        Effect.gen(function* () {
          const [accepted] = yield* sender.send(yield* CurrentIdentity, [payload])
          if (accepted === undefined)
            return yield* new Unavailable({ detail: "The mailbox gave no answer; try again." })
          return { data: toView(accepted, payload.userId) }
        })
    })
  })
)

const events = HttpApiBuilder.group(
  BeckonApi,
  "events",
  Effect.fn(function* (handlers) {
    const { ingest } = yield* EventIngest
    return handlers.handleAll({
      ingest: ({ payload }) =>
        Effect.gen(function* () {
          const identity = yield* CurrentIdentity
          const all = Array.isArray(payload) ? payload : [payload]
          yield* chargeRows(all.length)
          const ingested = yield* ingest(identity.tenantId, all)
          return {
            data: ingested.map(({ eventId, notifications }) => ({
              eventId,
              notifications: notifications.map((one) => toView(one, one.userId))
            }))
          }
        })
    })
  })
)

export const layer = Layer.merge(services, events)
