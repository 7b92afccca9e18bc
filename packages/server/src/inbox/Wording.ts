/**
 * The words of a request for each of its users: literal, or the template in the user's language.
 *
 * **Details**
 *
 * The language is the request's, else the user's own wish, else the directory's, else the tenant's. The template is rendered
 * here for the inbox, and its version kept: workers render the other channels of that version later.
 */
import { Context, Effect, Layer } from "effect"
import type { Content } from "@beckon/domain/api/NotificationRequest"
import type { TenantId, UserId } from "@beckon/domain/Identifiers"
import { Unprocessable } from "@beckon/domain/Problem"
import type { Unavailable } from "@beckon/domain/Problem"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import { RoutingPolicyStore } from "@beckon/domain/ports/RoutingPolicyStore"
import { UserDirectory } from "@beckon/domain/ports/UserDirectory"
import { Templates } from "../templates/Templates.ts"
import type { Words } from "./Drafts.ts"
import { storeToProblem } from "./Inbox.ts"

type Languages = (userId: UserId) => string | undefined

/** Reads of preferences at a time, for many users. */
const concurrency = 8

export class Wording extends Context.Service<
  Wording,
  {
    /** Refuses a template that is not there, and variables that it does not take, by their names. */
    readonly of: (
      tenantId: TenantId,
      content: Content,
      userIds: ReadonlyArray<UserId>
    ) => Effect.Effect<(userId: UserId) => Words, Unprocessable | Unavailable>
  }
>()("@beckon/server/inbox/Wording") {
  static readonly layer = Layer.effect(
    Wording,
    Effect.gen(function* () {
      const templates = yield* Templates
      const preferences = yield* PreferenceStore
      const directory = yield* UserDirectory
      const policies = yield* RoutingPolicyStore

      const languagesOf = Effect.fnUntraced(function* (
        tenantId: TenantId,
        userIds: ReadonlyArray<UserId>
      ): Effect.fn.Return<Languages, StoreUnavailable> {
        const { policy } = yield* policies.get(tenantId)
        const known = new Map((yield* directory.find(tenantId, userIds)).map((user) => [user.userId, user.language]))
        const wishes = yield* Effect.forEach(
          userIds,
          (userId) => Effect.map(preferences.get({ tenantId, userId }), ({ language }) => [userId, language] as const),
          { concurrency }
        )
        const wished = new Map(wishes)
        return (userId) => wished.get(userId) ?? known.get(userId) ?? policy.language
      })

      const ofTemplate = Effect.fnUntraced(function* (
        tenantId: TenantId,
        code: string,
        content: Content,
        userIds: ReadonlyArray<UserId>
      ) {
        const { version } = yield* templates.get(tenantId, code)
        const given = content.language
        const languages = given === undefined ? yield* languagesOf(tenantId, userIds) : () => given
        const variables = content.variables ?? {}
        const rendered = new Map<string | undefined, Words>()
        for (const userId of userIds) {
          const language = languages(userId)
          if (rendered.has(language)) continue
          const template = { code, version, variables, ...(language === undefined ? {} : { language }) }
          const { message, title } = yield* templates.render(tenantId, template)
          rendered.set(language, { title, message, template })
        }
        return (userId: UserId): Words => rendered.get(languages(userId)) ?? { title: "", message: "" }
      })

      return {
        of: Effect.fn("Wording.of")(function* (tenantId, content, userIds) {
          const { message = "", templateCode, title } = content
          if (templateCode === undefined) {
            if (title === undefined) {
              return yield* new Unprocessable({ detail: "title: needed where there is no template_code" })
            }
            return () => ({ title, message })
          }
          return yield* ofTemplate(tenantId, templateCode, content, userIds).pipe(
            Effect.catchTags({
              TemplateNotFound: ({ message }) =>
                Effect.fail(new Unprocessable({ detail: `template_code: ${message}` })),
              TemplateRefused: ({ message }) => Effect.fail(new Unprocessable({ detail: message })),
              StoreUnavailable: storeToProblem
            })
          )
        })
      }
    })
  )
}
