/**
 * The whole HTTP API: the server, the OpenAPI document and generated clients come from this one definition.
 */
import { HttpApi, HttpApiMiddleware, OpenApi } from "effect/http-api"
import { DevApi } from "./DevApi.ts"
import { EventApi } from "./EventApi.ts"
import { FriendshipApi } from "./FriendshipApi.ts"
import { HealthApi } from "./HealthApi.ts"
import { MeApi } from "./MeApi.ts"
import { ServiceApi } from "./ServiceApi.ts"

export class BeckonApi extends HttpApi.make("beckon")
  .add(MeApi)
  .add(ServiceApi)
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
