/**
 * What the API document says of every operation: the headers that each call may carry and each answer has, and how the server
 * refuses before a handler is asked.
 *
 * **Details**
 *
 * No endpoint names these, because none handles them: the server does, around all handlers.
 */
import { Predicate } from "effect"

type Json = Record<string, unknown>

const isRecord = (value: unknown): value is Json => Predicate.isObject(value) && !Array.isArray(value)

const membersOf = (value: unknown): ReadonlyArray<readonly [string, Json]> =>
  isRecord(value)
    ? Object.entries(value).flatMap(([name, member]) => (isRecord(member) ? [[name, member] as const] : []))
    : []

const text = { type: "string" }
const whole = { type: "integer", minimum: 0 }

const header = (name: string, description: string, schema: Json, example: string) => ({
  name,
  in: "header",
  required: false,
  description,
  schema,
  example
})

const correlation = header(
  "X-Correlation-Id",
  "Names the call in logs, events and calls to providers: 1 to 128 visible ASCII characters. The server makes one where there is none, or one that does not fit.",
  { ...text, maxLength: 128 },
  "checkout-17"
)

const traceparent = header(
  "traceparent",
  "The caller's span (W3C Trace Context).",
  text,
  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

const idempotencyKey = header(
  "Idempotency-Key",
  "The call is carried out once under this key, however often it is sent within 24 hours: 409 while it is under way, 422 for another call. 1 to 255 visible ASCII characters, in quotes or without.",
  text,
  '"8e03978e-40d5-43dd-bc93-6894a57f9324"'
)

const ifMatch = header("If-Match", "Changes only what has one of these entity tags: 412 otherwise.", text, '"3"')

const ifNoneMatch = header(
  "If-None-Match",
  "The entity tag that the caller has, where the answer has one: 304 when it is current.",
  text,
  '"3"'
)

const answerHeaders = {
  "X-Correlation-Id": { description: "As the caller named the call, or as the server did.", schema: text },
  "RateLimit-Limit": { description: "Calls at once, of the limit that is nearest to its end.", schema: whole },
  "RateLimit-Remaining": { description: "Calls that are left of it.", schema: whole },
  "RateLimit-Reset": { description: "Seconds until all of it is there again.", schema: whole },
  "RateLimit-Policy": { description: "The limit, and the seconds in which it fills: 1000;w=10.", schema: text },
  "Retry-After": { description: "Seconds to wait; with 429, 503 and a call that is under way.", schema: whole },
  "Idempotency-Replayed": { description: "true when the call was carried out before.", schema: text },
  ETag: { description: "The version of what is answered.", schema: text }
}
type AnswerHeader = keyof typeof answerHeaders

const headersOf = (names: ReadonlyArray<AnswerHeader>): Json =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))

const limits: ReadonlyArray<AnswerHeader> = [
  "X-Correlation-Id",
  "RateLimit-Limit",
  "RateLimit-Remaining",
  "RateLimit-Reset",
  "RateLimit-Policy"
]

/** Operations whose answers have a version, without being told by a 412. */
const versioned = [
  "me.preferences",
  "users.preferences",
  "templates.get",
  "tenant.get",
  "tenants.create",
  "tenants.get",
  "tenants.suspend",
  "tenants.activate",
  "lookups.list"
]

const descriptions: Readonly<Record<string, string>> = {
  "200": "Done, or what was asked for.",
  "201": "It is made.",
  "202": "It is saved and will be carried out.",
  "204": "Done.",
  "304": "What the caller has is current.",
  "408": "The body did not arrive in time.",
  "413": "The body is too large.",
  "500": "The server failed; it is logged under the correlation id.",
  "503": "The service cannot do this at the moment: try again."
}

const problem = (...names: ReadonlyArray<string>): Json => {
  const references = names.map((name) => ({ $ref: `#/components/schemas/${name}` }))
  const [only] = references
  const schema = references.length === 1 && only !== undefined ? only : { anyOf: references }
  return { "application/problem+json": { schema } }
}

const badRequest = {
  description: "The request is not well-formed.",
  content: problem("BadRequestEncoded", "BadRequestProblemEncoded")
}
const transport = { content: problem("TransportProblem") }

/** What the server answers around the handler. What an operation says by itself stays, where it is not less. */
const refusalsOf = (method: string, operation: Json): Json => {
  const { parameters, requestBody, responses, security } = operation
  const own = isRecord(responses) ? responses : {}
  const isGuarded = Array.isArray(security) && security.length > 0
  const id = String(operation["operationId"])
  return {
    ...(isGuarded && method === "post"
      ? {
          "409": { description: "The state of the resource does not allow this.", content: problem("ConflictEncoded") },
          "422": { description: "The request breaks a rule.", content: problem("UnprocessableEncoded") }
        }
      : {}),
    ...(requestBody === undefined ? {} : { "408": transport, "413": transport }),
    ...(isGuarded && method === "get" && versioned.includes(id) ? { "304": {} } : {}),
    ...own,
    // Every request may name a parameter or a body that does not decode; those with a key or a condition may have none that is one.
    ...(isGuarded && (method === "post" || isNamed(parameters, "if-match")) ? { "400": badRequest } : {}),
    ...(isRecord(own["413"]) && requestBody !== undefined
      ? { "413": { content: problem("BodyTooLargeEncoded", "TransportProblem") } }
      : {})
  }
}

const isNamed = (parameters: unknown, name: string): boolean =>
  Array.isArray(parameters) && parameters.some((one) => isRecord(one) && String(one["name"]).toLowerCase() === name)

const describeOperation = (method: string, operation: Json): Json => {
  const { parameters, responses, security } = operation
  const isAuthorised = Array.isArray(security) && security.length > 0
  const isConditional = isRecord(responses) && "412" in responses
  const hasVersion = isConditional ? method !== "delete" : versioned.includes(String(operation["operationId"]))
  const added = [
    correlation,
    traceparent,
    ...(isAuthorised && method === "post" ? [idempotencyKey] : []),
    ...(isConditional ? [ifMatch] : []),
    ...(hasVersion && method === "get" ? [ifNoneMatch] : [])
  ]
  const headersFor = (status: string): ReadonlyArray<AnswerHeader> => [
    ...(isAuthorised ? limits : (["X-Correlation-Id"] as const)),
    ...(["409", "429", "503"].includes(status) ? (["Retry-After"] as const) : []),
    ...(isAuthorised && method === "post" ? (["Idempotency-Replayed"] as const) : []),
    ...(hasVersion && (status.startsWith("2") || status === "304") ? (["ETag"] as const) : [])
  ]
  // Names of headers are the same in any case: what an endpoint declares for itself is described once.
  const others = (Array.isArray(parameters) ? parameters : []).filter(
    (one) =>
      !isRecord(one) ||
      one["in"] !== "header" ||
      (String(one["name"]).toLowerCase() !== "authorization" &&
        !added.some(({ name }) => name.toLowerCase() === String(one["name"]).toLowerCase()))
  )
  const all = [...others, ...added]
  return {
    ...operation,
    parameters: all,
    responses: Object.fromEntries(
      membersOf(refusalsOf(method, { ...operation, parameters: all })).map(([status, response]) => [
        status,
        {
          ...response,
          description: descriptions[status] ?? String(response["description"]).split(" | ")[0],
          headers: { ...headersOf(headersFor(status)), ...(isRecord(response["headers"]) ? response["headers"] : {}) }
        }
      ])
    )
  }
}

/** What the server says before there is a request to handle: `limit` names the setting, which is there with its value. */
const TransportProblem = {
  type: "object",
  properties: {
    type: { type: "string", enum: ["about:blank"] },
    status: { type: "integer" },
    title: { type: "string" },
    detail: { type: "string" },
    limit: { type: "string" }
  },
  required: ["type", "status", "title"],
  additionalProperties: { type: "number" }
}

const methods = ["get", "post", "put", "patch", "delete"]

/** Adds them to the document. */
export const describe = (document: Json): Json => {
  const components = isRecord(document["components"]) ? document["components"] : {}
  return {
    ...document,
    paths: Object.fromEntries(
      membersOf(document["paths"]).map(([path, item]) => [
        path,
        Object.fromEntries(
          Object.entries(item).map(([method, operation]) => [
            method,
            methods.includes(method) && isRecord(operation) ? describeOperation(method, operation) : operation
          ])
        )
      ])
    ),
    components: {
      ...components,
      schemas: { ...(isRecord(components["schemas"]) ? components["schemas"] : {}), TransportProblem },
      headers: answerHeaders
    }
  }
}
