/**
 * The whole HTTP API: the server, the OpenAPI document and generated clients come from this one definition.
 */
import { HttpApi, HttpApiMiddleware, OpenApi } from "effect/http-api"
import { ApiKeyApi } from "./ApiKeyApi.ts"
import { BatchApi } from "./BatchApi.ts"
import { BulkApi } from "./BulkApi.ts"
import { AdminApi } from "./AdminApi.ts"
import { AuditApi } from "./AuditApi.ts"
import { CallbackApi } from "./CallbackApi.ts"
import { DeadLetterApi, DeliveryApi } from "./DeliveryApi.ts"
import { DevApi } from "./DevApi.ts"
import { EventApi } from "./EventApi.ts"
import * as EveryCall from "./EveryCall.ts"
import { FriendshipApi } from "./FriendshipApi.ts"
import { HealthApi, MetricsApi } from "./HealthApi.ts"
import { LocationApi } from "./LocationApi.ts"
import { LookupAdminApi, LookupApi } from "./LookupApi.ts"
import { MeApi } from "./MeApi.ts"
import { NotificationApi } from "./NotificationApi.ts"
import { PresenceApi } from "./PresenceApi.ts"
import { PersonalDataApi } from "./PersonalDataApi.ts"
import { ProviderApi } from "./ProviderApi.ts"
import { PushTopicApi } from "./PushTopicApi.ts"
import { RevocationApi } from "./RevocationApi.ts"
import { RoutingApi } from "./RoutingApi.ts"
import { ServiceApi } from "./ServiceApi.ts"
import { TemplateApi } from "./TemplateApi.ts"
import { TenantApi, TenantsApi } from "./TenantApi.ts"
import { UserApi } from "./UserApi.ts"
import { WebhookApi } from "./WebhookApi.ts"

export class BeckonApi extends HttpApi.make("beckon")
  .add(MeApi)
  .add(LocationApi)
  .add(PresenceApi)
  .add(UserApi)
  .add(ServiceApi)
  .add(NotificationApi)
  .add(BatchApi)
  .add(BulkApi)
  .add(DeliveryApi)
  .add(DeadLetterApi)
  .add(RoutingApi)
  .add(TemplateApi)
  .add(WebhookApi)
  .add(ProviderApi)
  .add(PushTopicApi)
  .add(AdminApi)
  .add(PersonalDataApi)
  .add(ApiKeyApi)
  .add(RevocationApi)
  .add(TenantsApi)
  .add(TenantApi)
  .add(AuditApi)
  .add(LookupApi)
  .add(LookupAdminApi)
  .add(CallbackApi)
  .add(EventApi)
  .add(FriendshipApi)
  .add(HealthApi)
  .add(MetricsApi)
  .add(DevApi)
  .middleware(HttpApiMiddleware.ProblemDetails)
  .annotateMerge(
    OpenApi.annotations({
      title: "Beckon",
      version: "0.1.0",
      description: "Realtime notifications: saved before pushed, in order, resumed without gap or repeat.",
      transform: EveryCall.describe
    })
  ) {}
