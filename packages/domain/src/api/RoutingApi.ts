/**
 * How a tenant routes its notifications beyond the socket.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Conflict, Forbidden, Unavailable } from "../Problem.ts"
import { RoutingPolicy } from "../RoutingPolicy.ts"
import { RequiredScope } from "../Policy.ts"
import { Authorization } from "./Authorization.ts"
import { dataOf } from "./Paging.ts"

/** 0 before any was set. */
const Version = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2_147_483_647 }))

export const RoutingPolicyView = Schema.Struct({ policy: RoutingPolicy, version: Version })

export class RoutingApi extends HttpApiGroup.make("routing")
  .add(
    HttpApiEndpoint.get("get", "/", {
      success: dataOf(RoutingPolicyView),
      error: [Forbidden, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "The tenant's routing policy, with its version" })),
    HttpApiEndpoint.put("set", "/", {
      payload: Schema.Struct({ policy: RoutingPolicy, version: Schema.optionalKey(Version) }),
      success: dataOf(RoutingPolicyView),
      error: [Conflict, Forbidden, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Set the tenant's routing policy",
        description:
          "Replaces the whole policy. With version, only if that is the version now: otherwise 409, and nothing is changed."
      })
    )
  )
  .annotate(RequiredScope, { read: "routing:read", write: "routing:write" })
  .middleware(Authorization)
  .prefix("/api/v1/admin/routing-policy")
  .annotateMerge(OpenApi.annotations({ title: "Routing" })) {}
