/**
 * What a delivery says: the notification's template in the user's language, its own text, or the summary of a digest.
 */
import { Context, Effect, Layer, Schema } from "effect"
import type { StoredNotification } from "@beckon/domain/Notification"
import type { Rendered } from "@beckon/domain/Template"
import type { Claimed } from "@beckon/domain/ports/DeliveryStore"
import { takesTooLong } from "@beckon/domain/ports/TemplateEngine"
import type { StoreUnavailable } from "@beckon/domain/ports/NotificationStore"
import type { User } from "@beckon/domain/ports/UserDirectory"
import { Templates } from "../templates/Templates.ts"

/** The template is gone, or does not take these variables any more. */
export class WordsMissing extends Schema.TaggedError<WordsMissing>()("WordsMissing", { detail: Schema.String }) {}

/** Rendering took too long, perhaps only because the machine was busy. */
export class WordsLate extends Schema.TaggedError<WordsLate>()("WordsLate", { detail: Schema.String }) {}

/** The template of a notification that has none, and of a digest; a tenant may have his own. */
const literalCode = "notification"
const digestCode = "digest"

/** How many titles a digest tells. */
const maxTold = 10

export class Words extends Context.Service<
  Words,
  {
    readonly of: (
      claimed: Claimed,
      user: User | undefined
    ) => Effect.Effect<Rendered, WordsMissing | WordsLate | StoreUnavailable>
  }
>()("@beckon/server/delivery/Words") {
  static readonly layer = Layer.effect(
    Words,
    Effect.gen(function* () {
      const templates = yield* Templates

      const digestVariables = (notifications: ReadonlyArray<StoredNotification>) => ({
        count: notifications.length,
        more: Math.max(0, notifications.length - maxTold),
        items: notifications.slice(0, maxTold).map(({ message, title, type }) => ({ title, message, type }))
      })

      return {
        of: Effect.fnUntraced(function* (claimed, user) {
          const { delivery, notifications, options } = claimed
          const newest = notifications.at(-1)
          const template = options?.template
          const language = template?.language ?? user?.language ?? undefined
          const reference =
            notifications.length > 1
              ? { code: digestCode, variables: digestVariables(notifications) }
              : template !== undefined
                ? template
                : { code: literalCode, variables: { title: newest?.title ?? "", message: newest?.message ?? "" } }
          return yield* templates
            .render(delivery.tenantId, { ...reference, ...(language === undefined ? {} : { language }) })
            .pipe(
              Effect.catchTags({
                TemplateNotFound: ({ message }) => Effect.fail(new WordsMissing({ detail: message })),
                TemplateRefused: ({ faults, message }): Effect.Effect<never, WordsLate | WordsMissing> =>
                  faults.some(({ rule }) => rule === takesTooLong)
                    ? Effect.fail(new WordsLate({ detail: message }))
                    : Effect.fail(new WordsMissing({ detail: message }))
              })
            )
        })
      }
    })
  )
}
