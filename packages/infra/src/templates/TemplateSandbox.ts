/**
 * Liquid for templates that are not trusted.
 *
 * **Details**
 *
 * Tags and filters are on a list; no tag reads another template. Only own properties of the variables can be read, and of
 * the loop's own object only what Liquid documents.
 *
 * Every filter and comparison pays for the size of what it is given from one budget, and an output is bounded while it
 * is written: loops, repeated appending and shared arrays end at the budget and not at the memory of the process. liquidjs's own
 * accounting stays on beneath it, for what filters make.
 *
 * In HTML everything printed is escaped, quotes too, so that it holds in text and in quoted attributes. Only what a capture or
 * `newline_to_br` has escaped already is not escaped again; there is no filter that switches it off.
 *
 * **Gotchas**
 *
 * Escaping cannot make a variable safe inside `<script>`, in an attribute without quotes, or as a whole URL.
 * Objects print as nothing.
 */
import {
  CaptureTag,
  Context,
  defaultOperators,
  Drop,
  filters,
  Liquid,
  Parser,
  Tokenizer,
  toValue,
  toValueSync
} from "liquidjs"
import { TypeGuards } from "liquidjs"
import type { Emitter, FilterImplOptions, Template } from "liquidjs"

export type Kind = "html" | "text"

type Handler = Extract<FilterImplOptions, (...args: never) => unknown>
type FilterThis = ThisParameterType<Handler>

/** What one rendering may work through, in characters and elements. */
export const budget = 4_000_000

/** Milliseconds; asked between two steps. */
export const renderLimit = 100

/** What is searched for, in characters: a native search takes up to the product of both lengths, and nothing ends it. */
const maxPattern = 256

/** A text that a template makes on its way, in characters: comparisons of two are not asked for their time. */
const maxText = 65_536

/** Tags and outputs of one source, and the characters within them: a few of either become a kilobyte when they are compiled. */
const maxPieces = 1_000
const maxWithin = 20_000

/** A limit of the sandbox; the message is for the author of the template. */
export class SandboxLimit extends Error {}

const words = (text: string): ReadonlyArray<string> => text.split(" ")

const allowedTags = new Set(words("assign break capture case comment continue for if raw unless #"))

/** Those that liquidjs has and that take time and memory in proportion to what they are given. */
const plainFilters = [
  words("abs at_least at_most ceil divided_by floor minus modulo plus round times"),
  words("append capitalize downcase lstrip prepend rstrip slice strip strip_html strip_newlines"),
  words("truncate truncatewords upcase url_encode default"),
  words("compact concat first join last map reverse size sort sort_natural sum uniq")
].flat()

const searchingFilters = words("remove remove_first replace replace_first split")

/** Text that is HTML already. */
class Markup extends Drop {
  readonly html: string

  constructor(html: string) {
    super()
    this.html = html
  }

  override valueOf(): string {
    return this.html
  }
}

const pay = (context: Context, amount: number): void => context.memoryLimit.use(amount)

/** Pays for everything in a value, each time that it occurs. */
const payFor = (context: Context, value: unknown): void => {
  if (typeof value === "string") return pay(context, value.length + 1)
  pay(context, 1)
  if (Array.isArray(value)) for (const item of value) payFor(context, item)
  else if (typeof value === "object" && value !== null && !(value instanceof Drop)) {
    for (const item of Object.values(value)) payFor(context, item)
  }
}

const payForSearch = (context: Context, text: unknown, pattern: unknown): void => {
  if (typeof text !== "string" || typeof pattern !== "string") return
  if (pattern.length > maxPattern) {
    throw new SandboxLimit(`what is searched for has more than ${maxPattern} characters`)
  }
  pay(context, (text.length * pattern.length) / 16)
}

/** What a value prints as. */
const printed = (context: Context, value: unknown): string => {
  if (typeof value === "string") return value
  if (typeof value === "number" || typeof value === "boolean") return String(value)
  if (value instanceof Markup) return value.html
  if (!Array.isArray(value)) return ""
  payFor(context, value)
  return value.map((item: unknown) => printed(context, item)).join("")
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  // Old mail programs end an attribute here.
  "`": "&#96;"
}

const escaped = (context: Context, value: unknown): string => {
  if (value instanceof Markup) return value.html
  const text = printed(context, value)
  pay(context, text.length)
  return text.replace(/[&<>"'`]/g, (character) => entities[character] ?? "")
}

/** Gathers output up to a length. */
class BoundedEmitter implements Emitter {
  buffer = ""
  readonly #context: Context
  readonly #limit: number

  constructor(context: Context, limit: number) {
    this.#context = context
    this.#limit = limit
  }

  write(value: unknown): void {
    const text = printed(this.#context, value)
    pay(this.#context, text.length)
    if (this.buffer.length + text.length > this.#limit) {
      throw new SandboxLimit(`renders to more than ${this.#limit} characters`)
    }
    this.buffer += text
  }
}

/** A capture of bounded length; in HTML what it holds is escaped already. */
const captureTag = (kind: Kind) =>
  class BoundedCapture extends CaptureTag {
    override *render(context: Context): Generator<unknown, void, string> {
      const emitter = new BoundedEmitter(context, maxText)
      yield this.liquid.renderer.renderTemplates(this.templates, context, emitter)
      const scope: Record<string, unknown> = context.bottom()
      scope[this.variable] = kind === "html" ? new Markup(emitter.buffer) : emitter.buffer
    }
  }

const loopProperties: ReadonlySet<unknown> = new Set(words("first index index0 last length name rindex rindex0"))

/** Reads nothing that is not the variables' own. */
class SandboxContext extends Context {
  override readProperty(object: unknown, key: string | number | Drop): unknown {
    const name: unknown = toValue(key)
    const of = object instanceof Markup ? object.html : object
    if (of instanceof Drop && !loopProperties.has(name)) return undefined
    return super.readProperty(of as object, key)
  }

  override spawn(scope: object = {}): SandboxContext {
    return new SandboxContext(scope, this.opts, { sync: this.sync }, this)
  }
}

const clockKey = "beckon.now"

/** `now` is the server's clock, and all times are UTC unless a zone is given. */
function date(this: FilterThis, value: unknown, ...rest: ReadonlyArray<unknown>): unknown {
  const at = value === "now" || value === "today" ? this.context.getRegister<string>(clockKey) : value
  return handlerOf("date").call(this, at, ...rest)
}

/** Those whose property is this value, or is true. Liquid's own evaluates the name of the property as an expression. */
function* where(this: FilterThis, list: unknown, property: unknown, expected?: unknown) {
  const found: Array<unknown> = []
  for (const item of Array.isArray(list) ? (list as ReadonlyArray<unknown>) : []) {
    const value: unknown = yield this.context._getFromScope(item, String(property).split("."), false)
    const isTrue = value !== undefined && value !== null && value !== false
    if (expected === undefined ? isTrue : value === expected) found.push(item)
  }
  return found
}

const handlerOf = (name: string): Handler => {
  const filter = filters[name]
  if (typeof filter !== "function") throw new Error(`liquidjs has no plain filter ${name}`)
  return filter
}

const paying = (handler: Handler, searches: boolean): Handler =>
  function paid(this: FilterThis, ...args: ReadonlyArray<unknown>): unknown {
    const values = args.map((argument): unknown => toValue(argument))
    payFor(this.context, values)
    if (searches) payForSearch(this.context, values[0], values[1])
    const result: unknown = handler.call(this, values[0], ...values.slice(1))
    if (typeof result === "string" && result.length > maxText) {
      throw new SandboxLimit(`makes a text of more than ${maxText} characters`)
    }
    return result
  }

// What is escaped for HTML is not escaped once more when it is printed.
function toMarkup(this: FilterThis, value: unknown): Markup {
  return new Markup(escaped(this.context, value))
}

function toLines(this: FilterThis, value: unknown): Markup {
  return new Markup(escaped(this.context, value).replaceAll(/\r?\n/g, "<br />\n"))
}

const ownFilters = (kind: Kind): Readonly<Record<string, Handler>> => ({
  date: paying(date, false),
  where: paying(where, false),
  ...(kind === "html" ? { escape: toMarkup, newline_to_br: toLines } : {})
})

type Operators = typeof defaultOperators

/** Comparisons that pay for what they compare. */
const operators: Operators = Object.fromEntries(
  Object.entries(defaultOperators).map(([name, compare]): [string, Operators[string]] => {
    if (compare.length === 1 || ["and", "or", "not"].includes(name)) return [name, compare]
    return [
      name,
      (left: unknown, right: unknown, context: Context) => {
        const values = [toValue(left), toValue(right)] as const
        payFor(context, values)
        if (name === "contains") payForSearch(context, ...values)
        return compare(left, right, context)
      }
    ]
  })
)

const makeEngine = (kind: Kind): Liquid => {
  const liquid = new Liquid({
    templates: {},
    strictFilters: true,
    ownPropertyOnly: true,
    dynamicPartials: false,
    relativeReference: false,
    locale: "en-US",
    timezoneOffset: 0,
    operators,
    ...(kind === "html"
      ? {
          outputEscape(this: FilterThis, value: unknown) {
            return escaped(this.context, value)
          }
        }
      : {})
  })
  for (const name of Object.keys(liquid.tags)) if (!allowedTags.has(name)) delete liquid.tags[name]
  liquid.registerTag("capture", captureTag(kind))
  for (const name of Object.keys(liquid.filters)) liquid.unregisterFilter(name)
  for (const name of plainFilters) liquid.registerFilter(name, paying(handlerOf(name), false))
  for (const name of searchingFilters) liquid.registerFilter(name, paying(handlerOf(name), true))
  for (const [name, handler] of Object.entries(ownFilters(kind))) liquid.registerFilter(name, handler)
  return liquid
}

const engines: Readonly<Record<Kind, Liquid>> = { html: makeEngine("html"), text: makeEngine("text") }

export interface Program {
  readonly kind: Kind
  readonly templates: ReadonlyArray<Template>
  /** About how many bytes it takes in memory. */
  readonly weight: number
}

/** Throws what liquidjs says of the source. */
export const parse = (kind: Kind, source: string): Program => {
  const liquid = engines[kind]
  const tokens = new Tokenizer(source, liquid.options.operators).readTopLevelTokens(liquid.options)
  const pieces = tokens.filter((token) => !TypeGuards.isHTMLToken(token))
  if (pieces.length > maxPieces) throw new SandboxLimit(`has more than ${maxPieces} tags and outputs`)
  const within = pieces.reduce((sum, { begin, end }) => sum + end - begin, 0)
  if (within > maxWithin) throw new SandboxLimit(`has more than ${maxWithin} characters in tags and outputs`)
  const weight = source.length * 2 + pieces.length * 1_000 + within * 120
  return { kind, templates: new Parser(liquid).parseTokens(tokens), weight }
}

/** One rendering: the budget and the time of all its sources together. `now` is milliseconds since 1970. */
export const open = (variables: object, now: number) => {
  const root = new SandboxContext({}, engines.text.options, { sync: true, memoryLimit: budget, renderLimit })
  return (program: Program, limit: number): string => {
    const liquid = engines[program.kind]
    const context = new SandboxContext(variables, liquid.options, { sync: true }, { ...limitersOf(root), liquid })
    context.setRegister(clockKey, String(Math.floor(now / 1000)))
    const emitter = new BoundedEmitter(context, limit)
    toValueSync(liquid.renderer.renderTemplates([...program.templates], context, emitter))
    return emitter.buffer
  }
}

const limitersOf = ({ memoryLimit, renderLimit: time }: Context) => ({ memoryLimit, renderLimit: time })
