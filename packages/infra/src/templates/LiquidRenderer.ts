/**
 * Templates in Liquid, by liquidjs in a sandbox (`TemplateSandbox`), with variables checked by ajv (`VariablesSchema`).
 *
 * **Details**
 *
 * A text is compiled when it is first rendered; what was compiled is kept by the object that holds the text, up to a total
 * weight. A channel without a text of its own, or with one that renders to nothing, gets title and message, cut
 * to what it takes; a text of its own that is too long is refused, because its author can shorten it.
 *
 * Texts with ranges run under a clock that ends them wherever they are: from 2^53 on liquidjs counts for ever, within one
 * step. Everything else is bounded by the sandbox's budget, and asked for its time between two steps.
 */
import { TemplateEngine, TemplateInvalid, TemplateRefused, takesTooLong } from "@beckon/domain/ports/TemplateEngine"
import { maxSources, renderedLimits as limits } from "@beckon/domain/ports/TemplateEngine"
import type { Fault } from "@beckon/domain/ports/TemplateEngine"
import { languageFallbacks } from "@beckon/domain/Template"
import type { Rendered, TemplateInput, TemplateText } from "@beckon/domain/Template"
import { Clock, Effect, Layer } from "effect"
import type { Schema } from "effect"
import { cut, denseLines, lines, oneLine } from "./RenderedText.ts"
import * as Sandbox from "./TemplateSandbox.ts"
import * as TimeBound from "./TimeBound.ts"
import * as VariablesSchema from "./VariablesSchema.ts"

/** Milliseconds for all texts of one notification. */
const renderTime = 150
/** Milliseconds for all sources that are parsed together: of one language, or of a template that is checked. */
const parseTime = 500
/** Bytes, about, of everything that is compiled. */
const maxCompiled = 64_000_000

interface Source {
  /** Its place in a template's text. */
  readonly name: string
  readonly kind: Sandbox.Kind
  readonly source: string
}

const sourcesOf = (text: TemplateText): ReadonlyArray<Source> => {
  const { email, message, push, sms, title, whatsapp } = text
  const all: ReadonlyArray<readonly [string, string | undefined, Sandbox.Kind?]> = [
    ["title", title],
    ["message", message],
    ["push.title", push?.title],
    ["push.body", push?.body],
    ["email.subject", email?.subject],
    ["email.text", email?.text],
    ["email.html", email?.html, "html"],
    ["sms.text", sms?.text],
    ["whatsapp.text", whatsapp?.text],
    ...(whatsapp?.template?.parameters ?? []).map(
      (source, index) => [`whatsapp.template.parameters.${index}`, source] as const
    )
  ]
  return all.flatMap(([name, source, kind = "text"]) => (source === undefined ? [] : [{ name, source, kind }]))
}

/** What an error of the engine says, for the author of the template. */
const ruleOf = (error: unknown): string => {
  if (TimeBound.isTimeOver(error)) return takesTooLong
  const text = error instanceof Error ? error.message : "cannot be rendered"
  if (/memory alloc limit exceeded/.test(text))
    return "does too much: the limit of work for one notification is reached"
  if (/template render limit exceeded/.test(text)) return takesTooLong
  return text.slice(0, 500)
}

/** The message is the name of the field. */
class FieldFault extends Error {}

/** Runs `work` for a field; whatever it throws names the field. */
const within = <A>(field: string, work: () => A): A => {
  try {
    return work()
  } catch (error) {
    // The clock's end is nobody's field: it has to reach the clock.
    throw TimeBound.isTimeOver(error) ? error : new FieldFault(field, { cause: error })
  }
}

const faultOf = (place: ReadonlyArray<string>, error: unknown): Fault => {
  const [field, cause] = error instanceof FieldFault ? [error.message, error.cause] : ["", error]
  return { field: [...place, ...(field === "" ? [] : [field])].join("."), rule: ruleOf(cause) }
}

interface Compiled {
  readonly programs: ReadonlyMap<string, Sandbox.Program>
  /** Whether it has to run under the clock. */
  readonly watched: boolean
  /** Bytes, about. */
  readonly weight: number
}

const parse = (text: TemplateText): Compiled["programs"] =>
  new Map(sourcesOf(text).map(({ kind, name, source }) => [name, within(name, () => Sandbox.parse(kind, source))]))

const compile = (text: TemplateText): Compiled => {
  const programs = TimeBound.run(parseTime, () => parse(text))
  return {
    programs,
    watched: sourcesOf(text).some(({ source }) => source.includes("..")),
    weight: [...programs.values()].reduce((sum, { weight }) => sum + weight, 0)
  }
}

/** The one that was used longest ago first. */
const compiled = new Map<TemplateText, Compiled>()
let compiledWeight = 0

const keep = (text: TemplateText, made: Compiled) => {
  compiled.set(text, made)
  compiledWeight += made.weight
  for (const [oldest, { weight }] of compiled) {
    if (compiledWeight <= maxCompiled) break
    compiled.delete(oldest)
    compiledWeight -= weight
  }
}

const compiledOf = (text: TemplateText): Compiled => {
  const known = compiled.get(text)
  if (known === undefined) {
    const made = compile(text)
    keep(text, made)
    return made
  }
  compiled.delete(text)
  compiled.set(text, known)
  return known
}

/** A channel's own text, or nothing. */
type Own = (name: string, limit: number, clean: (text: string) => string) => string | undefined

const fill = (text: TemplateText, own: Own): Rendered => {
  const title = own("title", limits.title, oneLine)
  if (title === undefined) throw new FieldFault("title", { cause: new Error("renders to nothing") })
  const message = own("message", limits.message, lines) ?? ""
  const approved = text.whatsapp?.template
  return {
    title,
    message,
    push: {
      title: own("push.title", limits.pushTitle, oneLine) ?? cut(title, limits.pushTitle),
      body: own("push.body", limits.pushBody, lines) ?? cut(message, limits.pushBody)
    },
    email: {
      subject: own("email.subject", limits.subject, oneLine) ?? cut(title, limits.subject),
      text: own("email.text", limits.text, lines) ?? message,
      html: own("email.html", limits.html, lines)
    },
    sms: { text: own("sms.text", limits.sms, denseLines) ?? cut(denseLines(message || title), limits.sms) },
    whatsapp:
      approved === undefined
        ? {
            _tag: "Text",
            text: own("whatsapp.text", limits.whatsapp, lines) ?? cut(message || title, limits.whatsapp)
          }
        : {
            _tag: "Template",
            name: approved.name,
            language: approved.language,
            parameters: approved.parameters.map(
              (_, index) => own(`whatsapp.template.parameters.${index}`, limits.parameter, oneLine) ?? ""
            )
          }
  }
}

const print = (text: TemplateText, programs: Compiled["programs"], variables: object, now: number): Rendered => {
  const run = Sandbox.open(variables, now)
  return fill(text, (name, limit, clean) => {
    const program = programs.get(name)
    if (program === undefined) return undefined
    return within(name, () => {
      // Cleaning shortens: blanks around tags are not the author's fault.
      const cleaned = clean(run(program, limit * 4))
      if (cleaned.length > limit) throw new Sandbox.SandboxLimit(`renders to more than ${limit} characters`)
      return cleaned === "" ? undefined : cleaned
    })
  })
}

const render = (text: TemplateText, schema: Schema.JsonObject | null, given: Schema.JsonObject, now: number) => {
  const { programs, watched } = compiledOf(text)
  const copy = VariablesSchema.copy(given)
  const work = () => {
    if (schema !== null) VariablesSchema.apply(schema, copy)
    return print(text, programs, copy.variables, now)
  }
  const isWatched = watched || (schema !== null && VariablesSchema.isLong(schema, copy))
  return isWatched ? TimeBound.run(renderTime, work) : work()
}

const checkText = (language: string, text: TemplateText): ReadonlyArray<Fault> => {
  try {
    parse(text)
    return []
  } catch (error) {
    if (TimeBound.isTimeOver(error)) throw error
    return [faultOf(["texts", language], error)]
  }
}

const faultsOf = (template: TemplateInput): ReadonlyArray<Fault> => {
  const all = Object.entries(template.texts)
  const length = all.flatMap(([, text]) => sourcesOf(text)).reduce((sum, { source }) => sum + source.length, 0)
  if (length > maxSources) return [{ field: "texts", rule: `must have at most ${maxSources} characters in all` }]
  const ofTexts = () => all.flatMap(([language, text]) => checkText(language, text))
  return [
    ...TimeBound.run(parseTime, ofTexts),
    ...(template.variables === undefined ? [] : VariablesSchema.check(template.variables))
  ]
}

/** The text of the best language there is, and its name. RFC 4647 compares without regard to case. */
const textFor = (
  texts: Readonly<Record<string, TemplateText>>,
  language: string | undefined
): readonly [string, TemplateText] | undefined => {
  const named = new Map(Object.entries(texts).map((entry) => [entry[0].toLowerCase(), entry]))
  for (const tag of languageFallbacks(language)) {
    const found = named.get(tag.toLowerCase())
    if (found !== undefined) return found
  }
  return undefined
}

const make = TemplateEngine.of({
  check: Effect.fn("LiquidRenderer.check")(function* (template) {
    const faults = yield* Effect.try({
      try: () => faultsOf(template),
      catch: (error) => new TemplateInvalid({ faults: [faultOf(["texts"], error)] })
    })
    if (faults.length > 0) return yield* new TemplateInvalid({ faults })
  }),

  render: Effect.fn("LiquidRenderer.render")(function* (template, language, variables) {
    const now = yield* Clock.currentTimeMillis
    const found = textFor(template.texts, language)
    if (found === undefined) {
      return yield* new TemplateRefused({ faults: [{ field: "texts", rule: "has no text in the language default" }] })
    }
    const [tag, text] = found
    return yield* Effect.try({
      try: () => render(text, template.variables, variables, now),
      catch: (error) => {
        if (error instanceof VariablesSchema.VariablesRefused) return new TemplateRefused({ faults: error.faults })
        return new TemplateRefused({ faults: [faultOf(["texts", tag], error)] })
      }
    })
  })
})

/** Templates in Liquid. */
export const layer: Layer.Layer<TemplateEngine> = Layer.succeed(TemplateEngine, make)
