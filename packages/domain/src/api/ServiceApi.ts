/**
 * What services of a tenant call.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Send } from "../InboxRpcs.ts"
import { SendOptionsView } from "./DeliveryOptionsView.ts"
import { Forbidden, Unavailable } from "../Problem.ts"
import { RequiredScope } from "../Policy.ts"
import { Authorization } from "./Authorization.ts"
import { AcceptedView } from "./NotificationView.ts"

const SendBody = Schema.Struct({ ...Send.fields, options: Schema.optionalKey(SendOptionsView) }).pipe(
  Schema.encodeKeys({ userId: "user_id", dedupeKey: "dedupe_key" })
)

export class ServiceApi extends HttpApiGroup.make("services")
  .add(
    HttpApiEndpoint.post("send", "/notifications/send", {
      payload: SendBody,
      success: Schema.Struct({ data: AcceptedView }).pipe(HttpApiSchema.status(202)),
      error: [Forbidden, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Send a notification to one user",
        description:
          "Answers when the notification is saved. The same dedupe_key within 24 hours makes one notification, however often it is sent: retry with it after a 503 or a lost answer."
      })
    )
  )
  .annotate(RequiredScope, { read: "notifications:read", write: "notifications:write" })
  .middleware(Authorization)
  .prefix("/api/v1/services")
  .annotateMerge(OpenApi.annotations({ title: "Services" })) {}
