/**
 * `/api/v1/admin/users/{id}/personal-data`: all that is kept of one user.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { UserId } from "../Identifiers.ts"
import { RequiredScope } from "../Policy.ts"
import { Unavailable } from "../Problem.ts"
import { Authorization } from "./Authorization.ts"
import { dataOf } from "./Paging.ts"

const params = { id: UserId }

export class PersonalDataApi extends HttpApiGroup.make("personalData")
  .add(
    HttpApiEndpoint.get("export", "/", {
      params,
      success: HttpApiSchema.StreamNdjson({ schema: Schema.Struct({ part: Schema.String, row: Schema.Json }) })
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Export all that is kept of a user",
        description:
          "One JSON object a line: `part` is where it is kept, `row` what is there, without secrets. An answer that ends without an error is whole."
      })
    ),
    HttpApiEndpoint.delete("erase", "/", {
      params,
      success: dataOf(Schema.Struct({ erased: Schema.Record(Schema.String, Schema.Int) })),
      error: Unavailable
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Erase all that is kept of a user",
        description:
          "His inbox, profile, devices, preferences, friendships, scheduled notifications, deliveries and their tries are gone for good; what is being sent at this moment still goes out. His open clients are told that their inbox begins anew. The audit log keeps who did what, and that he was erased. Can be repeated."
      })
    )
  )
  .annotate(RequiredScope, { read: "personal_data:read", write: "personal_data:write" })
  .middleware(Authorization)
  .prefix("/api/v1/admin/users/:id/personal-data")
  .annotateMerge(OpenApi.annotations({ title: "Personal data" })) {}
