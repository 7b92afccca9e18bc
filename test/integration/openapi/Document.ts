/**
 * The document as the server gives it, to ask what it says of an operation and whether a body is what it says.
 */
import { Effect } from "effect"
import { Ajv2020 } from "ajv/dist/2020.js"
import formatsPlugin from "ajv-formats"
import { ask } from "../deliveries/Services.ts"
import type { Answer, Answered } from "../road/Road.ts"

type Json = Answer["body"]

export interface Operation {
  readonly id: string
  readonly method: string
  readonly path: string
  readonly definition: Json
}

const methods = ["get", "put", "post", "delete", "patch"]

export const operationsOf = (document: Json): ReadonlyArray<Operation> =>
  Object.entries<Json>(document.paths).flatMap(([path, item]) =>
    methods.flatMap((method) =>
      item[method] === undefined ? [] : [{ id: item[method].operationId, method, path, definition: item[method] }]
    )
  )

/** The document and the same as validators; a schema that is none fails here. */
export const fetched = Effect.gen(function* () {
  const { body, status } = yield* ask("/openapi.json")
  if (status !== 200) return yield* Effect.die(`/openapi.json answered ${status}`)
  return validating(body)
})

/** Headers that callers act on. */
const telling = [
  "etag",
  "idempotency-replayed",
  "ratelimit-limit",
  "ratelimit-policy",
  "ratelimit-remaining",
  "ratelimit-reset",
  "retry-after",
  "x-correlation-id"
]

const pointer = (...parts: ReadonlyArray<string>): string =>
  parts.map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))).join("/")

export const validating = (document: Json) => {
  const ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false, allErrors: false })
  formatsPlugin.default(ajv)
  // Only the schemas in it are schemas.
  ajv.addVocabulary(["paths", "components", "openapi", "info", "tags", "servers", "x-tagGroups", "security"])
  ajv.addSchema(document, "beckon", false, false)

  const check = (at: string, body: unknown): string | undefined => {
    const validate = ajv.getSchema(`beckon#/${at}`)
    if (validate === undefined) return `there is no schema at ${at}`
    if (validate(body) === true) return undefined
    return ajv.errorsText(validate.errors)
  }

  /** Why the schema there is none; nothing when it compiles. */
  const compiles = (at: string): string | undefined => {
    try {
      return ajv.getSchema(`beckon#/${at}`) === undefined ? `there is no schema at ${at}` : undefined
    } catch (error) {
      return String(error)
    }
  }

  const schemaAt = ({ method, path }: Operation, ...rest: ReadonlyArray<string>) =>
    pointer("paths", path, method, ...rest, "schema")

  return {
    document,
    operations: operationsOf(document),
    check,
    compiles,
    schemaAt,
    /** What is wrong with an answer; nothing when it is what the document says. */
    faultOf: (operation: Operation, { body, headers, status, type }: Answered): string | undefined => {
      const response = operation.definition.responses[String(status)]
      if (response === undefined) return `the status ${status} is not documented`
      const documented = Object.keys(response.headers).map((name) => name.toLowerCase())
      const silent = telling.find((name) => headers.has(name) && !documented.includes(name))
      if (silent !== undefined) return `the header ${silent} is not documented for ${status}`
      const [media = ""] = type.split(";")
      const found = Object.keys(response.content ?? {}).find((name) => name.split(";")[0] === media)
      if (response.content === undefined) return body === "" ? undefined : "a body is not documented"
      if (found === undefined) return `the content type ${type} is not documented for ${status}`
      const at = schemaAt(operation, "responses", String(status), "content", found)
      if (media !== "application/x-ndjson") return check(at, body)
      return String(body)
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => check(at, JSON.parse(line)))
        .find((fault) => fault !== undefined)
    }
  }
}
export type Document = ReturnType<typeof validating>
