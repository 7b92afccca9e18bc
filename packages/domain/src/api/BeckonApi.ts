/**
 * The whole HTTP API: the server, the OpenAPI document and generated clients come from this one definition.
 */
import { HttpApi, HttpApiMiddleware, OpenApi } from "effect/http-api"
import { CallbackApi } from "./CallbackApi.ts"
import { DeadLetterApi, DeliveryApi } from "./DeliveryApi.ts"
import { DevApi } from "./DevApi.ts"
import { EventApi } from "./EventApi.ts"
import { FriendshipApi } from "./FriendshipApi.ts"
import { HealthApi } from "./HealthApi.ts"
import { MeApi } from "./MeApi.ts"
import { NotificationApi } from "./NotificationApi.ts"
import { PushTopicApi } from "./PushTopicApi.ts"
import { RoutingApi } from "./RoutingApi.ts"
import { ServiceApi } from "./ServiceApi.ts"
import { TemplateApi } from "./TemplateApi.ts"
import { UserApi } from "./UserApi.ts"
import { WebhookApi } from "./WebhookApi.ts"

export class BeckonApi extends HttpApi.make("beckon")
  .add(MeApi)
  .add(UserApi)
  .add(ServiceApi)
  .add(NotificationApi)
  .add(DeliveryApi)
  .add(DeadLetterApi)
  .add(RoutingApi)
  .add(TemplateApi)
  .add(WebhookApi)
  .add(PushTopicApi)
  .add(CallbackApi)
  .add(EventApi)
  .add(FriendshipApi)
  .add(HealthApi)
  .add(DevApi)
  .middleware(HttpApiMiddleware.ProblemDetails)
  .annotateMerge(
    OpenApi.annotations({
      title: "Beckon",
      version: "0.1.0",
      description: "Realtime notifications: saved before pushed, in order, resumed without gap or repeat."
    })
  ) {}
