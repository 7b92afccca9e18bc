/**
 * Push topics: one push for all devices that subscribed to a name.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { DeliveryId } from "../Delivery.ts"
import { UserId } from "../Identifiers.ts"
import { limits } from "../Notification.ts"
import { Forbidden, Unavailable, Unprocessable } from "../Problem.ts"
import { nonEmptyTextOf, textOf } from "../Text.ts"
import { RequiredScope } from "../Policy.ts"
import { Authorization } from "./Authorization.ts"
import { PushOptionsView } from "./DeliveryOptionsView.ts"
import { maxUsers } from "./NotificationRequest.ts"
import { dataOf } from "./Paging.ts"

/** What FCM takes, and short enough to stand behind the tenant. */
export const TopicName = Schema.String.check(
  Schema.isPattern(/^[A-Za-z0-9_.%-]{1,200}$/, {
    expected: "a topic of 1 to 200 letters, digits and the characters - _ . %"
  })
)

const params = { topic: TopicName }

const Users = Schema.Struct({
  userIds: Schema.Array(UserId).check(Schema.isMinLength(1), Schema.isMaxLength(maxUsers))
}).pipe(Schema.encodeKeys({ userIds: "user_ids" }))

const Subscriptions = dataOf(Schema.Struct({ devices: Schema.Int, failed: Schema.Int }))

const failures = [Forbidden, Unprocessable, Unavailable] as const

export class PushTopicApi extends HttpApiGroup.make("pushTopics")
  .add(
    HttpApiEndpoint.post("send", "/:topic/send", {
      params,
      payload: Schema.Struct({
        title: nonEmptyTextOf(limits.title),
        message: textOf(limits.message),
        /** Strings only, as the push service has them; at most 4,096 bytes of keys and values. */
        data: Schema.optionalKey(Schema.Record(nonEmptyTextOf(256), textOf(4_096)).check(Schema.isMaxProperties(100))),
        pushOptions: Schema.optionalKey(PushOptionsView)
      }).pipe(Schema.encodeKeys({ pushOptions: "push_options" })),
      success: dataOf(
        Schema.Struct({ deliveryId: DeliveryId }).pipe(Schema.encodeKeys({ deliveryId: "delivery_id" }))
      ).pipe(HttpApiSchema.status(202)),
      error: failures
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Push to all devices that subscribed to a topic",
        description: "Nothing comes into inboxes. Topics of tenants are apart, whatever their names."
      })
    ),
    HttpApiEndpoint.post("subscribe", "/:topic/subscribe", {
      params,
      payload: Users,
      success: Subscriptions,
      error: failures
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Subscribe the devices of up to 500 users to a topic",
        description: "The devices that they have now; safe to repeat."
      })
    ),
    HttpApiEndpoint.post("unsubscribe", "/:topic/unsubscribe", {
      params,
      payload: Users,
      success: Subscriptions,
      error: failures
    }).annotateMerge(OpenApi.annotations({ summary: "Unsubscribe the devices of up to 500 users from a topic" }))
  )
  .annotate(RequiredScope, { read: "push_topics:write", write: "push_topics:write" })
  .middleware(Authorization)
  .prefix("/api/v1/push/topics")
  .annotateMerge(OpenApi.annotations({ title: "Push topics" })) {}
