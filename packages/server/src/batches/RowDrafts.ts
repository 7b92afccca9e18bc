/**
 * Turns the rows of a chunk into drafts: words filled or template rendered in the recipient's language, as a single
 * notification would be. A row that cannot be sent is an error of its own and stops nothing.
 */
import { Context, DateTime, Effect, Layer, Result } from "effect"
import { cancelKeyOf } from "@beckon/domain/Batch"
import type { Batch, BatchRow, RowError } from "@beckon/domain/Batch"
import type { Draft } from "@beckon/domain/Notification"
import { takesTooLong, TemplateEngine } from "@beckon/domain/ports/TemplateEngine"
import type { TemplateRefused } from "@beckon/domain/ports/TemplateEngine"
import type { Unavailable } from "@beckon/domain/Problem"
import type { TemplateText } from "@beckon/domain/Template"
import * as Drafts from "../inbox/Drafts.ts"
import type { Words } from "../inbox/Drafts.ts"
import { storeToProblem } from "../inbox/Inbox.ts"
import { Wording } from "../inbox/Wording.ts"
import type { Languages } from "../inbox/Wording.ts"
import { Templates } from "../templates/Templates.ts"
import { contentOf, faultOf, wordsToFill } from "./RowContent.ts"
import type { RowContent } from "./RowContent.ts"
import { notificationIdOf, rowKeyOf } from "./RowNames.ts"

export interface RowDraft {
  readonly row: BatchRow
  readonly draft: Draft
}

type Composed = Result.Result<RowDraft, RowError>

/** Texts that are compiled for one chunk; more of them are compiled again. */
const maxTexts = 64

/** A busy machine is not the row's fault. */
const tries = 3

const errorOf = ({ row, userId }: BatchRow, told: string): RowError => {
  const at = told.indexOf(": ")
  const [field, message] = at < 0 ? ["", told] : [told.slice(0, at), told.slice(at + 2)]
  return { row, userId, field, message, raw: null }
}

const isBusy = ({ faults }: TemplateRefused): boolean => faults.some(({ rule }) => rule === takesTooLong)

/** What is rendered again renders to the same, but for the time that it takes. */
const patiently = <A, E extends { readonly _tag: string }, R>(rendering: Effect.Effect<A, E | TemplateRefused, R>) =>
  Effect.retry(rendering, { times: tries - 1, while: (error) => "faults" in error && isBusy(error) })

export class RowDrafts extends Context.Service<
  RowDrafts,
  {
    /** In the order of the rows. */
    readonly compose: (
      batch: Batch,
      rows: ReadonlyArray<BatchRow>
    ) => Effect.Effect<ReadonlyArray<Composed>, Unavailable>
  }
>()("@beckon/server/batches/RowDrafts") {
  static readonly layer = Layer.effect(
    RowDrafts,
    Effect.gen(function* () {
      const templates = yield* Templates
      const engine = yield* TemplateEngine
      const wording = yield* Wording

      /** The engine compiles a text once for each object that holds it. */
      const textsOf = () => {
        const texts = new Map<string, TemplateText>()
        return (text: TemplateText): TemplateText => {
          const name = `${text.title}\u0000${text.message}`
          const known = texts.get(name)
          if (known !== undefined) return known
          if (texts.size >= maxTexts) texts.clear()
          texts.set(name, text)
          return text
        }
      }

      const ofTemplate = (batch: Batch, code: string, content: RowContent, language: string | undefined) =>
        Effect.gen(function* () {
          const { tenantId } = batch
          const { version } = yield* templates.get(tenantId, code)
          const variables = content.variables ?? {}
          const template = { code, version, variables, ...(language === undefined ? {} : { language }) }
          const { message, title } = yield* patiently(templates.render(tenantId, template))
          return { title, message, template }
        }).pipe(
          Effect.catchTags({
            TemplateNotFound: ({ message }) => Effect.fail(`template_code: ${message}`),
            TemplateRefused: ({ message }) => Effect.fail(message),
            StoreUnavailable: storeToProblem
          })
        )

      const wordsOf = Effect.fnUntraced(function* (
        batch: Batch,
        row: BatchRow,
        content: RowContent,
        languages: Languages,
        shared: (text: TemplateText) => TemplateText
      ): Effect.fn.Return<Words, string | Unavailable> {
        const { message = "", templateCode, title = "" } = content
        if (templateCode !== undefined) {
          return yield* ofTemplate(batch, templateCode, content, content.language ?? languages(row.userId))
        }
        const fill = wordsToFill(content)
        if (fill === undefined) return { title, message }
        const template = { texts: { default: shared(fill.text) }, variables: null }
        const rendered = yield* patiently(engine.render(template, undefined, fill.variables)).pipe(
          Effect.mapError(({ message }) => message.replaceAll("texts.default.", ""))
        )
        return { title: rendered.title, message: rendered.message }
      })

      const draftOf = (batch: Batch, row: BatchRow, content: RowContent, words: Words): Draft => ({
        ...Drafts.draftOf({
          tenantId: batch.tenantId,
          userId: row.userId,
          content: { ...content, cancelKey: cancelKeyOf(batch.id) },
          words,
          dedupeKey: rowKeyOf(batch, row),
          correlationId: batch.correlationId ?? undefined
        }),
        id: notificationIdOf(batch, row.row)
      })

      return {
        compose: Effect.fn("RowDrafts.compose")(function* (batch, rows) {
          const now = yield* DateTime.now
          const all = rows.map((row) => ({ row, content: contentOf(batch.content, row) }))
          const asked = new Set(
            all.flatMap(({ content, row }) =>
              content.templateCode !== undefined && content.language === undefined ? [row.userId] : []
            )
          )
          const languages: Languages =
            asked.size === 0 ? () => undefined : yield* wording.languages(batch.tenantId, [...asked])
          const shared = textsOf()
          const composed: Array<Composed> = []
          for (const { content, row } of all) {
            const fault = faultOf(content, now)
            if (fault !== undefined) {
              composed.push(Result.fail(errorOf(row, fault)))
              continue
            }
            const words = yield* wordsOf(batch, row, content, languages, shared).pipe(
              Effect.map((made) => Result.succeed({ row, draft: draftOf(batch, row, content, made) })),
              Effect.catchIf(
                (error) => typeof error === "string",
                (told) => Effect.succeed(Result.fail(errorOf(row, told)))
              )
            )
            composed.push(words)
          }
          return composed
        })
      }
    })
  )
}
