/**
 * The words of a request for each of its users: literal, or the template in the user's language.
 *
 * **Details**
 *
 * The language is the request's, else the user's own wish, else the directory's, else the tenant's. The template is rendered
 * here for the inbox, and its version kept: workers render the other channels of that version later.
 */
import { Context, Duration, Effect, Layer } from "effect"
import type { Content } from "@beckon/domain/api/NotificationRequest"
import type { TenantId, UserId } from "@beckon/domain/Identifiers"
import { Unprocessable } from "@beckon/domain/Problem"
import type { Unavailable } from "@beckon/domain/Problem"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import { PreferenceStore } from "@beckon/domain/ports/PreferenceStore"
import { RoutingPolicyStore } from "@beckon/domain/ports/RoutingPolicyStore"
import { Templates } from "../templates/Templates.ts"
import { Recipients } from "../users/Recipients.ts"
import type { Words } from "./Drafts.ts"
import { storeToProblem } from "./Inbox.ts"

export type Languages = (userId: UserId) => string | undefined

/** For the answer of a tenant's own user service. */
const patience = Duration.seconds(2)

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
    /** The languages of users whose request names none. */
    readonly languages: (tenantId: TenantId, userIds: ReadonlyArray<UserId>) => Effect.Effect<Languages, Unavailable>
  }
>()("@beckon/server/inbox/Wording") {
  static readonly layer = Layer.effect(
    Wording,
    Effect.gen(function* () {
      const templates = yield* Templates
      const preferences = yield* PreferenceStore
      const recipients = yield* Recipients
      const policies = yield* RoutingPolicyStore

      const languagesOf = Effect.fnUntraced(function* (
        tenantId: TenantId,
        userIds: ReadonlyArray<UserId>
      ): Effect.fn.Return<Languages, StoreUnavailable> {
        const { policy } = yield* policies.get(tenantId)
        // Of users who cannot be asked for in time the language is the tenant's: their notification does not wait for it.
        const { users } = yield* recipients.resolve(tenantId, userIds, patience)
        const wishes = yield* Effect.forEach(
          userIds,
          (userId) => Effect.map(preferences.get({ tenantId, userId }), ({ language }) => [userId, language] as const),
          { concurrency }
        )
        const wished = new Map(wishes)
        return (userId) => wished.get(userId) ?? users.get(userId)?.language ?? policy.language
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
        languages: (tenantId, userIds) => Effect.catch(languagesOf(tenantId, userIds), storeToProblem),
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
