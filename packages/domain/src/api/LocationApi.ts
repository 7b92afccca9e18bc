/**
 * A driver's own location over HTTP, for clients that have no socket open.
 */
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Location } from "../Location.ts"
import { RequiredScope } from "../Policy.ts"
import { Forbidden, Unavailable } from "../Problem.ts"
import { Authorization } from "./Authorization.ts"

export class LocationApi extends HttpApiGroup.make("location")
  .add(
    HttpApiEndpoint.post("tell", "/location", {
      payload: Location,
      success: HttpApiSchema.NoContent,
      error: [Forbidden, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Tell where one is: for users with the role driver",
        description:
          "Goes to those who follow the topic `tracking:driver:{user}`, at most once and at most twice in a second: the newest wins. Degrees of WGS 84, metres per second."
      })
    )
  )
  .annotate(RequiredScope, "inbox:write")
  .middleware(Authorization)
  .prefix("/api/v1/users/me")
  .annotateMerge(OpenApi.annotations({ title: "My location" })) {}
