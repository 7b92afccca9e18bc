/**
 * `/api/v1/admin/templates/*`.
 */
import { Effect, Option, Result, Schema } from "effect"
import { decodeString, encode } from "effect/encoding/Base64Url"
import { HttpApiBuilder } from "effect/http-api"
import { BeckonApi } from "@beckon/domain/api/BeckonApi"
import type { TenantId } from "@beckon/domain/Identifiers"
import { CurrentIdentity } from "@beckon/domain/Identity"
import type { RenderedView } from "@beckon/domain/api/TemplateApi"
import { TemplateCode } from "@beckon/domain/DeliveryOptions"
import { Conflict, NotFound, Unprocessable } from "@beckon/domain/Problem"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import type { TemplateInvalid, TemplateRefused } from "@beckon/domain/ports/TemplateEngine"
import { TemplateInput } from "@beckon/domain/Template"
import type { Rendered, TemplateSummary, TemplateVersion } from "@beckon/domain/Template"
import { Audit } from "../audit/Audit.ts"
import * as Conditional from "../http/Conditional.ts"
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

/** A code that is deleted and made again begins with 1 again; its time tells them apart. */
const tagOf = ({ createdAt, version }: TemplateVersion): string =>
  `${version}-${createdAt.epochMilliseconds.toString(36)}`

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

const encodeTemplate = Schema.encodeEffect(Schema.toCodecJson(TemplateInput))

/** As the audit log shows it. Beckon's own are no tenant's: of them there is nothing before. */
const noted = Effect.fnUntraced(function* ({ description, texts, variables, version }: TemplateVersion) {
  const input = {
    texts,
    ...(description === null ? {} : { description }),
    ...(variables === null ? {} : { variables })
  }
  return { version, template: yield* Effect.orDie(encodeTemplate(input)) }
})

export const layer = HttpApiBuilder.group(
  BeckonApi,
  "templates",
  Effect.fn(function* (handlers) {
    const templates = yield* Templates
    const audit = yield* Audit

    /** The active version, as it is before a change. */
    const formerOf = Effect.fnUntraced(function* (tenantId: TenantId, code: string) {
      const found = yield* Effect.match(templates.get(tenantId, code), {
        onFailure: () => undefined,
        onSuccess: (version) => version
      })
      return found === undefined || found.version === Seeded.version ? {} : { before: yield* noted(found) }
    })

    const record = Effect.fnUntraced(function* (
      verb: string,
      code: string,
      former: { readonly before?: Schema.Json },
      saved: TemplateVersion | undefined
    ) {
      const after = saved === undefined ? {} : { after: yield* noted(saved) }
      yield* audit.record({ action: `template.${verb}`, target: `template/${code}`, ...former, ...after })
    })

    /** The version that `If-Match` lets be changed; nothing without it. */
    const expectedOf = Effect.fnUntraced(function* (tenantId: TenantId, code: string) {
      const expectation = yield* Conditional.expected
      if (expectation === undefined) return undefined
      const current = yield* templates
        .get(tenantId, code)
        .pipe(
          Effect.asSome,
          Effect.catchTags({ TemplateNotFound: () => Effect.succeedNone, StoreUnavailable: problems.StoreUnavailable }),
          Effect.map(Option.getOrUndefined)
        )
      yield* Conditional.check(expectation, current === undefined ? undefined : tagOf(current))
      return current?.version
    })

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
          yield* record("create", code, {}, saved)
          return { data: toView(saved) }
        }),
      get: ({ params: { code }, query: { version } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const found = yield* Effect.catchTags(templates.get(tenantId, code, version), problems)
          yield* Conditional.tag(tagOf(found))
          return { data: toView(found) }
        }),
      put: ({ params: { code }, payload: { activate = true, ...template } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const over = yield* expectedOf(tenantId, code)
          const former = yield* formerOf(tenantId, code)
          const saved =
            over === undefined
              ? yield* Effect.catchTags(templates.put(tenantId, code, template, activate), checked)
              : Option.getOrUndefined(
                  yield* Effect.catchTags(templates.putOver(tenantId, code, template, activate, over), checked)
                )
          if (saved === undefined) return yield* Conditional.failed()
          if (activate) yield* Conditional.tag(tagOf(saved))
          yield* record("put", code, former, saved)
          return { data: toView(saved) }
        }),
      remove: ({ params: { code } }) =>
        Effect.gen(function* () {
          const { tenantId } = yield* CurrentIdentity
          const over = yield* expectedOf(tenantId, code)
          const former = yield* formerOf(tenantId, code)
          const removed = templates.remove(tenantId, code, over)
          yield* over === undefined
            ? Effect.catchTags(removed, problems)
            : Effect.catchTags(removed, { ...problems, TemplateNotFound: () => Effect.fail(Conditional.failed()) })
          yield* record("remove", code, former, undefined)
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
          const former = yield* formerOf(tenantId, code)
          const now = yield* Effect.catchTags(active, problems)
          yield* record("activate", code, former, now)
          return { data: toView(now) }
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
