/**
 * The JSON Schema (2020-12) with which a tenant describes the variables of a template, and the check of variables by it.
 *
 * **Details**
 *
 * Only keywords whose check takes time in proportion to the value are allowed: no references, no patterns, no comparison of
 * every item with every other, no formats of one's own. The same object is compiled once, and forgotten with it.
 *
 * **Gotchas**
 *
 * ajv makes code of a schema. It takes none but the keywords below, whose values are data in that code.
 */
import { Ajv2020 } from "ajv/dist/2020.js"
import type { ErrorObject, ValidateFunction } from "ajv/dist/2020.js"
import formatsPlugin from "ajv-formats"
import type { Fault } from "@beckon/domain/ports/TemplateEngine"
import { maxVariables } from "@beckon/domain/ports/TemplateEngine"
import type { Schema } from "effect"

/** Characters of JSON. */
const maxSchema = 16_384
/** Schemas within each other. */
const maxSchemaDepth = 10
/** Arrays and objects of the variables within each other. */
const maxDepth = 32
const maxAlternatives = 10
/** How many faults are told. */
const maxFaults = 20

const formats = ["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"] as const
const types: ReadonlySet<unknown> = new Set(["array", "boolean", "integer", "null", "number", "object", "string"])

type Rule = (value: unknown) => string | undefined

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const countRule: Rule = (value) =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? undefined : "a whole number of 0 or more"
const numberRule: Rule = (value) => (Number.isFinite(value) ? undefined : "a number")
const textRule: Rule = (value) => (typeof value === "string" ? undefined : "text")
const anyRule: Rule = () => undefined

/** What stands behind a keyword; those with schemas in them are told apart below. */
const plainKeywords: Readonly<Record<string, Rule>> = {
  type: (value) => {
    const names: ReadonlyArray<unknown> = Array.isArray(value) ? value : [value]
    return names.length > 0 && new Set(names).size === names.length && names.every((name) => types.has(name))
      ? undefined
      : "a type of JSON, or several"
  },
  required: (value) =>
    Array.isArray(value) && value.every((name) => typeof name === "string") && new Set(value).size === value.length
      ? undefined
      : "a list of names, each once",
  enum: (value) => (Array.isArray(value) && value.length > 0 ? undefined : "a list of at least one value"),
  const: anyRule,
  default: anyRule,
  title: textRule,
  description: textRule,
  minLength: countRule,
  maxLength: countRule,
  minItems: countRule,
  maxItems: countRule,
  minimum: numberRule,
  maximum: numberRule,
  format: (value) => (formats.some((format) => format === value) ? undefined : `one of ${formats.join(", ")}`)
}

const allowed = [...Object.keys(plainKeywords), "properties", "additionalProperties", "items", "anyOf"].join(", ")

interface Place {
  readonly schema: unknown
  readonly field: string
  readonly depth: number
}

/** The schemas within one, or what is wrong with the keyword that holds them. */
const within = (keyword: string, value: unknown, { depth, field }: Place): ReadonlyArray<Place> | string => {
  const place = (schema: unknown, name: string): Place => ({ schema, field: `${field}.${name}`, depth: depth + 1 })
  switch (keyword) {
    case "properties":
      if (!isRecord(value)) return "must be an object of schemas"
      if (Object.hasOwn(value, "__proto__")) return "must not name __proto__"
      return Object.entries(value).map(([name, schema]) => place(schema, `properties.${name}`))
    case "additionalProperties":
      return typeof value === "boolean" ? [] : [place(value, keyword)]
    case "items":
      return [place(value, keyword)]
    case "anyOf":
      if (!Array.isArray(value) || value.length === 0 || value.length > maxAlternatives) {
        return `must be a list of 1 to ${maxAlternatives} schemas`
      }
      return value.map((schema, index) => place(schema, `anyOf.${index}`))
    default:
      return `is not a keyword that is allowed here: ${allowed}`
  }
}

const faultsOf = (root: Schema.JsonObject): ReadonlyArray<Fault> => {
  const faults: Array<Fault> = []
  const places: Array<Place> = [{ schema: root, field: "variables", depth: 1 }]
  for (let place = places.pop(); place !== undefined && faults.length < maxFaults; place = places.pop()) {
    const { depth, field, schema } = place
    if (!isRecord(schema)) faults.push({ field, rule: "must be a schema: an object" })
    else if (depth > maxSchemaDepth) faults.push({ field, rule: `is nested deeper than ${maxSchemaDepth} schemas` })
    else {
      for (const [keyword, value] of Object.entries(schema)) {
        const rule = Object.hasOwn(plainKeywords, keyword) ? plainKeywords[keyword] : undefined
        const inner = rule === undefined ? within(keyword, value, place) : []
        const expected = rule?.(value)
        if (expected !== undefined) faults.push({ field: `${field}.${keyword}`, rule: `must be ${expected}` })
        else if (typeof inner === "string") faults.push({ field: `${field}.${keyword}`, rule: inner })
        else places.push(...inner)
      }
    }
  }
  if (faults.length === 0 && root["type"] !== "object") {
    faults.push({ field: "variables.type", rule: 'must be "object"' })
  }
  return faults
}

const ajv = new Ajv2020({
  allErrors: true,
  // Nothing of a schema or of a value goes to the console.
  logger: false,
  messages: true,
  ownProperties: true,
  strict: false,
  unicodeRegExp: true,
  useDefaults: true,
  validateFormats: true
})
// Its types describe the CommonJS module as if it had no default of its own.
formatsPlugin.default(ajv, { mode: "fast", formats: [...formats] })

interface Validator {
  readonly validate: ValidateFunction
  /** Characters of the schema's JSON. */
  readonly length: number
}

const validators = new WeakMap<Schema.JsonObject, Validator>()

const validatorOf = (schema: Schema.JsonObject): Validator => {
  const known = validators.get(schema)
  if (known !== undefined) return known
  const validator = { validate: ajv.compile(schema), length: JSON.stringify(schema).length }
  // ajv would keep it for ever.
  ajv.removeSchema(schema)
  validators.set(schema, validator)
  return validator
}

/** What is wrong with a schema; nothing when variables can be checked by it. */
export const check = (schema: Schema.JsonObject): ReadonlyArray<Fault> => {
  try {
    if (JSON.stringify(schema).length > maxSchema) {
      return [{ field: "variables", rule: `must have at most ${maxSchema} characters of JSON` }]
    }
    const faults = faultsOf(schema)
    if (faults.length === 0) validatorOf(schema)
    return faults
  } catch (error) {
    return [{ field: "variables", rule: error instanceof Error ? error.message : "is not a JSON Schema" }]
  }
}

/** The same data as plain objects, without what a prototype or a getter would bring. */
const copyOf = (value: unknown, depth: number): unknown => {
  if (typeof value !== "object" || value === null) return value
  if (depth === 0) throw refusal(`must be nested at most ${maxDepth} levels`)
  if (Array.isArray(value)) return value.map((item) => copyOf(item, depth - 1))
  const copy: Record<string, unknown> = {}
  for (const [name, { value: item }] of Object.entries(Object.getOwnPropertyDescriptors(value))) {
    if (name !== "__proto__" && item !== undefined && typeof item !== "function") copy[name] = copyOf(item, depth - 1)
  }
  return copy
}

const nameOf = ({ instancePath, keyword, params }: ErrorObject): string => {
  const inner = keyword === "required" ? params["missingProperty"] : params["additionalProperty"]
  const path = instancePath
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
  return ["variables", ...path, ...(typeof inner === "string" ? [inner] : [])].join(".").slice(0, 256)
}

const ruleOf = ({ keyword, message, params }: ErrorObject): string => {
  if (keyword === "required") return "is required"
  if (keyword === "additionalProperties") return "is not a variable of this template"
  const values: unknown = params["allowedValues"] ?? params["allowedValue"]
  const told = values === undefined ? "" : `: ${JSON.stringify(values).slice(0, 200)}`
  return `${message ?? keyword}${told}`
}

/** The variables are not what the schema asks for. */
export class VariablesRefused extends Error {
  readonly faults: ReadonlyArray<Fault>

  constructor(faults: ReadonlyArray<Fault>) {
    super("variables")
    this.faults = faults
  }
}

const refusal = (rule: string) => new VariablesRefused([{ field: "variables", rule }])

/** Variables as data that is ours, with their length in characters of JSON. */
export interface Copy {
  readonly variables: object
  readonly length: number
}

/** Throws `VariablesRefused`. */
export const copy = (variables: Schema.JsonObject): Copy => {
  const ours = copyOf(variables, maxDepth) as object
  const { length } = JSON.stringify(ours)
  if (length > maxVariables) throw refusal(`must have at most ${maxVariables} characters of JSON`)
  return { variables: ours, length }
}

/** Whether the check may take long: at worst it takes every part of the schema for every part of the variables. */
export const isLong = (schema: Schema.JsonObject, { length }: Copy): boolean =>
  length * validatorOf(schema).length > 4_000_000

/** Fills in the schema's defaults. Throws `VariablesRefused`. */
export const apply = (schema: Schema.JsonObject, { variables }: Copy): void => {
  const { validate } = validatorOf(schema)
  if (validate(variables)) return
  const errors = validate.errors ?? []
  validate.errors = null
  throw new VariablesRefused(errors.slice(0, maxFaults).map((error) => ({ field: nameOf(error), rule: ruleOf(error) })))
}
