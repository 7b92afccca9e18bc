/**
 * Templates: the text of a notification for every channel and language, with the variables that fill it.
 *
 * **Details**
 *
 * A template has versions; a version is never changed, and one of them is active. The language of a text is found by falling
 * back: `pt-BR`, then `pt`, then `default`. `title` and `message` are the inbox's text and stand in for channels that have none
 * of their own.
 */
import { Schema } from "effect"
import type { DateTime } from "effect"
import { TemplateCode } from "./DeliveryOptions.ts"
import { NotificationData } from "./Notification.ts"
import { identifierOf, nonEmptyTextOf, textOf } from "./Text.ts"

const Source = textOf(100_000)

/** Liquid sources. In `html` every variable is escaped; in the others nothing is. */
export const TemplateText = Schema.Struct({
  title: nonEmptyTextOf(2_048),
  message: textOf(16_384),
  push: Schema.optionalKey(
    Schema.Struct({ title: Schema.optionalKey(textOf(2_048)), body: Schema.optionalKey(textOf(8_192)) })
  ),
  email: Schema.optionalKey(
    Schema.Struct({
      subject: Schema.optionalKey(textOf(2_048)),
      text: Schema.optionalKey(Source),
      html: Schema.optionalKey(Source)
    })
  ),
  sms: Schema.optionalKey(Schema.Struct({ text: textOf(8_192) })),
  whatsapp: Schema.optionalKey(
    Schema.Struct({
      text: Schema.optionalKey(textOf(16_384)),
      /** One that WhatsApp has approved, with a Liquid source for each parameter. */
      template: Schema.optionalKey(
        Schema.Struct({
          name: identifierOf(512),
          language: identifierOf(35),
          parameters: Schema.Array(textOf(4_096)).check(Schema.isMaxLength(50))
        })
      )
    })
  )
})
export type TemplateText = typeof TemplateText.Type

export const TemplateInput = Schema.Struct({
  description: Schema.optionalKey(textOf(256)),
  /** Texts by language: BCP 47 tags, and `default`, which must be there. At most 100. */
  texts: Schema.Record(identifierOf(35), TemplateText).check(
    Schema.isMaxProperties(100),
    Schema.makeFilter((texts: Readonly<Record<string, unknown>>) => texts["default"] !== undefined, {
      expected: "texts with the language default"
    })
  ),
  /** A JSON Schema of the variables: an object; what is allowed in it is in the guide. At most 16,384 bytes. */
  variables: Schema.optionalKey(NotificationData)
})
export type TemplateInput = typeof TemplateInput.Type

export interface TemplateVersion {
  readonly code: string
  readonly version: number
  readonly description: string | null
  readonly texts: Readonly<Record<string, TemplateText>>
  readonly variables: Schema.JsonObject | null
  readonly createdAt: DateTime.Utc
}

export interface TemplateSummary {
  readonly code: string
  readonly description: string | null
  readonly activeVersion: number
  readonly latestVersion: number
  readonly updatedAt: DateTime.Utc
}

/** What one notification says on every channel. */
export interface Rendered {
  readonly title: string
  readonly message: string
  readonly push: { readonly title: string; readonly body: string }
  readonly email: { readonly subject: string; readonly text: string; readonly html: string | undefined }
  readonly sms: { readonly text: string }
  readonly whatsapp:
    | { readonly _tag: "Text"; readonly text: string }
    | {
        readonly _tag: "Template"
        readonly name: string
        readonly language: string
        readonly parameters: ReadonlyArray<string>
      }
}

/** The languages to look for, the best first: `pt-BR` gives `pt-BR`, `pt`, `default` (RFC 4647, lookup). */
export const languageFallbacks = (language: string | undefined): ReadonlyArray<string> => {
  const tags: Array<string> = []
  let rest = language ?? ""
  while (rest !== "") {
    tags.push(rest)
    const end = rest.lastIndexOf("-")
    rest = end < 0 ? "" : rest.slice(0, end)
    // A single letter or digit introduces what follows it, and goes with it.
    if (/-[0-9A-Za-z]$/.test(rest)) rest = rest.slice(0, -2)
  }
  return [...tags, "default"]
}

export const Code = TemplateCode
