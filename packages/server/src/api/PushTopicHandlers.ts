/**
 * `/api/v1/push/topics/*`: pushes to topics, and who subscribes to them.
 */
import { Array, DateTime, Effect, Redacted } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import { urgencyOf } from "@beckon/domain/DeliveryOptions"
import type { TenantId, UserId } from "@beckon/domain/Identifiers"
import { Unavailable, Unprocessable } from "@beckon/domain/Problem"
import { pushDataFault } from "@beckon/domain/PushData"
import { DeliveryStore } from "@beckon/domain/ports/DeliveryStore"
import { DeviceStore } from "@beckon/domain/ports/DeviceStore"
import { PushTopics } from "@beckon/domain/ports/PushTopics"
import type { PushRefused } from "@beckon/domain/ports/PushTopics"
import { Audit } from "../audit/Audit.ts"
import { Nudges } from "../delivery/Nudges.ts"
import { topicNameOf } from "../delivery/TopicNames.ts"
import { storeToProblem } from "../inbox/Inbox.ts"

/** What the push service takes in one call. */
const maxTokens = 1_000

/** The subscription of a browser is no token of FCM's: topics do not reach it. */
const isForTopics = (token: string): boolean => !token.startsWith("{")

const toProblem = (error: PushRefused) =>
  Effect.fail(
    error.class === "permanent"
      ? new Unprocessable({ detail: `topic: ${error.message}` })
      : new Unavailable({ detail: `${error.message}; try again` })
  )

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "pushTopics",
  Effect.fn(function* (handlers) {
    const deliveries = yield* DeliveryStore
    const devices = yield* DeviceStore
    const topics = yield* PushTopics
    const nudges = yield* Nudges
    const audit = yield* Audit

    const change = Effect.fnUntraced(function* (
      verb: "subscribe" | "unsubscribe",
      tenantId: TenantId,
      topic: string,
      userIds: ReadonlyArray<UserId>
    ) {
      const keys = [...new Set(userIds)].map((userId) => ({ tenantId, userId }))
      const listed = yield* Effect.catch(devices.listAll(keys), storeToProblem)
      const tokens = listed
        .flatMap((one) => one.devices.map(({ token }) => token))
        .filter(isForTopics)
        .map((token) => Redacted.make(token))
      const name = topicNameOf(tenantId, topic)
      const changes = yield* Effect.forEach(Array.chunksOf(tokens, maxTokens), (chunk) =>
        topics[verb](chunk, name)
      ).pipe(Effect.catch(toProblem))
      const failed = changes.reduce((sum, { refused }) => sum + refused.length, 0)
      const data = { devices: changes.reduce((sum, { changed }) => sum + changed, 0), failed }
      yield* audit.record({
        action: `push_topic.${verb}`,
        target: `push_topic/${topic}`,
        after: { users: keys.length, ...data }
      })
      return { data }
    })

    return handlers.handleAll({
      send: ({ params, payload: { data, message, pushOptions, title } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const fault = data === undefined ? undefined : pushDataFault(data)
          if (fault !== undefined) return yield* new Unprocessable({ detail: `data: ${fault.detail}` })
          const now = yield* DateTime.now
          const [deliveryId] = yield* Effect.catch(
            deliveries.add(
              [
                {
                  tenantId,
                  userId: null,
                  delivery: {
                    channel: "push",
                    target: { _tag: "Topic", topic: topicNameOf(tenantId, params.topic) },
                    condition: "always",
                    urgency: urgencyOf.medium,
                    dueAt: now
                  },
                  content: {
                    title,
                    message,
                    ...(data === undefined ? {} : { data }),
                    ...(pushOptions === undefined ? {} : { push: { ...pushOptions } })
                  }
                }
              ],
              now
            ),
            storeToProblem
          )
          if (deliveryId === undefined)
            return yield* new Unavailable({ detail: "The store gave no answer; try again." })
          nudges.send.now()
          const target = `push_topic/${params.topic}`
          yield* audit.record({ action: "push_topic.send", target, after: { delivery_id: deliveryId, title } })
          return { data: { deliveryId } }
        }),
      subscribe: ({ params, payload }) =>
        Effect.flatMap(CurrentIdentity, ({ tenantId }) => change("subscribe", tenantId, params.topic, payload.userIds)),
      unsubscribe: ({ params, payload }) =>
        Effect.flatMap(CurrentIdentity, ({ tenantId }) =>
          change("unsubscribe", tenantId, params.topic, payload.userIds)
        )
    })
  })
)
