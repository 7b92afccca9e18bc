/**
 * `/api/v1/admin/templates/*`.
 */
import { Effect, Result, Schema } from "effect"
import { decodeString, encode } from "effect/encoding/Base64Url"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import { CurrentIdentity } from "@beckon/domain/Identity"
import type { RenderedView } from "@beckon/domain/api/TemplateApi"
import { TemplateCode } from "@beckon/domain/DeliveryOptions"
import { Conflict, NotFound, Unprocessable } from "@beckon/domain/Problem"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import type { TemplateInvalid, TemplateRefused } from "@beckon/domain/ports/TemplateEngine"
import type { Rendered, TemplateSummary, TemplateVersion } from "@beckon/domain/Template"
import * as Cursor from "../inbox/Cursor.ts"
import { storeToProblem } from "../inbox/Inbox.ts"
import * as Seeded from "../templates/SeededTemplates.ts"
import { Templates } from "../templates/Templates.ts"
import type { TemplateExists, TemplateNotFound } from "../templates/Templates.ts"

const defaultLimit = 20

const isCode = Schema.is(TemplateCode)

const toCode = (cursor: string): Result.Result<string, Unprocessable> =>
  Result.match(decodeString(cursor), {
    onFailure: () => Result.fail(new Unprocessable({ detail: "cursor: not a cursor that this list gave" })),
    onSuccess: (text) =>
      text.startsWith("t:") && isCode(text.slice(2))
        ? Result.succeed(text.slice(2))
        : Result.fail(new Unprocessable({ detail: "cursor: not a cursor that this list gave" }))
  })

const toView = (template: TemplateVersion) => ({ ...template, builtIn: template.version === Seeded.version })

const toSummary = (summary: TemplateSummary) => ({ ...summary, builtIn: summary.activeVersion === Seeded.version })

const toRendered = ({ email, whatsapp, ...rendered }: Rendered): RenderedView => ({
  ...rendered,
  email: { ...email, html: email.html ?? null },
  whatsapp:
    whatsapp._tag === "Text"
      ? { text: whatsapp.text }
      : { template: { name: whatsapp.name, language: whatsapp.language, parameters: whatsapp.parameters } }
})

const problems = {
  StoreUnavailable: (error: StoreUnavailable) => storeToProblem(error),
  TemplateNotFound: ({ message }: TemplateNotFound) => Effect.fail(new NotFound({ detail: `code: ${message}` }))
}

const checked = {
  StoreUnavailable: problems.StoreUnavailable,
  TemplateInvalid: ({ message }: TemplateInvalid) => Effect.fail(new Unprocessable({ detail: message }))
}

const refused = ({ message }: TemplateInvalid | TemplateRefused) => Effect.fail(new Unprocessable({ detail: message }))

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "templates",
  Effect.fn(function* (handlers) {
    const templates = yield* Templates
    return handlers.handleAll({
      list: ({ query: { cursor, limit = defaultLimit } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const afterCode = cursor === undefined ? undefined : yield* Effect.fromResult(toCode(cursor))
          const options = { limit: limit + 1, ...(afterCode === undefined ? {} : { afterCode }) }
          const rows = yield* Effect.catch(templates.list(tenantId, options), storeToProblem)
          return Cursor.pageOf(rows.map(toSummary), limit, ({ code }) => encode(`t:${code}`))
        }),
      create: ({ payload: { code, ...template } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const saved = yield* Effect.catchTags(templates.create(tenantId, code, template), {
            ...checked,
            TemplateExists: ({ message }: TemplateExists) => Effect.fail(new Conflict({ detail: `code: ${message}` }))
          })
          return { data: toView(saved) }
        }),
      get: ({ params: { code }, query: { version } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          return { data: toView(yield* Effect.catchTags(templates.get(tenantId, code, version), problems)) }
        }),
      put: ({ params: { code }, payload: { activate = true, ...template } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const saved = yield* Effect.catchTags(templates.put(tenantId, code, template, activate), checked)
          return { data: toView(saved) }
        }),
      remove: ({ params: { code } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          yield* Effect.catchTags(templates.remove(tenantId, code), problems)
        }),
      versions: ({ params: { code } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          return { data: yield* Effect.catchTags(templates.versions(tenantId, code), problems) }
        }),
      activate: ({ params: { code }, payload: { version } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const active = Effect.andThen(
            templates.activate(tenantId, code, version),
            templates.get(tenantId, code, version)
          )
          return { data: toView(yield* Effect.catchTags(active, problems)) }
        }),
      preview: ({ params: { code }, payload: { language, template, variables, version } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const fill = { variables, ...(language === undefined ? {} : { language }) }
          const ofSaved = { code, ...fill, ...(version === undefined ? {} : { version }) }
          const rendered =
            template === undefined
              ? Effect.catchTags(templates.render(tenantId, ofSaved), { ...problems, TemplateRefused: refused })
              : Effect.catchTag(templates.preview(template, fill), ["TemplateInvalid", "TemplateRefused"], refused)
          return { data: toRendered(yield* rendered) }
        })
    })
  })
)
