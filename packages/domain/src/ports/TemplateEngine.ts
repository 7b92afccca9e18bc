/**
 * Checks templates before they are kept, and fills them.
 *
 * **Details**
 *
 * Templates and variables come from tenants and are not trusted: whatever they hold, a call ends in bounded time and memory,
 * reads nothing but the variables, and fails with faults that name the field.
 */
import { Context, Schema } from "effect"
import type { Effect } from "effect"
import { limits } from "../Notification.ts"
import type { Rendered, TemplateInput, TemplateVersion } from "../Template.ts"

/** How long a rendered text may be, in UTF-16 code units. What stands in for a text of the channel's own is cut to it. */
export const renderedLimits = {
  title: limits.title,
  message: limits.message,
  pushTitle: 256,
  /** FCM and APNs take 4,096 bytes for everything. */
  pushBody: 1_024,
  subject: 256,
  text: 100_000,
  html: 200_000,
  /** Ten parts. */
  sms: 1_600,
  /** The Cloud API's. */
  whatsapp: 4_096,
  parameter: 1_024
} as const

/** The variables of one notification, in characters of JSON. */
export const maxVariables = 65_536

/** The sources of all languages of one template together, in UTF-16 code units. */
export const maxSources = 1_000_000

/** One thing that is wrong: where (`texts.de.email.html`, `variables.name`) and which rule it breaks. */
export const Fault = Schema.Struct({ field: Schema.String, rule: Schema.String })
export type Fault = typeof Fault.Type

const told = (faults: ReadonlyArray<Fault>): string => faults.map(({ field, rule }) => `${field}: ${rule}`).join("; ")

/** The template cannot be kept. */
export class TemplateInvalid extends Schema.TaggedError<TemplateInvalid>()("TemplateInvalid", {
  faults: Schema.Array(Fault)
}) {
  override get message() {
    return told(this.faults)
  }
}

/** These variables do not fill the template. */
export class TemplateRefused extends Schema.TaggedError<TemplateRefused>()("TemplateRefused", {
  faults: Schema.Array(Fault)
}) {
  override get message() {
    return told(this.faults)
  }
}

/** The rule of a fault that another try may not meet: the machine was busy. */
export const takesTooLong = "takes too long"

export class TemplateEngine extends Context.Service<
  TemplateEngine,
  {
    /** Every source in every language, and the schema of the variables. */
    readonly check: (template: TemplateInput) => Effect.Effect<void, TemplateInvalid>
    /** In the best language there is for a BCP 47 tag. What was compiled is kept with the template's own objects. */
    readonly render: (
      template: Pick<TemplateVersion, "texts" | "variables">,
      language: string | undefined,
      variables: Schema.JsonObject
    ) => Effect.Effect<Rendered, TemplateRefused>
  }
>()("@beckon/domain/ports/TemplateEngine") {}
