/**
 * Templates: what notifications say, by channel and language.
 */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { TemplateCode, TemplateReference } from "../DeliveryOptions.ts"
import {
  BadRequest,
  Conflict,
  Forbidden,
  NotFound,
  PreconditionFailed,
  Unavailable,
  Unprocessable
} from "../Problem.ts"
import { TemplateInput } from "../Template.ts"
import { RequiredScope } from "../Policy.ts"
import { Authorization } from "./Authorization.ts"
import { dataOf, pageOf, pageQuery } from "./Paging.ts"

const Version = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2_147_483_647 }))
const VersionInQuery = Schema.NumberFromString.check(
  Schema.isInt(),
  Schema.isBetween({ minimum: 0, maximum: 2_147_483_647 })
)

/** Beckon's own have the version 0. */
const builtIn = Schema.Boolean

export const TemplateView = Schema.Struct({
  code: TemplateCode,
  version: Version,
  builtIn,
  description: Schema.NullOr(Schema.String),
  texts: TemplateInput.fields.texts,
  variables: Schema.NullOr(Schema.JsonObject),
  createdAt: Schema.DateTimeUtcFromString
}).pipe(Schema.encodeKeys({ builtIn: "built_in", createdAt: "created_at" }))
export type TemplateView = typeof TemplateView.Type

export const TemplateSummaryView = Schema.Struct({
  code: TemplateCode,
  builtIn,
  description: Schema.NullOr(Schema.String),
  activeVersion: Version,
  latestVersion: Version,
  updatedAt: Schema.DateTimeUtcFromString
}).pipe(
  Schema.encodeKeys({
    builtIn: "built_in",
    activeVersion: "active_version",
    latestVersion: "latest_version",
    updatedAt: "updated_at"
  })
)

const VersionView = Schema.Struct({ version: Version, createdAt: Schema.DateTimeUtcFromString }).pipe(
  Schema.encodeKeys({ createdAt: "created_at" })
)

/** What a notification would say on every channel. */
export const RenderedView = Schema.Struct({
  title: Schema.String,
  message: Schema.String,
  push: Schema.Struct({ title: Schema.String, body: Schema.String }),
  email: Schema.Struct({ subject: Schema.String, text: Schema.String, html: Schema.NullOr(Schema.String) }),
  sms: Schema.Struct({ text: Schema.String }),
  whatsapp: Schema.Union([
    Schema.Struct({ text: Schema.String }),
    Schema.Struct({
      template: Schema.Struct({
        name: Schema.String,
        language: Schema.String,
        parameters: Schema.Array(Schema.String)
      })
    })
  ])
})
export type RenderedView = typeof RenderedView.Type

const { language, variables } = TemplateReference.fields

const Preview = Schema.Struct({
  variables,
  language,
  /** The active one when absent. */
  version: Schema.optionalKey(Version),
  /** One that is not saved, instead of the saved one. */
  template: Schema.optionalKey(TemplateInput)
})

const params = { code: TemplateCode }
const data = dataOf(TemplateView)

export class TemplateApi extends HttpApiGroup.make("templates")
  .add(
    HttpApiEndpoint.get("list", "/", {
      query: pageQuery,
      success: pageOf(TemplateSummaryView),
      error: [Forbidden, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Templates by code",
        description: "With Beckon's own, of which each tenant has all."
      })
    ),
    HttpApiEndpoint.post("create", "/", {
      payload: Schema.Struct({ code: TemplateCode, ...TemplateInput.fields }),
      success: data.pipe(HttpApiSchema.status(201)),
      error: [Conflict, Forbidden, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Make a template",
        description:
          "Liquid sources by language, with a JSON Schema of the variables. All of it is checked before it is saved. Stands before Beckon's own of the same code."
      })
    ),
    HttpApiEndpoint.get("get", "/:code", {
      params,
      query: { version: Schema.optionalKey(VersionInQuery) },
      success: data,
      error: [Forbidden, NotFound, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "The active version of a template, or the one that is named" })),
    HttpApiEndpoint.put("put", "/:code", {
      params,
      payload: Schema.Struct({ ...TemplateInput.fields, activate: Schema.optionalKey(Schema.Boolean) }),
      success: data,
      error: [BadRequest, Forbidden, PreconditionFailed, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Add a version",
        description: "It is active at once, unless activate is false. A template that is not there is made."
      })
    ),
    HttpApiEndpoint.delete("remove", "/:code", {
      params,
      success: HttpApiSchema.NoContent,
      error: [BadRequest, Forbidden, NotFound, PreconditionFailed, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Delete a template with all its versions",
        description: "Beckon's own of the same code, if there is one, stands in from then on."
      })
    ),
    HttpApiEndpoint.get("versions", "/:code/versions", {
      params,
      success: dataOf(Schema.Array(VersionView)),
      error: [Forbidden, NotFound, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "The versions of a template, newest first" })),
    HttpApiEndpoint.post("activate", "/:code/activate", {
      params,
      payload: Schema.Struct({ version: Version }),
      success: data,
      error: [Forbidden, NotFound, Unavailable]
    }).annotateMerge(OpenApi.annotations({ summary: "Make a version the active one" })),
    HttpApiEndpoint.post("preview", "/:code/preview", {
      params,
      payload: Preview,
      success: dataOf(RenderedView),
      error: [Forbidden, NotFound, Unprocessable, Unavailable]
    }).annotateMerge(
      OpenApi.annotations({
        summary: "What a notification would say on every channel",
        description: "Of a saved version, or of a template that is sent along and not saved. Nothing is sent."
      })
    )
  )
  .annotate(RequiredScope, { read: "templates:read", write: "templates:write" })
  .middleware(Authorization)
  .prefix("/api/v1/admin/templates")
  .annotateMerge(OpenApi.annotations({ title: "Templates" })) {}
